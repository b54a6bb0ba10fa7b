"""Source shapes: the fields that files have, where a transform makes other columns of them.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None is known so far: the first file that is read through a transform says."""
    op.create_table(
        "source_shapes",
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("format", postgresql.JSONB(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("ingestion", "route"),
        schema="ingest",
    )
    op.add_column(
        "batches", sa.Column("source_shape", postgresql.JSONB(), nullable=True), schema="ingest"
    )


def downgrade() -> None:
    """A transform sees the types of each file by itself again."""
    op.drop_column("batches", "source_shape", schema="ingest")
    op.drop_table("source_shapes", schema="ingest")
