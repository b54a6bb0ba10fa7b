"""Spark reads and writes Parquet files; PyIceberg adds them to the table.

Iceberg's runtime and Hadoop's S3 client are jars that no package registry of Python has, so the
objects come by obstore, as for the floor, and the commit is PyIceberg's.
"""

import tempfile

import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from benchmarks.objects import fetch
from benchmarks.peer.job import TABLE, Job


def _end(spark: SparkSession) -> None:
    """The JVM has ended and is waited for, so that its CPU is this process's."""
    gateway = spark.sparkContext._gateway
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


def main() -> None:
    job = Job.of_command_line()
    catalog = job.catalog
    data = job.warehouse / "data"
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        fetch(job.bucket, job.prefix, folder)
        read = spark.read.option("header", True).option("inferSchema", True)
        rows = read.format(job.format).load(folder)
        rows.write.parquet(str(data))
    _end(spark)
    files = sorted(str(path) for path in data.glob("*.parquet"))
    catalog.create_table(TABLE, pq.read_schema(files[0])).add_files(files)


if __name__ == "__main__":
    main()
