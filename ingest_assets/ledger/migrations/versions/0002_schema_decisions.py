"""Decisions of people about schema versions, and the batch that carries one out.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _decided() -> list[sa.Column[object]]:
    return [
        sa.Column("observed_fields", postgresql.JSONB()),
        sa.Column("observed_fingerprint", sa.Text()),
        sa.Column("resolution", sa.Text()),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("note", sa.Text()),
    ]


def upgrade() -> None:
    """What `ingest_assets.ledger.tables` had at this revision and not before."""
    op.add_column("batches", sa.Column("decision", postgresql.JSONB()), schema="ingest")
    op.create_index(
        "one_decision_at_a_time",
        "batches",
        ["ingestion"],
        unique=True,
        schema="ingest",
        postgresql_where=sa.text("status = 'PREPARED' AND decision IS NOT NULL"),
    )
    for column in _decided():
        op.add_column("schema_versions", column, schema="ingest")


def downgrade() -> None:
    """The decisions are forgotten; the versions stay."""
    for column in _decided():
        op.drop_column("schema_versions", column.name, schema="ingest")
    op.drop_index("one_decision_at_a_time", "batches", schema="ingest")
    op.drop_column("batches", "decision", schema="ingest")
