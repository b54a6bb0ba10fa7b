"""dlt's filesystem source into its filesystem destination, with Iceberg as the table format.

Rows go as Arrow, which dlt passes on as it is: by its own readers, and by pyarrow for JSON lines,
of which dlt's reader makes a dictionary each and takes much longer.
"""

import os
from collections.abc import Iterator
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.json as pj
from dlt.destinations import filesystem as filesystem_destination
from dlt.sources.filesystem import FileItemDict, filesystem, read_csv_duckdb, read_parquet

from benchmarks.peer.job import NAMESPACE, Job

_CHUNK_ROWS = 100_000
_FILES_PER_PAGE = 1000


@dlt.transformer
def read_json(items: list[FileItemDict]) -> Iterator[pa.Table]:
    """One table for a page of files."""
    tables = []
    for item in items:
        with item.open() as file:
            tables.append(pj.read_json(file))
    yield pa.concat_tables(tables, promote_options="default").combine_chunks()


def rows(job: Job) -> Any:
    """A resource that yields what the objects hold."""
    files = filesystem(
        bucket_url=f"s3://{job.bucket}/{job.prefix}",
        file_glob=job.glob,
        files_per_page=_FILES_PER_PAGE,
        credentials={
            "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
            "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
            "region_name": os.environ["AWS_REGION"],
        },
    )
    if job.format == "json":
        return files | read_json
    if job.format == "csv":
        return files | read_csv_duckdb(chunk_size=_CHUNK_ROWS, use_pyarrow=True)
    return files | read_parquet(chunksize=_CHUNK_ROWS, use_pyarrow=True)


def main() -> None:
    job = Job.of_command_line()
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(job.folder / "pipelines"),
        destination=filesystem_destination(bucket_url=f"file://{job.warehouse}"),
        dataset_name=NAMESPACE,
    )
    pipeline.run(
        rows(job).with_name("bench"),
        write_disposition="append",
        table_format="iceberg",
        loader_file_format="parquet",
    )


if __name__ == "__main__":
    main()
