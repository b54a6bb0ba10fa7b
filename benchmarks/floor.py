"""The floor: the same objects read by duckdb and written as one Parquet file, with no promise kept.

    python -m benchmarks.floor BUCKET PREFIX SCAN OUTPUT

duckdb's own S3 extension is not part of its wheel, so the objects come by obstore, the cheapest
client there is, into a local folder; both halves count.
"""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import obstore
from obstore.store import S3Store


def main() -> None:
    bucket, prefix, scan, output = sys.argv[1:]
    store = S3Store(bucket, client_options={"allow_http": True})
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(16) as pool:

        def fetch(path: str) -> None:
            data = obstore.get(store, path).bytes()
            Path(folder, path.rsplit("/", 1)[-1]).write_bytes(data)

        paths = [item["path"] for page in obstore.list(store, prefix=prefix) for item in page]
        list(pool.map(fetch, paths))
        duckdb.execute("SET preserve_insertion_order = false")
        source = scan.format(folder=folder)
        duckdb.execute(f"COPY (SELECT * FROM {source}) TO '{output}' (FORMAT parquet)")
    print(duckdb.sql(f"SELECT count(*) FROM read_parquet('{output}')").fetchall()[0][0])


if __name__ == "__main__":
    main()
