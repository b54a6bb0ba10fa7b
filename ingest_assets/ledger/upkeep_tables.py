"""The ledger's table of the Iceberg tables' health, as it was last measured (see `tables`).

table_health   one row a table, `<table>__rejected` and those of `new_table` too; `numbers` are
               those of `tables.table_health.TableHealth`
"""

from sqlalchemy import Column, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from ingest_assets.ledger.table_parts import moment
from ingest_assets.ledger.tables import metadata

table_health = Table(
    "table_health",
    metadata,
    Column("table_identifier", Text, primary_key=True),
    Column("ingestion", Text, nullable=False),
    moment("measured_at", is_set=True),
    Column("numbers", JSONB, nullable=False),
)
