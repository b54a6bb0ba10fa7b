"""dlt's filesystem source into its filesystem destination, with Iceberg as the table format.

Rows go as Arrow batches where the source can make them; for JSON lines it makes dictionaries.
"""

import os

import dlt
from dlt.destinations import filesystem
from dlt.sources.filesystem import readers

from benchmarks.peer.job import NAMESPACE, Job

_CHUNK_ROWS = 100_000


def main() -> None:
    job = Job.of_command_line()
    source = readers(
        bucket_url=f"s3://{job.bucket}/{job.prefix}",
        file_glob=job.glob,
        credentials={
            "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
            "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
            "region_name": os.environ["AWS_REGION"],
        },
    )
    if job.format == "json":
        rows = source.read_jsonl(chunksize=_CHUNK_ROWS)
    elif job.format == "csv":
        rows = source.read_csv_duckdb(chunk_size=_CHUNK_ROWS, use_pyarrow=True)
    else:
        rows = source.read_parquet(chunksize=_CHUNK_ROWS, use_pyarrow=True)
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(job.folder / "pipelines"),
        destination=filesystem(bucket_url=f"file://{job.warehouse}"),
        dataset_name=NAMESPACE,
    )
    pipeline.run(
        rows.with_name("bench"),
        write_disposition="append",
        table_format="iceberg",
        loader_file_format="parquet",
    )


if __name__ == "__main__":
    main()
