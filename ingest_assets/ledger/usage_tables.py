"""The ledger's table of what was really used, for its cost (see `tables`):

usage  one row a committed batch; and one an ingestion and day (UTC) for what discovery asked, whose
       `batch_id` is empty and whose numbers grow, from `first_at` to `last_at`

The columns are the fields of `cost.usage.Usage`.
"""

from sqlalchemy import BigInteger, Column, Date, Double, Index, Table, Text

from ingest_assets.ledger.table_parts import moment
from ingest_assets.ledger.tables import metadata

COUNTED = (
    "list_requests",
    "get_requests",
    "table_get_requests",
    "table_put_requests",
    "queue_requests",
    "read_bytes",
    "written_bytes",
)
"""The columns that are whole numbers."""


def _counted() -> list[Column[object]]:
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTED]


usage = Table(
    "usage",
    metadata,
    Column("ingestion", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("batch_id", Text, primary_key=True),
    *_counted(),
    Column("cpu_seconds", Double, nullable=False, server_default="0"),
    moment("first_at", is_set=True),
    moment("last_at", is_set=True),
)
Index("usage_of_batches", usage.c.batch_id, postgresql_where="batch_id <> ''")
