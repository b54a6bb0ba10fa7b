"""Finished objects: what was done with a source file after its rows were certain.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("source_state", sa.Text()),
    ("source_content_id", sa.BigInteger()),
    ("source_moved_to", sa.Text()),
    ("source_moved_etag", sa.Text()),
    ("source_error", sa.Text()),
    ("source_at", sa.DateTime(timezone=True)),
    ("source_retry_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Nothing was done with any object."""
    for name, kind in _COLUMNS:
        op.add_column("files", sa.Column(name, kind, nullable=True), schema="ingest")
    op.create_check_constraint(
        "source_state_is_known",
        "files",
        "source_state IN ('tagged', 'moved', 'deleted', 'gone', 'waiting')",
        schema="ingest",
    )
    op.create_index(
        "files_to_finish",
        "files",
        ["ingestion", "source_retry_at", "ingested_at"],
        schema="ingest",
        postgresql_where=sa.text(
            "status = 'SUCCESS' AND batch_id IS NULL AND rejected = 0 AND "
            "(source_content_id IS DISTINCT FROM content_id OR source_state = 'waiting')"
        ),
    )
    op.add_column(
        "ingestions",
        sa.Column("source_failures", sa.Integer(), server_default="0", nullable=False),
        schema="ingest",
    )
    op.add_column(
        "ingestions",
        sa.Column("source_retry_at", sa.DateTime(timezone=True), nullable=True),
        schema="ingest",
    )


def downgrade() -> None:
    """The ledger as it was; where objects are now is forgotten."""
    op.drop_column("ingestions", "source_retry_at", schema="ingest")
    op.drop_column("ingestions", "source_failures", schema="ingest")
    op.drop_index("files_to_finish", "files", schema="ingest")
    op.drop_constraint("source_state_is_known", "files", schema="ingest")
    for name, _ in _COLUMNS:
        op.drop_column("files", name, schema="ingest")
