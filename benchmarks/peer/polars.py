"""polars scans and sinks, streaming."""

import polars as pl

from benchmarks.peer.job import TABLE, Job, s3_options


def main() -> None:
    job = Job.of_command_line()
    options = s3_options()
    if job.format == "json":
        rows = pl.scan_ndjson(job.uri, storage_options=options)
    elif job.format == "csv":
        rows = pl.scan_csv(job.uri, storage_options=options, try_parse_dates=True)
    else:
        rows = pl.scan_parquet(job.uri, storage_options=options)
    rows.sink_iceberg(
        TABLE,
        mode="append",
        create_if_not_exists=True,
        catalog=job.catalog,
        maintain_order=False,
    )


if __name__ == "__main__":
    main()
