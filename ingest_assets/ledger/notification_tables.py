"""The ledger's tables of notifications: what the queues brought, and what was odd about it.

notification_counts  one row an ingestion and kind: how many messages and events, since when
odd_messages         one row a message that could not be read or was not meant for the ingestion
"""

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from ingest_assets.ledger.table_parts import moment
from ingest_assets.ledger.tables import metadata

notification_counts = Table(
    "notification_counts",
    metadata,
    Column("ingestion", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    moment("first_at", is_set=True),
    moment("last_at", is_set=True),
)

odd_messages = Table(
    "odd_messages",
    metadata,
    Column("ingestion", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("count", Integer, nullable=False, server_default="1"),
    moment("first_at", is_set=True),
    moment("last_at", is_set=True),
)
