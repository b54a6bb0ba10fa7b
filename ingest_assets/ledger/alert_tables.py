"""The ledger's tables of alerts: an outbox that is filled from the other tables.

alert_subscriptions  one row an ingestion and channel that it names, and since when
alerts               one row an event, told apart by what it is about (`subject`)
alert_parts          one row an event and channel that is to be told of it
alert_deliveries     one row a message to a channel, with the text as it is sent
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from ingest_assets.ledger.states import AlertKind, DeliveryState
from ingest_assets.ledger.table_parts import moment, one_of
from ingest_assets.ledger.tables import metadata

alert_subscriptions = Table(
    "alert_subscriptions",
    metadata,
    Column("ingestion", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    moment("since", is_set=True),
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", BigInteger, Identity(), primary_key=True),
    Column("ingestion", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("detail", JSONB, nullable=False),
    moment("noticed_at", is_set=True),
    UniqueConstraint("ingestion", "kind", "subject", name="one_alert_an_event"),
    one_of("kind", AlertKind),
)
Index("alerts_by_ingestion", alerts.c.ingestion, alerts.c.alert_id)

alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("ingestion", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("message", JSONB, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    moment("next_attempt_at", is_set=True),
    Column("error", Text),
    moment("created_at", is_set=True),
    Column("sent_at", DateTime(timezone=True)),
    one_of("state", DeliveryState),
)
Index(
    "one_waiting_message_a_kind",
    alert_deliveries.c.ingestion,
    alert_deliveries.c.kind,
    alert_deliveries.c.channel,
    unique=True,
    postgresql_where="state = 'WAITING'",
)

alert_parts = Table(
    "alert_parts",
    metadata,
    Column("alert_id", BigInteger, ForeignKey(alerts.c.alert_id), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("delivery_id", Text, ForeignKey(alert_deliveries.c.delivery_id)),
)
Index(
    "alert_parts_ungrouped",
    alert_parts.c.alert_id,
    postgresql_where="delivery_id IS NULL",
)
