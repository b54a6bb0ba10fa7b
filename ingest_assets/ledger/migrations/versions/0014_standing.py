"""Whether people let an ingestion work, and its declaration as it was last applied.

Revision ID: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_MOMENTS = ("paused_at", "deleted_at", "table_dropped_at")
_TEXTS = ("paused_by", "paused_note", "deleted_by", "deleted_note")


def upgrade() -> None:
    """All ingestions work; the next tick of each says what is declared."""
    for name in _MOMENTS:
        _add(sa.Column(name, sa.DateTime(timezone=True)))
    for name in _TEXTS:
        _add(sa.Column(name, sa.Text()))
    _add(sa.Column("declared", JSONB()))
    # A table that was dropped with its ingestion may be another one's.
    op.drop_constraint("ingestions_table_identifier_key", "ingestions", schema="ingest")
    op.create_index(
        "one_ingestion_a_table",
        "ingestions",
        ["table_identifier"],
        unique=True,
        schema="ingest",
        postgresql_where=sa.text("table_dropped_at IS NULL"),
    )


def downgrade() -> None:
    """Paused and deleted ingestions go on."""
    op.drop_index("one_ingestion_a_table", "ingestions", schema="ingest")
    op.create_unique_constraint(
        "ingestions_table_identifier_key", "ingestions", ["table_identifier"], schema="ingest"
    )
    for name in (*_MOMENTS, *_TEXTS, "declared"):
        op.drop_column("ingestions", name, schema="ingest")


def _add(column: sa.Column[object]) -> None:
    op.add_column("ingestions", column, schema="ingest")
