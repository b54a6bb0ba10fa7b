"""Where expired snapshots stood, so that a rollback beyond them is noticed; the tables' health.

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No snapshot has been expired by us so far."""
    op.add_column("batches", sa.Column("expired_from", sa.Text()), schema="ingest")
    op.add_column("batches", sa.Column("expired_position", sa.BigInteger()), schema="ingest")
    op.create_index(
        "batches_expired",
        "batches",
        ["expired_from", "expired_position"],
        schema="ingest",
        postgresql_where=sa.text("expired_from IS NOT NULL"),
    )
    op.create_table(
        "table_health",
        sa.Column("table_identifier", sa.Text(), primary_key=True),
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.Column("numbers", JSONB(), nullable=False),
        schema="ingest",
    )


def downgrade() -> None:
    """A rollback beyond an expiry is found by `reconcile` alone."""
    op.drop_table("table_health", schema="ingest")
    op.drop_index("batches_expired", "batches", schema="ingest")
    op.drop_column("batches", "expired_position", schema="ingest")
    op.drop_column("batches", "expired_from", schema="ingest")
