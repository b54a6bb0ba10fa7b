"""Notifications: what queues brought, and until when each was read.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _moment(name: str, *, is_set: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if is_set else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=not is_set)


def upgrade() -> None:
    """No ingestion has read a queue before."""
    op.add_column("ingestions", sa.Column("queue_url", sa.Text(), nullable=True), schema="ingest")
    op.add_column("ingestions", sa.Column("queue_wanted", sa.Text()), schema="ingest")
    op.add_column("ingestions", _moment("queue_since"), schema="ingest")
    op.add_column("ingestions", _moment("queue_emptied_at"), schema="ingest")
    op.create_table(
        "notification_counts",
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        _moment("first_at", is_set=True),
        _moment("last_at", is_set=True),
        sa.PrimaryKeyConstraint("ingestion", "kind"),
        schema="ingest",
    )
    op.create_table(
        "odd_messages",
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        _moment("first_at", is_set=True),
        _moment("last_at", is_set=True),
        sa.PrimaryKeyConstraint("ingestion", "message_id"),
        schema="ingest",
    )


def downgrade() -> None:
    """The ledger forgets what queues brought."""
    op.drop_table("odd_messages", schema="ingest")
    op.drop_table("notification_counts", schema="ingest")
    for column in ("queue_emptied_at", "queue_since", "queue_wanted", "queue_url"):
        op.drop_column("ingestions", column, schema="ingest")
