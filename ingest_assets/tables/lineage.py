"""The columns that every ingested row carries beside its own, and the properties of its table."""

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.schema.column import Column, Columns

LINEAGE: Columns = (
    Column("_source_file", pa.string(), description="The address of the file the row came from."),
    Column("_file_id", pa.int64(), description="One number a key."),
    Column("_content_id", pa.int64(), description="One number a key and etag."),
    Column("_source_row", pa.int64(), description="The line or row number in the file."),
    Column("_ingested_at", pa.timestamp("us", tz="UTC"), description="When its batch was written."),
    Column(
        "_rescued_data",
        pa.string(),
        description="JSON of the values of the row that did not fit the table.",
    ),
)
LINEAGE_NAMES = frozenset(column.name for column in LINEAGE)

INGESTION_PROPERTY = "ingest.ingestion"
LEDGER_PROPERTY = "ingest.ledger-id"
BATCH_PROPERTY = "ingest.batch-id"
FENCE_PROPERTY = "ingest.fence"


def with_lineage(
    rows: pa.Table, *, uri: str, file_id: int, content_id: int, ingested_at: datetime
) -> pa.Table:
    """The rows of one file with the four columns that are the same for all of them.

    `rows` has `_source_row` already, and `_rescued_data` unless they are rejected rows.
    """
    count = rows.num_rows
    moment = pa.scalar(ingested_at, pa.timestamp("us", tz="UTC"))
    return (
        rows.append_column("_source_file", pa.repeat(pa.scalar(uri), count))
        .append_column("_file_id", pa.repeat(pa.scalar(file_id, pa.int64()), count))
        .append_column("_content_id", pa.repeat(pa.scalar(content_id, pa.int64()), count))
        .append_column("_ingested_at", pa.repeat(moment, count))
    )


def rescued_count(rows: pa.Table) -> int:
    """How many rows have something in `_rescued_data`."""
    return int(pc.count(rows["_rescued_data"], mode="only_valid").as_py())
