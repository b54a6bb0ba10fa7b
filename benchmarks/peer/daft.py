"""daft reads from S3 and writes."""

import os

import daft
from daft.io import IOConfig, S3Config

from benchmarks.peer.job import TABLE, Job


def main() -> None:
    job = Job.of_command_line()
    s3 = S3Config(
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        key_id=os.environ["AWS_ACCESS_KEY_ID"],
        access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region_name=os.environ["AWS_REGION"],
    )
    read = {"json": daft.read_json, "csv": daft.read_csv, "parquet": daft.read_parquet}
    rows = read[job.format](job.uri, io_config=IOConfig(s3=s3))
    table = job.catalog.create_table(TABLE, rows.schema().to_pyarrow_schema())
    rows.write_iceberg(table)


if __name__ == "__main__":
    main()
