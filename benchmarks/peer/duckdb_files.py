"""duckdb reads and writes the data file; PyIceberg adds it to the table, and writes no row."""

import tempfile

import duckdb

from benchmarks.objects import fetch
from benchmarks.peer.job import TABLE, Job


def main() -> None:
    job = Job.of_command_line()
    catalog = job.catalog
    data_file = f"{job.warehouse}/data.parquet"
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        fetch(job.bucket, job.prefix, folder)
        connection = duckdb.connect()
        connection.execute("SET preserve_insertion_order = false")
        source = f"SELECT * FROM read_{job.format}('{folder}/{job.glob}')"
        connection.execute(f"COPY ({source}) TO '{data_file}' (FORMAT parquet, CODEC zstd)")
        schema = connection.execute(f"{source} LIMIT 0").to_arrow_table().schema
    catalog.create_table(TABLE, schema).add_files([data_file])


if __name__ == "__main__":
    main()
