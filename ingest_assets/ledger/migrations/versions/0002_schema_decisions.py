"""Decisions about schema versions, the batch that carries one out, and tables for other shapes.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROUTED = ("files", "batches", "schema_versions")


def _decided() -> list[sa.Column[object]]:
    return [
        sa.Column("observed_fields", postgresql.JSONB()),
        sa.Column("observed_fingerprint", sa.Text()),
        sa.Column("resolution", sa.Text()),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("note", sa.Text()),
    ]


def _index_versions(active: list[str], pending: list[str]) -> None:
    for name, columns, status in (
        ("one_active_version", active, "ACTIVE"),
        ("one_pending_version_a_shape", pending, "PENDING"),
    ):
        op.drop_index(name, "schema_versions", schema="ingest")
        op.create_index(
            name,
            "schema_versions",
            columns,
            unique=True,
            schema="ingest",
            postgresql_where=sa.text(f"status = '{status}'"),
        )


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
    op.create_index(
        "attempts_parked",
        "attempts",
        ["file_id", "schema_version"],
        schema="ingest",
        postgresql_where=sa.text("outcome = 'PARKED'"),
    )
    for column in _decided():
        op.add_column("schema_versions", column, schema="ingest")
    for table in _ROUTED:
        route = sa.Column("route", sa.Text(), nullable=False, server_default="")
        op.add_column(table, route, schema="ingest")
    tables = postgresql.ARRAY(sa.Text())
    also_in: sa.Column[object] = sa.Column("also_in", tables, nullable=False, server_default="{}")
    op.add_column("files", also_in, schema="ingest")
    _index_versions(["ingestion", "route"], ["ingestion", "route", "fingerprint"])


def downgrade() -> None:
    """The decisions are forgotten; the versions stay."""
    _index_versions(["ingestion"], ["ingestion", "fingerprint"])
    op.drop_column("files", "also_in", schema="ingest")
    for table in _ROUTED:
        op.drop_column(table, "route", schema="ingest")
    for column in _decided():
        op.drop_column("schema_versions", column.name, schema="ingest")
    op.drop_index("attempts_parked", "attempts", schema="ingest")
    op.drop_index("one_decision_at_a_time", "batches", schema="ingest")
    op.drop_column("batches", "decision", schema="ingest")
