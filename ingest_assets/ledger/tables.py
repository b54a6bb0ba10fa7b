"""The ledger's tables, all in the Postgres schema `ingest`:

    ingestions       one row a declaration; locked while a schema version is numbered
    files            one row a key: the states of docs/operations.md
    contents         one row a key and etag: what `_content_id` counts
    batches          one row a batch, with its lease
    attempts         one row a batch and file: what the batch did with the file
    attempts_archive the attempts of long ago that no work reads any more, for people
    schema_versions  one row a version of a table's schema, never deleted
    source_shapes    one row a table whose columns a transform makes: the fields of its files
    audit            who decided what, and when

`route` is the table that a file, batch or version belongs to: empty for the declared one, else the
identifier of a table that a person made for a shape of its own (the resolution `new_table`).
A file's rows are in its committed batch's table. `also_in` are tables that may have some besides,
after a rollback: a batch of each lets them go before any batch reads the file. `retired_at` is when
a file's partition left Dagster's dynamic set for its age; null again once a batch plans the file.

`source_…` is what `source.after_success` did with the object: with which content of it, and when.
Where `source.on_changed_file` is `append`, a file has rows of several contents: each content's own
`committed_batch_id` says which batch brought them, and so in which table they are. `lost_at`: a
rollback took them out, and they were not read again: the newest one will be. `asked_content_id` is
the content that a person asked for, whatever the mode.

`paused_…`, `deleted_…` and `table_dropped_at` are in `ledger.standing`, `declared` in
`ledger.applied_declaration`.

Batches and attempts are in `batch_tables`, versions and the audit in `schema_tables`, those of the
alerts in `alert_tables`, dead-letter copies in `dead_letter_tables`, those of notifications in
`notification_tables`, what was done by the hour in `volume_tables`, what was used in
`usage_tables`, how the Iceberg tables are in `upkeep_tables`.

Times are `timestamptz` and always come from Postgres's own clock. Keys collate "C", the byte order
in which object stores list.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from ingest_assets.files.finished_object import ObjectState
from ingest_assets.ledger.states import FileStatus
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
    Column("table_identifier", Text, nullable=False),
    Column("source_address", Text),
    moment("first_listed_at"),
    Column("listing_cursor", Text(collation="C")),
    moment("last_listed_at"),
    moment("created_at", is_set=True),
    moment("last_arrival_at"),
    moment("runs_noticed_at"),
    Column("source_failures", Integer, nullable=False, server_default="0"),
    moment("source_retry_at"),
    Column("copies_failures", Integer, nullable=False, server_default="0"),
    moment("copies_retry_at"),
    Column("queue_url", Text),
    Column("queue_wanted", Text),
    moment("queue_since"),
    moment("queue_emptied_at"),
    Column("on_changed_file", Text, nullable=False, server_default="replace"),
    moment("paused_at"),
    Column("paused_by", Text),
    Column("paused_note", Text),
    moment("deleted_at"),
    Column("deleted_by", Text),
    Column("deleted_note", Text),
    moment("table_dropped_at"),
    Column("declared", JSONB),
)
Index(
    "one_ingestion_a_table",
    ingestions.c.table_identifier,
    unique=True,
    postgresql_where="table_dropped_at IS NULL",
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
    Column("source_state", Text),
    Column("source_content_id", BigInteger),
    Column("source_moved_to", Text),
    Column("source_moved_etag", Text),
    Column("source_error", Text),
    moment("source_at"),
    moment("source_retry_at"),
    moment("seen_at", is_set=True),
    moment("gone_at"),
    Column("asked_content_id", BigInteger),
    moment("retired_at"),
    UniqueConstraint("ingestion", "key", name="one_row_a_key"),
    one_of("status", FileStatus),
    one_of("source_state", ObjectState),
)
Index(
    "files_to_plan",
    files.c.ingestion,
    files.c.modified_at,
    files.c.key,
    postgresql_where="batch_id IS NULL AND status IN ('DISCOVERED', 'FAILED')",
)
Index("files_by_status", files.c.ingestion, files.c.status, files.c.key)
Index(
    "files_to_finish",
    files.c.ingestion,
    files.c.source_retry_at,
    files.c.ingested_at,
    postgresql_where=(
        "status = 'SUCCESS' AND batch_id IS NULL AND rejected = 0 AND "
        "(source_content_id IS DISTINCT FROM content_id OR source_state = 'waiting')"
    ),
)
Index("files_present", files.c.ingestion, files.c.key, postgresql_where="gone_at IS NULL")
Index("files_by_batch", files.c.batch_id, postgresql_where="batch_id IS NOT NULL")
Index(
    "files_in_the_window",
    files.c.ingestion,
    files.c.ingested_at,
    postgresql_where="status = 'SUCCESS' AND retired_at IS NULL",
)

contents = Table(
    "contents",
    metadata,
    Column("content_id", BigInteger, Identity(), primary_key=True),
    Column("file_id", BigInteger, ForeignKey(files.c.file_id), nullable=False),
    Column("etag", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    moment("modified_at", is_set=True),
    moment("first_seen_at", is_set=True),
    Column("committed_batch_id", Text),
    moment("lost_at"),
    UniqueConstraint("file_id", "etag", name="one_row_a_content"),
)
Index("contents_lost", contents.c.file_id, postgresql_where="lost_at IS NOT NULL")
