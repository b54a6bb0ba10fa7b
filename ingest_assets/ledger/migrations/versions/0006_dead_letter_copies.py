"""Dead-letter copies: which are to be made, and where those lie that were.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _moment(name: str, *, is_set: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if is_set else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=not is_set)


def upgrade() -> None:
    """Files that are dead-letters already are copied too."""
    op.create_table(
        "dead_letter_copies",
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        _moment("next_try_at", is_set=True),
        sa.Column("error", sa.Text()),
        sa.Column("copy_uri", sa.Text()),
        sa.Column("report_uri", sa.Text()),
        _moment("created_at", is_set=True),
        _moment("copied_at"),
        sa.CheckConstraint("state IN ('WAITING', 'COPIED', 'REPORTED')", name="state_is_known"),
        sa.ForeignKeyConstraint(["file_id"], ["ingest.files.file_id"]),
        sa.ForeignKeyConstraint(["batch_id"], ["ingest.batches.batch_id"]),
        sa.PrimaryKeyConstraint("file_id"),
        schema="ingest",
    )
    op.create_index(
        "dead_letter_copies_waiting",
        "dead_letter_copies",
        ["ingestion", "next_try_at"],
        schema="ingest",
        postgresql_where=sa.text("state = 'WAITING'"),
    )
    op.add_column(
        "ingestions",
        sa.Column("copies_failures", sa.Integer(), server_default="0", nullable=False),
        schema="ingest",
    )
    op.add_column("ingestions", _moment("copies_retry_at"), schema="ingest")
    op.execute("""
        INSERT INTO ingest.dead_letter_copies (file_id, ingestion, batch_id, content_id, state)
        SELECT DISTINCT ON (f.file_id) f.file_id, f.ingestion, a.batch_id, a.content_id, 'WAITING'
        FROM ingest.files f JOIN ingest.attempts a USING (file_id)
        WHERE f.status = 'DEAD_LETTER' AND a.outcome = 'DEAD_LETTER'
        ORDER BY f.file_id, a.finished_at DESC
    """)


def downgrade() -> None:
    """The copies stay where they are; the ledger does not know of them."""
    op.drop_column("ingestions", "copies_retry_at", schema="ingest")
    op.drop_column("ingestions", "copies_failures", schema="ingest")
    op.drop_table("dead_letter_copies", schema="ingest")
