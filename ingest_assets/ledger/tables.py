"""The ledger's tables, all in the Postgres schema `ingest`:

    ingestions       one row a declaration; locked while a schema version is numbered
    files            one row a key: the state machine of DESIGN's "States of a file"
    contents         one row a key and etag: what `_content_id` counts
    batches          one row a batch, with its lease
    attempts         one row a batch and file: what the batch did with the file
    schema_versions  one row a version of a table's schema, never deleted
    audit            who decided what, and when

`route` is the table that a file, batch or version belongs to: empty for the declared one, else the
identifier of a table that a person made for a shape of its own (the resolution `new_table`).
A file's rows are in its committed batch's table. `also_in` are tables that may have some besides,
after a rollback: a batch of each lets them go before any batch reads the file.

Those of the alerts are in `alert_tables`.

Times are `timestamptz` and always come from Postgres's own clock. Keys collate "C", the byte order
in which object stores list.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from ingest_assets.ledger.states import BatchStatus, FileStatus, VersionStatus
from ingest_assets.ledger.table_parts import SCHEMA, metadata, moment, one_of

__all__ = ["SCHEMA", "metadata"]

deployment = Table(
    "deployment",
    metadata,
    Column("ledger_id", Text, primary_key=True),
    moment("created_at", is_set=True),
)

ingestions = Table(
    "ingestions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("table_identifier", Text, nullable=False, unique=True),
    moment("first_listed_at"),
    Column("listing_cursor", Text(collation="C")),
    moment("last_listed_at"),
    moment("created_at", is_set=True),
    moment("last_arrival_at"),
    moment("runs_noticed_at"),
)

files = Table(
    "files",
    metadata,
    Column("file_id", BigInteger, Identity(), primary_key=True),
    Column("ingestion", Text, nullable=False),
    Column("key", Text(collation="C"), nullable=False),
    Column("uri", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("content_id", BigInteger, nullable=False),
    Column("etag", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    moment("modified_at", is_set=True),
    Column("batch_id", Text),
    Column("route", Text, nullable=False, server_default=""),
    Column("also_in", ARRAY(Text), nullable=False, server_default="{}"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    moment("next_attempt_at"),
    Column("error_type", Text),
    Column("error", Text),
    Column("committed_content_id", BigInteger),
    Column("committed_etag", Text),
    Column("committed_batch_id", Text),
    Column("rows", BigInteger),
    Column("rescued", BigInteger),
    Column("rejected", BigInteger),
    Column("schema_version", Integer),
    Column("snapshot_id", BigInteger),
    moment("discovered_at", is_set=True),
    moment("updated_at", is_set=True),
    moment("ingested_at"),
    UniqueConstraint("ingestion", "key", name="one_row_a_key"),
    one_of("status", FileStatus),
)
Index(
    "files_to_plan",
    files.c.ingestion,
    files.c.modified_at,
    files.c.key,
    postgresql_where="batch_id IS NULL AND status IN ('DISCOVERED', 'FAILED')",
)
Index("files_by_status", files.c.ingestion, files.c.status, files.c.key)
Index("files_by_batch", files.c.batch_id, postgresql_where="batch_id IS NOT NULL")

contents = Table(
    "contents",
    metadata,
    Column("content_id", BigInteger, Identity(), primary_key=True),
    Column("file_id", BigInteger, ForeignKey(files.c.file_id), nullable=False),
    Column("etag", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    moment("modified_at", is_set=True),
    moment("first_seen_at", is_set=True),
    UniqueConstraint("file_id", "etag", name="one_row_a_content"),
)

batches = Table(
    "batches",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("ingestion", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("route", Text, nullable=False, server_default=""),
    Column("holder", JSONB),
    moment("lease_expires_at"),
    Column("run_id", Text),
    Column("snapshot_id", BigInteger),
    Column("schema_changes", JSONB),
    Column("decision", JSONB),
    Column("note", Text),
    moment("created_at", is_set=True),
    moment("prepared_at"),
    moment("finished_at"),
    moment("reported_at"),
    moment("alerted_at"),
    one_of("status", BatchStatus),
)
Index(
    "batches_open",
    batches.c.ingestion,
    batches.c.created_at,
    postgresql_where="status IN ('PLANNED', 'PREPARED')",
)
Index("batches_by_run", batches.c.run_id)
Index(
    "one_decision_at_a_time",
    batches.c.ingestion,
    unique=True,
    postgresql_where="status = 'PREPARED' AND decision IS NOT NULL",
)
Index(
    "batches_unreported",
    batches.c.ingestion,
    batches.c.finished_at,
    postgresql_where="status = 'COMMITTED' AND reported_at IS NULL",
)
Index(
    "batches_to_notice",
    batches.c.ingestion,
    batches.c.finished_at,
    postgresql_where="status = 'COMMITTED' AND alerted_at IS NULL",
)

attempts = Table(
    "attempts",
    metadata,
    Column("batch_id", Text, ForeignKey(batches.c.batch_id), primary_key=True),
    Column("file_id", BigInteger, ForeignKey(files.c.file_id), primary_key=True),
    Column("content_id", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("outcome", Text),
    Column("error_type", Text),
    Column("error", Text),
    Column("traceback", Text),
    Column("rows", BigInteger),
    Column("rescued", BigInteger),
    Column("rejected", BigInteger),
    Column("bytes", BigInteger),
    Column("seconds", Double),
    Column("change_index", Integer),
    Column("schema_version", Integer),
    Column("detail", JSONB),
    moment("started_at", is_set=True),
    moment("finished_at"),
)
Index("attempts_by_file", attempts.c.file_id)
Index(
    "attempts_parked",
    attempts.c.file_id,
    attempts.c.schema_version,
    postgresql_where="outcome = 'PARKED'",
)

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
