"""Alerts: what happened, who is to be told, and what was sent.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _moment(name: str, *, is_set: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if is_set else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=not is_set)


def upgrade() -> None:
    """What the ledger held before is marked as noticed: nobody is told of the past."""
    op.add_column("batches", _moment("alerted_at"), schema="ingest")
    op.execute("UPDATE ingest.batches SET alerted_at = now() WHERE status = 'COMMITTED'")
    op.create_index(
        "batches_to_notice",
        "batches",
        ["ingestion", "finished_at"],
        schema="ingest",
        postgresql_where=sa.text("status = 'COMMITTED' AND alerted_at IS NULL"),
    )
    op.add_column("ingestions", _moment("last_arrival_at"), schema="ingest")
    op.add_column("ingestions", _moment("runs_noticed_at"), schema="ingest")
    op.execute("""
        UPDATE ingest.ingestions i SET last_arrival_at = (
            SELECT max(discovered_at) FROM ingest.files f WHERE f.ingestion = i.name)
    """)
    op.create_table(
        "alert_subscriptions",
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        _moment("since", is_set=True),
        sa.PrimaryKeyConstraint("ingestion", "channel"),
        schema="ingest",
    )
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        _moment("noticed_at", is_set=True),
        sa.CheckConstraint(
            "kind IN ('schema_pending', 'dead_letter', 'run_failed', 'check_failed', "
            "'nothing_arrived', 'batch_slow')",
            name="kind_is_known",
        ),
        sa.PrimaryKeyConstraint("alert_id"),
        sa.UniqueConstraint("ingestion", "kind", "subject", name="one_alert_an_event"),
        schema="ingest",
    )
    op.create_index("alerts_by_ingestion", "alerts", ["ingestion", "alert_id"], schema="ingest")
    _create_deliveries()


def _create_deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", postgresql.JSONB(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        _moment("next_attempt_at", is_set=True),
        sa.Column("error", sa.Text(), nullable=True),
        _moment("created_at", is_set=True),
        _moment("sent_at"),
        sa.CheckConstraint("state IN ('WAITING', 'SENT', 'DROPPED')", name="state_is_known"),
        sa.PrimaryKeyConstraint("delivery_id"),
        schema="ingest",
    )
    op.create_index(
        "one_waiting_message_a_kind",
        "alert_deliveries",
        ["ingestion", "kind", "channel"],
        unique=True,
        schema="ingest",
        postgresql_where=sa.text("state = 'WAITING'"),
    )
    op.create_table(
        "alert_parts",
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["ingest.alerts.alert_id"]),
        sa.ForeignKeyConstraint(["delivery_id"], ["ingest.alert_deliveries.delivery_id"]),
        sa.PrimaryKeyConstraint("alert_id", "channel"),
        schema="ingest",
    )
    op.create_index(
        "alert_parts_ungrouped",
        "alert_parts",
        ["alert_id"],
        schema="ingest",
        postgresql_where=sa.text("delivery_id IS NULL"),
    )


def downgrade() -> None:
    """The ledger as it was, without what was sent."""
    for table in ("alert_parts", "alert_deliveries", "alerts", "alert_subscriptions"):
        op.drop_table(table, schema="ingest")
    op.drop_index("batches_to_notice", "batches", schema="ingest")
    op.drop_column("batches", "alerted_at", schema="ingest")
    op.drop_column("ingestions", "last_arrival_at", schema="ingest")
    op.drop_column("ingestions", "runs_noticed_at", schema="ingest")
