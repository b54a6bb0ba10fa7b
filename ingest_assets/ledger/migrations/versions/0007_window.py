"""The window of live partitions, and an archive of attempts that nobody works with any more.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = (
    "batch_id, file_id, content_id, position, outcome, error_type, error, traceback, rows, "
    "rescued, rejected, bytes, seconds, change_index, schema_version, detail, started_at, "
    "finished_at"
)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True))


def upgrade() -> None:
    """Every partition is in the window and no attempt in the archive, as before."""
    op.add_column("files", _moment("retired_at"), schema="ingest")
    op.create_index(
        "files_in_the_window",
        "files",
        ["ingestion", "ingested_at"],
        schema="ingest",
        postgresql_where=sa.text("status = 'SUCCESS' AND retired_at IS NULL"),
    )
    op.add_column("batches", _moment("archived_at"), schema="ingest")
    op.create_index(
        "batches_to_archive",
        "batches",
        ["ingestion", "finished_at"],
        schema="ingest",
        postgresql_where=sa.text("archived_at IS NULL AND finished_at IS NOT NULL"),
    )
    _create_archive()


def _create_archive() -> None:
    op.create_table(
        "attempts_archive",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("error_type", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("traceback", sa.Text()),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("rescued", sa.BigInteger()),
        sa.Column("rejected", sa.BigInteger()),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("seconds", sa.Double()),
        sa.Column("change_index", sa.Integer()),
        sa.Column("schema_version", sa.Integer()),
        sa.Column("detail", postgresql.JSONB()),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        _moment("finished_at"),
        sa.ForeignKeyConstraint(["batch_id"], ["ingest.batches.batch_id"]),
        sa.ForeignKeyConstraint(["file_id"], ["ingest.files.file_id"]),
        sa.PrimaryKeyConstraint("batch_id", "file_id"),
        schema="ingest",
    )
    op.create_index("attempts_archive_by_file", "attempts_archive", ["file_id"], schema="ingest")


def downgrade() -> None:
    """The archived attempts are among the others again; what left the window is not known."""
    op.execute(
        f"INSERT INTO ingest.attempts ({_COLUMNS}) SELECT {_COLUMNS} FROM ingest.attempts_archive"
    )
    op.drop_table("attempts_archive", schema="ingest")
    op.drop_index("batches_to_archive", "batches", schema="ingest")
    op.drop_column("batches", "archived_at", schema="ingest")
    op.drop_index("files_in_the_window", "files", schema="ingest")
    op.drop_column("files", "retired_at", schema="ingest")
