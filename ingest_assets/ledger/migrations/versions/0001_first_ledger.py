"""The first ledger: files, contents, batches, attempts, schema versions, audit.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables of `ingest_assets.ledger.tables` as they were at this revision."""
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("ingestion", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=True),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("audit_id"),
        schema="ingest",
    )
    op.create_index(
        "audit_by_ingestion", "audit", ["ingestion", "at"], unique=False, schema="ingest"
    )
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("holder", postgresql.JSONB(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=True),
        sa.Column("schema_changes", postgresql.JSONB(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('PLANNED', 'PREPARED', 'COMMITTED', 'RELEASED')", name="status_is_known"
        ),
        sa.PrimaryKeyConstraint("batch_id"),
        schema="ingest",
    )
    op.create_index(
        "batches_open",
        "batches",
        ["ingestion", "created_at"],
        unique=False,
        schema="ingest",
        postgresql_where="status IN ('PLANNED', 'PREPARED')",
    )
    op.create_index("batches_by_run", "batches", ["run_id"], unique=False, schema="ingest")
    op.create_index(
        "batches_unreported",
        "batches",
        ["ingestion", "finished_at"],
        unique=False,
        schema="ingest",
        postgresql_where="status = 'COMMITTED' AND reported_at IS NULL",
    )
    op.create_table(
        "deployment",
        sa.Column("ledger_id", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("ledger_id"),
        schema="ingest",
    )
    op.create_table(
        "files",
        sa.Column("file_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "modified_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("committed_content_id", sa.BigInteger(), nullable=True),
        sa.Column("committed_etag", sa.Text(), nullable=True),
        sa.Column("committed_batch_id", sa.Text(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("rescued", sa.BigInteger(), nullable=True),
        sa.Column("rejected", sa.BigInteger(), nullable=True),
        sa.Column("schema_version", sa.Integer(), nullable=True),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "discovered_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ingested_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('DISCOVERED', 'PROCESSING', 'SUCCESS', 'FAILED', 'DEAD_LETTER', "
            "'PARKED', 'REJECTED', 'SKIPPED')",
            name="status_is_known",
        ),
        sa.PrimaryKeyConstraint("file_id"),
        sa.UniqueConstraint("ingestion", "key", name="one_row_a_key"),
        schema="ingest",
    )
    op.create_index(
        "files_by_batch",
        "files",
        ["batch_id"],
        unique=False,
        schema="ingest",
        postgresql_where="batch_id IS NOT NULL",
    )
    op.create_index(
        "files_by_status", "files", ["ingestion", "status", "key"], unique=False, schema="ingest"
    )
    op.create_index(
        "files_to_plan",
        "files",
        ["ingestion", "modified_at", "key"],
        unique=False,
        schema="ingest",
        postgresql_where="batch_id IS NULL AND status IN ('DISCOVERED', 'FAILED')",
    )
    op.create_table(
        "ingestions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("table_identifier", sa.Text(), nullable=False),
        sa.Column("first_listed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("listing_cursor", sa.Text(collation="C"), nullable=True),
        sa.Column("last_listed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("table_identifier"),
        schema="ingest",
    )
    op.create_table(
        "schema_versions",
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("compatibility", sa.Text(), nullable=True),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("diff", postgresql.JSONB(), nullable=True),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("table_schema_id", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("last_written_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('ACTIVE', 'PENDING', 'DEPRECATED', 'REJECTED')", name="status_is_known"
        ),
        sa.PrimaryKeyConstraint("ingestion", "version"),
        schema="ingest",
    )
    op.create_index(
        "one_active_version",
        "schema_versions",
        ["ingestion"],
        unique=True,
        schema="ingest",
        postgresql_where="status = 'ACTIVE'",
    )
    op.create_index(
        "one_pending_version_a_shape",
        "schema_versions",
        ["ingestion", "fingerprint"],
        unique=True,
        schema="ingest",
        postgresql_where="status = 'PENDING'",
    )
    op.create_table(
        "attempts",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("rescued", sa.BigInteger(), nullable=True),
        sa.Column("rejected", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("change_index", sa.Integer(), nullable=True),
        sa.Column("schema_version", sa.Integer(), nullable=True),
        sa.Column("detail", postgresql.JSONB(), nullable=True),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["ingest.batches.batch_id"],
        ),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["ingest.files.file_id"],
        ),
        sa.PrimaryKeyConstraint("batch_id", "file_id"),
        schema="ingest",
    )
    op.create_index("attempts_by_file", "attempts", ["file_id"], unique=False, schema="ingest")
    op.create_table(
        "contents",
        sa.Column("content_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "modified_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["ingest.files.file_id"],
        ),
        sa.PrimaryKeyConstraint("content_id"),
        sa.UniqueConstraint("file_id", "etag", name="one_row_a_content"),
        schema="ingest",
    )


def downgrade() -> None:
    """Nothing of the ledger is left."""
    for table in (
        "audit",
        "schema_versions",
        "attempts",
        "batches",
        "contents",
        "files",
        "ingestions",
        "deployment",
    ):
        op.drop_table(table, schema="ingest")
