"""The ledger's tables of work: batches, and what each did with its files (see `tables`).

`expired_from` and `expired_position`: the snapshot of the batch was expired while it was in the
`main` of the table of this UUID, and this was its sequence number.
"""

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from ingest_assets.ledger.states import BatchStatus
from ingest_assets.ledger.table_parts import moment, one_of
from ingest_assets.ledger.tables import files, metadata

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
    Column("source_shape", JSONB),
    Column("decision", JSONB),
    Column("note", Text),
    moment("created_at", is_set=True),
    moment("prepared_at"),
    moment("finished_at"),
    moment("reported_at"),
    moment("alerted_at"),
    Column("on_changed_file", Text),
    moment("archived_at"),
    Column("expired_from", Text),
    Column("expired_position", BigInteger),
    one_of("status", BatchStatus),
)
Index(
    "batches_expired",
    batches.c.expired_from,
    batches.c.expired_position,
    postgresql_where="expired_from IS NOT NULL",
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
Index(
    "batches_by_end",
    batches.c.ingestion,
    batches.c.finished_at,
    postgresql_where="status = 'COMMITTED'",
)
Index(
    "batches_to_archive",
    batches.c.ingestion,
    batches.c.finished_at,
    postgresql_where="archived_at IS NULL AND finished_at IS NOT NULL",
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
Index(
    "attempts_with_error",
    attempts.c.finished_at,
    postgresql_where="error_type IS NOT NULL",
)
Index("attempts_by_seconds", attempts.c.seconds, postgresql_where="seconds >= 0.1")

attempts_archive = Table(
    "attempts_archive",
    metadata,
    Column("batch_id", Text, ForeignKey(batches.c.batch_id), primary_key=True),
    Column("file_id", BigInteger, ForeignKey(files.c.file_id), primary_key=True),
    *(
        Column(column.name, column.type, nullable=column.nullable)
        for column in attempts.columns
        if not column.primary_key
    ),
)
Index("attempts_archive_by_file", attempts_archive.c.file_id)
