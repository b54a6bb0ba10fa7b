"""What batches and discovery really used, so that their cost can be told.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COUNTED = (
    "list_requests",
    "get_requests",
    "table_get_requests",
    "table_put_requests",
    "queue_requests",
    "read_bytes",
    "written_bytes",
)


def upgrade() -> None:
    """Batches of before have no row; their cost is not known."""
    op.create_table(
        "usage",
        sa.Column("ingestion", sa.Text(), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("batch_id", sa.Text(), primary_key=True),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
            for name in _COUNTED
        ),
        sa.Column("cpu_seconds", sa.Double(), nullable=False, server_default="0"),
        *(
            sa.Column(
                name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
            )
            for name in ("first_at", "last_at")
        ),
        schema="ingest",
    )
    # Each batch's is looked up when the batch is reported.
    op.create_index(
        "usage_of_batches",
        "usage",
        ["batch_id"],
        schema="ingest",
        postgresql_where=sa.text("batch_id <> ''"),
    )


def downgrade() -> None:
    """What was used is forgotten."""
    op.drop_table("usage", schema="ingest")
