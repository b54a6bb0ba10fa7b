"""The floor: the same objects read by duckdb and written as one Parquet file, with no promise kept.

    python -m benchmarks.floor BUCKET PREFIX SCAN OUTPUT

duckdb's own S3 extension is not part of its wheel, so the objects come by obstore, the cheapest
client there is, into a local folder; both halves count.
"""

import sys
import tempfile

import duckdb

from benchmarks.objects import fetch


def main() -> None:
    bucket, prefix, scan, output = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        fetch(bucket, prefix, folder)
        duckdb.execute("SET preserve_insertion_order = false")
        source = scan.format(folder=folder)
        duckdb.execute(f"COPY (SELECT * FROM {source}) TO '{output}' (FORMAT parquet)")
    print(duckdb.sql(f"SELECT count(*) FROM read_parquet('{output}')").fetchall()[0][0])


if __name__ == "__main__":
    main()
