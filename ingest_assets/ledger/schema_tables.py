"""The ledger's tables of schemas: versions, source shapes, who decided what (see `tables`)."""

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from ingest_assets.ledger.states import VersionStatus
from ingest_assets.ledger.table_parts import moment, one_of
from ingest_assets.ledger.tables import metadata

schema_versions = Table(
    "schema_versions",
    metadata,
    Column("ingestion", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("compatibility", Text),
    Column("fields", JSONB, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("diff", JSONB),
    Column("batch_id", Text),
    Column("file_id", BigInteger),
    Column("table_schema_id", Integer),
    Column("route", Text, nullable=False, server_default=""),
    moment("created_at", is_set=True),
    moment("last_written_at"),
    Column("observed_fields", JSONB),
    Column("observed_fingerprint", Text),
    Column("resolution", Text),
    Column("resolved_by", Text),
    moment("resolved_at"),
    Column("note", Text),
    one_of("status", VersionStatus),
)
Index(
    "one_active_version",
    schema_versions.c.ingestion,
    schema_versions.c.route,
    unique=True,
    postgresql_where="status = 'ACTIVE'",
)
Index(
    "one_pending_version_a_shape",
    schema_versions.c.ingestion,
    schema_versions.c.route,
    schema_versions.c.fingerprint,
    unique=True,
    postgresql_where="status = 'PENDING'",
)

source_shapes = Table(
    "source_shapes",
    metadata,
    Column("ingestion", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("format", JSONB, nullable=False),
    Column("fields", JSONB, nullable=False),
    moment("updated_at", is_set=True),
)

audit = Table(
    "audit",
    metadata,
    Column("audit_id", BigInteger, Identity(), primary_key=True),
    Column("ingestion", Text),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", JSONB),
    moment("at", is_set=True),
)
Index("audit_by_ingestion", audit.c.ingestion, audit.c.at)
