"""What a batch did, read back for Dagster's partitions and for people."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.ledger.leases import is_known_dead


@dataclass(frozen=True)
class FileReport:
    """The outcome of one file in one batch, with what its partition shows."""

    key: str
    uri: str
    etag: str
    outcome: str
    error_type: str | None
    error: str | None
    rows: int
    rescued: int
    rejected: int
    bytes: int
    seconds: float
    schema_version: int | None
    snapshot_id: int | None
    attempts: int
    next_attempt_at: datetime | None
    detail: dict[str, Any]


@dataclass(frozen=True)
class BatchReport:
    """A batch and its files, in the order in which they were judged."""

    batch_id: str
    status: str
    run_id: str | None
    note: str | None
    files: tuple[FileReport, ...]


def batch_report(connection: Connection, batch_id: str) -> BatchReport | None:
    """The batch as the ledger has it; None for an id that it does not know.

    A file that was parked and is rejected by now is REJECTED.
    """
    batch = connection.execute(
        text("SELECT status, run_id, note FROM ingest.batches WHERE batch_id = :batch_id"),
        {"batch_id": batch_id},
    ).first()
    if batch is None:
        return None
    rows = connection.execute(
        text("""
            SELECT f.key, f.uri, c.etag,
                   CASE WHEN r.is_rejected THEN 'REJECTED' ELSE a.outcome END AS outcome,
                   a.error_type, CASE WHEN r.is_rejected THEN f.error ELSE a.error END AS error,
                   coalesce(a.rows, 0) AS rows, coalesce(a.rescued, 0) AS rescued,
                   coalesce(a.rejected, 0) AS rejected,
                   coalesce(a.bytes, 0) AS bytes, coalesce(a.seconds, 0) AS seconds,
                   a.schema_version, b.snapshot_id, f.attempts, f.next_attempt_at,
                   coalesce(a.detail, '{}') AS detail
            FROM ingest.attempts a
            JOIN ingest.batches b USING (batch_id)
            JOIN ingest.files f USING (file_id)
            JOIN ingest.contents c ON c.content_id = a.content_id
            CROSS JOIN LATERAL (
                SELECT a.outcome = 'PARKED' AND f.status = 'REJECTED'
                       AND f.content_id = a.content_id AS is_rejected) r
            WHERE a.batch_id = :batch_id ORDER BY a.position
        """),
        {"batch_id": batch_id},
    )
    files = tuple(FileReport(**row._mapping) for row in rows)
    return BatchReport(batch_id, batch.status, batch.run_id, batch.note, files)


def newest_of_batch(connection: Connection, batch_id: str) -> BatchReport | None:
    """The batch without the files that a batch finished later, so that none is told of old news."""
    batch = batch_report(connection, batch_id)
    if batch is None:
        return None
    overtaken = connection.execute(
        text("""
            SELECT f.key
            FROM ingest.attempts a
            JOIN ingest.batches b USING (batch_id)
            JOIN ingest.files f USING (file_id)
            WHERE a.batch_id = :batch_id AND EXISTS (
                SELECT 1 FROM ingest.attempts l JOIN ingest.batches lb USING (batch_id)
                WHERE l.file_id = a.file_id AND lb.status = 'COMMITTED'
                  AND lb.finished_at > b.finished_at)
        """),
        {"batch_id": batch_id},
    )
    old = {row.key for row in overtaken}
    return replace(batch, files=tuple(file for file in batch.files if file.key not in old))


def unreported(connection: Connection, ingestion: str) -> list[tuple[str, str | None]]:
    """The COMMITTED batches that Dagster has not been told of, oldest first, with their run ids."""
    rows = connection.execute(
        text("""
            SELECT batch_id, run_id FROM ingest.batches
            WHERE ingestion = :ingestion AND status = 'COMMITTED' AND reported_at IS NULL
            ORDER BY finished_at LIMIT 20
        """),
        {"ingestion": ingestion},
    )
    return [(row.batch_id, row.run_id) for row in rows]


def run_ids(connection: Connection, batch_ids: Sequence[str]) -> list[str]:
    """The Dagster runs that claimed these batches, and that are not at work on others.

    A run is when it holds another one, and when the process that planned others for it may live.
    """
    rows = connection.execute(
        text("""
            SELECT DISTINCT one.run_id, (
                SELECT jsonb_agg(other.holder) FROM ingest.batches AS other
                WHERE other.run_id = one.run_id AND other.status = 'PLANNED') AS planners
            FROM ingest.batches AS one
            WHERE batch_id = ANY(:batch_ids) AND run_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM ingest.batches AS other
                WHERE other.run_id = one.run_id AND other.status = 'PREPARED'
                  AND other.lease_expires_at > now())
        """),
        {"batch_ids": list(batch_ids)},
    )
    return [row.run_id for row in rows if all(map(is_known_dead, row.planners or ()))]


def lost_runs(connection: Connection, run_ids: Sequence[str]) -> dict[str, int | None]:
    """Those of the runs that hold no batch and whose worker has nothing more to say.

    It is gone for certain, and its pid is given; or, None, it has had ten minutes for what takes
    seconds: to end the run, or to claim its next batch. A run that holds a batch is lost when its
    lease is.
    """
    rows = connection.execute(
        text("""
            SELECT DISTINCT ON (run_id) run_id, status, holder,
                   coalesce(finished_at, created_at) < now() - interval '10 minutes' AS is_long_ago
            FROM ingest.batches WHERE run_id = ANY(:run_ids)
            ORDER BY run_id, status = 'PREPARED' DESC, finished_at DESC NULLS LAST
        """),
        {"run_ids": list(run_ids)},
    ).all()
    return {
        row.run_id: None if row.is_long_ago else row.holder["pid"]
        for row in rows
        if row.status != "PREPARED" and (row.is_long_ago or is_known_dead(row.holder))
    }


def mark_reported(connection: Connection, batch_ids: Sequence[str]) -> None:
    """Dagster knows what became of the files of these batches."""
    connection.execute(
        text("UPDATE ingest.batches SET reported_at = now() WHERE batch_id = ANY(:batch_ids)"),
        {"batch_ids": list(batch_ids)},
    )


def committed_reports(
    connection: Connection, ingestion: str, keys: Sequence[str]
) -> list[FileReport]:
    """The files among `keys` that are in the table, as a batch left them there.

    Their newest content is, or it is one that `source.on_changed_file` leaves unread.
    """
    rows = connection.execute(
        text("""
            SELECT f.key, f.uri, f.committed_etag AS etag, 'SUCCESS' AS outcome,
                   NULL AS error_type, NULL AS error, coalesce(f.rows, 0) AS rows,
                   coalesce(f.rescued, 0) AS rescued, coalesce(f.rejected, 0) AS rejected,
                   coalesce(a.bytes, 0) AS bytes, coalesce(a.seconds, 0) AS seconds,
                   f.schema_version, f.snapshot_id, f.attempts,
                   CAST(NULL AS timestamptz) AS next_attempt_at,
                   coalesce(a.detail, '{}') AS detail
            FROM ingest.files f
            LEFT JOIN ingest.attempts a
                   ON a.batch_id = f.committed_batch_id AND a.file_id = f.file_id
            WHERE f.ingestion = :ingestion AND f.key = ANY(:keys)
              AND (f.committed_content_id = f.content_id
                   OR (f.status = 'SUCCESS' AND f.committed_content_id IS NOT NULL))
        """),
        {"ingestion": ingestion, "keys": list(keys)},
    )
    return [FileReport(**row._mapping) for row in rows]
