"""duckdb reads, PyIceberg writes what it streams; the objects come by obstore, as for the floor."""

import tempfile

import duckdb

from benchmarks.objects import fetch
from benchmarks.peer.job import TABLE, Job


def main() -> None:
    job = Job.of_command_line()
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        fetch(job.bucket, job.prefix, folder)
        connection = duckdb.connect()
        connection.execute("SET preserve_insertion_order = false")
        source = f"SELECT * FROM read_{job.format}('{folder}/{job.glob}')"
        batches = connection.execute(source).to_arrow_reader()
        job.catalog.create_table(TABLE, batches.schema).append(batches)


if __name__ == "__main__":
    main()
