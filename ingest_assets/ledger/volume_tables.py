"""The ledger's tables of what was done, counted when a batch is finished (see `tables`):

batch_totals   one row an ingestion and class of duration; its numbers only ever grow
hourly_volume  one row an ingestion and hour (UTC) in which a batch of it was finished

They keep what the attempts tell when those are old and gone from the live table. `seconds` are
those from a batch's claim to its end. Files are counted by their outcome, a file once a batch.
Rows and `bytes`, which are as large as the objects, are those of files whose outcome was SUCCESS.
"""

from sqlalchemy import BigInteger, Column, DateTime, Double, Table, Text

from ingest_assets.ledger.table_parts import moment
from ingest_assets.ledger.tables import metadata

COUNTED = (
    "batches",
    "success_files",
    "failed_files",
    "dead_letter_files",
    "parked_files",
    "rows",
    "rescued_rows",
    "rejected_rows",
    "bytes",
)
"""The columns of both tables that are whole numbers."""


def _counted() -> list[Column[object]]:
    numbers: list[Column[object]] = [
        Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTED
    ]
    seconds: Column[object] = Column("seconds", Double, nullable=False, server_default="0")
    return [*numbers, seconds]


batch_totals = Table(
    "batch_totals",
    metadata,
    Column("ingestion", Text, primary_key=True),
    Column("at_most_seconds", Double, primary_key=True),
    *_counted(),
    moment("last_success_at"),
)

hourly_volume = Table(
    "hourly_volume",
    metadata,
    Column("ingestion", Text, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    *_counted(),
    Column("slowest_seconds", Double, nullable=False, server_default="0"),
)
