"""Tables in and out of the forms that asset functions use: pyarrow, Polars, pandas, Spark."""

import sys
from typing import Any

import pyarrow as pa

from ingest_assets.orchestration.spark_session import spark_session


def table_of(value: Any) -> pa.Table:
    """What an asset returned, as an Arrow table.

    Raises:
        TypeError: it is none of the forms that are understood.
    """
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pa.RecordBatchReader):
        return value.read_all()
    polars, pandas = sys.modules.get("polars"), sys.modules.get("pandas")
    if polars is not None and isinstance(value, polars.DataFrame):
        return value.to_arrow()
    if polars is not None and isinstance(value, polars.LazyFrame):
        return value.collect().to_arrow()
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return pa.Table.from_pandas(value, preserve_index=False)
    spark = sys.modules.get("pyspark.sql")
    if spark is not None and isinstance(value, spark.DataFrame):
        return value.toArrow()
    raise TypeError(
        f"An asset of the Iceberg I/O manager returned {type(value).__name__}; it should return a "
        "pyarrow Table or RecordBatchReader, or a Polars, pandas or Spark DataFrame."
    )


def frame_of(reader: pa.RecordBatchReader, wanted: Any) -> Any:
    """The rows in the form that the annotation `wanted` names; `pa.Table` where it names none.

    Raises:
        TypeError: the annotation is none of those that are understood.
    """
    if wanted is pa.RecordBatchReader:
        return reader
    if wanted in (pa.Table, Any, None, type(None)):
        return reader.read_all()
    name = f"{getattr(wanted, '__module__', '')}.{getattr(wanted, '__qualname__', wanted)}"
    if name.startswith("polars.") and name.endswith(".DataFrame"):
        import polars

        return polars.from_arrow(reader.read_all())
    if name.startswith("polars.") and name.endswith(".LazyFrame"):
        import polars

        return polars.from_arrow(reader.read_all()).lazy()  # type: ignore[union-attr]
    if name.startswith("pandas.") and name.endswith(".DataFrame"):
        return reader.read_all().to_pandas()
    if name.startswith("pyspark.") and name.endswith(".DataFrame"):
        return spark_session().createDataFrame(reader.read_all())
    raise TypeError(
        f"The Iceberg I/O manager has no rows as {name}; annotate the input with pyarrow's Table "
        "or RecordBatchReader, or with Polars', pandas' or Spark's DataFrame."
    )
