"""Changed files by the declared mode, files that wait to settle, objects that are gone.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS: dict[str, list[sa.Column[object]]] = {
    "ingestions": [
        sa.Column("on_changed_file", sa.Text(), server_default="replace", nullable=False)
    ],
    "batches": [sa.Column("on_changed_file", sa.Text())],
    "files": [
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("gone_at", sa.DateTime(timezone=True)),
        sa.Column("asked_content_id", sa.BigInteger()),
    ],
    "contents": [
        sa.Column("committed_batch_id", sa.Text()),
        sa.Column("lost_at", sa.DateTime(timezone=True)),
    ],
}


def upgrade() -> None:
    """The content of each file that is in the table is known as such by itself."""
    for table, columns in _COLUMNS.items():
        for column in columns:
            op.add_column(table, column, schema="ingest")
    op.execute("UPDATE ingest.files SET seen_at = discovered_at")
    op.execute("""
        UPDATE ingest.contents c SET committed_batch_id = f.committed_batch_id
        FROM ingest.files f WHERE f.committed_content_id = c.content_id
    """)
    op.create_index(
        "files_present",
        "files",
        ["ingestion", "key"],
        schema="ingest",
        postgresql_where=sa.text("gone_at IS NULL"),
    )
    op.create_index(
        "contents_lost",
        "contents",
        ["file_id"],
        schema="ingest",
        postgresql_where=sa.text("lost_at IS NOT NULL"),
    )


def downgrade() -> None:
    """The ledger as it was; rows that `append` kept stay in the tables."""
    op.drop_index("contents_lost", "contents", schema="ingest")
    op.drop_index("files_present", "files", schema="ingest")
    for table, columns in _COLUMNS.items():
        for column in columns:
            op.drop_column(table, column.name, schema="ingest")
