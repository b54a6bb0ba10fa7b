"""A deployment that has been in use for long: filled by SQL, in the shape that its own work leaves.

The first files are really ingested. Everything that is made afterwards is a copy of what they left:
ledger rows, batches of 1000, dynamic partitions, and Dagster's events and check executions. The
source has none of these files any more.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, create_engine, text

BATCH_FILES = 1000

_KEY = "format('2026/%s/part-%s.json', lpad((n % 365)::text, 3, '0'), lpad(n::text, 9, '0'))"

_LEDGER = (
    """
    INSERT INTO ingest.batches (batch_id, ingestion, status, origin, run_id, snapshot_id,
        created_at, prepared_at, finished_at, reported_at, alerted_at, archived_at)
    SELECT 'old-' || b, :name, 'COMMITTED', 'sensor', md5('run' || b)::uuid::text, b, at, at,
           at, at, at, CASE WHEN at < now() - interval '90 days' THEN at END
    FROM generate_series(0, (:files - 1) / 1000) AS b,
         LATERAL (SELECT now() - interval '1 day' - (:files / 1000 - b) * interval '4 hours' AS at)
    """,
    f"""
    INSERT INTO ingest.files (ingestion, key, uri, status, content_id, etag, size_bytes,
        modified_at, attempts, committed_content_id, committed_etag, committed_batch_id, rows,
        rescued, rejected, schema_version, snapshot_id, discovered_at, ingested_at, retired_at,
        gone_at)
    SELECT :name, key, 's3://bench/' || key, 'SUCCESS', n, md5(n::text), 50000, b.finished_at,
           1, n, md5(n::text), b.batch_id, 100, 0, 0, 1, b.snapshot_id, b.finished_at,
           b.finished_at, CASE WHEN n <= :files - :live THEN now() END, now()
    FROM generate_series(1, :files) AS n
    JOIN ingest.batches b ON b.batch_id = 'old-' || (n - 1) / 1000,
    LATERAL (SELECT {_KEY} AS key)
    """,
    """
    INSERT INTO ingest.contents (content_id, file_id, etag, size_bytes, modified_at)
    OVERRIDING SYSTEM VALUE
    SELECT 1000000000 + file_id, file_id, etag, size_bytes, modified_at FROM ingest.files
    WHERE committed_batch_id LIKE 'old-%'
    """,
    """
    INSERT INTO ingest.attempts (batch_id, file_id, content_id, position, outcome, rows, rescued,
        rejected, bytes, seconds, schema_version, detail, started_at, finished_at)
    SELECT committed_batch_id, file_id, 1000000000 + file_id, file_id % 1000, 'SUCCESS', 100, 0,
           0, 50000, 0.01, 1, '{"records": 100}', ingested_at, ingested_at
    FROM ingest.files WHERE committed_batch_id LIKE 'old-%'
    """,
)

_PARTITIONS = f"""
    INSERT INTO dynamic_partitions (partitions_def_name, partition, create_timestamp)
    SELECT :name, {_KEY}, now() FROM generate_series(:first, :files) AS n
    ORDER BY n
"""

_EVENTS = f"""
    INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key,
                            partition)
    SELECT md5('run' || (n - 1) / 1000)::uuid::text, replace(e.event, :was, key),
           e.dagster_event_type, e.timestamp, e.step_key, e.asset_key, key
    FROM event_logs e, generate_series(:first, :files) AS n, LATERAL (SELECT {_KEY} AS key)
    WHERE e.partition = :was AND e.dagster_event_type = :kind
    ORDER BY n
"""

_CHECKS = """
    INSERT INTO asset_check_executions (asset_key, check_name, partition, run_id,
        execution_status, evaluation_event, evaluation_event_timestamp,
        evaluation_event_storage_id, materialization_event_storage_id)
    SELECT c.asset_key, c.check_name, m.partition, m.run_id, c.execution_status,
           replace(c.evaluation_event, :was, m.partition), c.evaluation_event_timestamp,
           m.id, m.id
    FROM asset_check_executions c
    JOIN event_logs m ON m.asset_key = c.asset_key
     AND m.dagster_event_type = 'ASSET_MATERIALIZATION' AND m.run_id <> c.run_id
    WHERE c.partition = :was
"""


@dataclass(frozen=True)
class Fill:
    """How many files the ledger knows, how many are live, and of how many Dagster has events."""

    files: int
    live: int
    history: int


def fill(postgres_url: str, ingestion: str, partition: str, size: Fill) -> None:
    """The deployment looks as if it had ingested all these files; `partition` is one that it did.

    Ledger and Dagster's instance are in one database, as the product's defaults have it.
    """
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        for statement in _LEDGER:
            _run(connection, statement, ingestion, size)
        first = size.files - size.live + 1
        _run(connection, _PARTITIONS, ingestion, size, first=first)
        first = size.files - size.history + 1
        for kind in ("ASSET_MATERIALIZATION_PLANNED", "ASSET_MATERIALIZATION"):
            _run(connection, _EVENTS, ingestion, size, first=first, was=partition, kind=kind)
        _run(connection, _CHECKS, ingestion, size, was=partition)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
    engine.dispose()


def _run(connection: Connection, statement: str, ingestion: str, size: Fill, **more: Any) -> None:
    values = {"name": ingestion, "files": size.files, "live": size.live, **more}
    connection.execute(text(statement), values)
