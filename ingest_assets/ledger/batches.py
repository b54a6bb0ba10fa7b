"""Batches: files set aside for one run, and claimed by the worker that runs it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text

from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger.leases import LEASE, Holder
from ingest_assets.ledger.row_locks import lock_files_of

Origin = Literal["sensor", "schedule", "command", "person"]

CRASHES_BEFORE_ALONE = 2
"""A file that was in so many batches whose worker died is planned in a batch of its own."""


@dataclass(frozen=True)
class PlannedBatch:
    """Files that wait for a run: their keys in the order in which they will be judged."""

    batch_id: str
    keys: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True)
class ClaimedFile:
    """One file of a claimed batch, at the content that is to be read."""

    file_id: int
    content_id: int
    source: SourceFile
    committed_content_id: int | None
    crashes: int


@dataclass(frozen=True)
class ClaimedBatch:
    """A PREPARED batch and the token of its holder."""

    batch_id: str
    ingestion: str
    token: str
    files: tuple[ClaimedFile, ...]


def plan(
    connection: Connection, ingestion: str, *, max_files: int, max_bytes: int, origin: Origin
) -> PlannedBatch | None:
    """The next files in the order `(modified_at, key)` belong to a new PLANNED batch.

    Takes DISCOVERED files and FAILED ones whose backoff has passed, as many as `max_files` and
    `max_bytes` (compressed) allow but at least one; None when there is none. Rows that another
    planner holds are passed over, so two planners never take one file.
    """
    rows = connection.execute(
        text("""
            SELECT file_id, content_id, key, size_bytes, crashes FROM ingest.files
            WHERE ingestion = :ingestion AND batch_id IS NULL
              AND status IN ('DISCOVERED', 'FAILED')
              AND (next_attempt_at IS NULL OR next_attempt_at <= now())
            ORDER BY modified_at, key LIMIT :max_files
            FOR NO KEY UPDATE SKIP LOCKED
        """),
        {"ingestion": ingestion, "max_files": max_files},
    ).all()
    taken, left_bytes = list[Any](), max_bytes
    for row in rows:
        is_alone = row.crashes >= CRASHES_BEFORE_ALONE
        left_bytes -= row.size_bytes
        if taken and (is_alone or left_bytes < 0):
            break
        taken.append(row)
        if is_alone:
            break
    if not taken:
        return None
    return _insert(connection, ingestion, origin, taken)


def _insert(
    connection: Connection, ingestion: str, origin: Origin, rows: Sequence[Any]
) -> PlannedBatch:
    """A new PLANNED batch of these rows (file_id, content_id, key), which now belong to it."""
    batch_id = uuid.uuid4().hex
    insert = text("""
        INSERT INTO ingest.batches (batch_id, ingestion, status, origin)
        VALUES (:batch_id, :ingestion, 'PLANNED', :origin) RETURNING created_at
    """)
    batch = {"batch_id": batch_id, "ingestion": ingestion, "origin": origin}
    created_at = connection.execute(insert, batch).scalar_one()
    files = {"batch_id": batch_id, "file_ids": [row.file_id for row in rows]}
    connection.execute(
        text("""
            INSERT INTO ingest.attempts (batch_id, file_id, content_id, position)
            SELECT :batch_id, f.file_id, f.content_id, f.position
            FROM unnest(CAST(:file_ids AS bigint[]), CAST(:content_ids AS bigint[]))
                 WITH ORDINALITY AS f(file_id, content_id, position)
        """),
        {**files, "content_ids": [row.content_id for row in rows]},
    )
    connection.execute(
        text("""
            UPDATE ingest.files SET batch_id = :batch_id, updated_at = now()
            WHERE file_id = ANY(:file_ids)
        """),
        files,
    )
    return PlannedBatch(batch_id, tuple(row.key for row in rows), created_at)


def _arrival(row: Any) -> tuple[datetime, bytes]:
    return row.modified_at, row.key.encode()


def planned(connection: Connection, ingestion: str) -> list[PlannedBatch]:
    """Every PLANNED batch of the ingestion, oldest first."""
    rows = connection.execute(
        text("""
            SELECT b.batch_id, b.created_at, array_agg(f.key ORDER BY a.position) AS keys
            FROM ingest.batches b
            JOIN ingest.attempts a USING (batch_id) JOIN ingest.files f USING (file_id)
            WHERE b.ingestion = :ingestion AND b.status = 'PLANNED'
            GROUP BY b.batch_id, b.created_at ORDER BY b.created_at, b.batch_id
        """),
        {"ingestion": ingestion},
    )
    return [PlannedBatch(row.batch_id, tuple(row.keys), row.created_at) for row in rows]


def planned_keys(connection: Connection, batch_id: str) -> tuple[str, ...] | None:
    """The keys of a PLANNED batch in its order; None when it is not PLANNED any more."""
    keys = connection.execute(
        text("""
            SELECT array_agg(f.key ORDER BY a.position)
            FROM ingest.batches b
            JOIN ingest.attempts a USING (batch_id) JOIN ingest.files f USING (file_id)
            WHERE b.batch_id = :batch_id AND b.status = 'PLANNED'
        """),
        {"batch_id": batch_id},
    ).scalar()
    return None if keys is None else tuple(keys)


def is_any_prepared(connection: Connection, ingestion: str) -> bool:
    """Some worker holds, or held, a batch of the ingestion that is not done."""
    prepared = text("""
        SELECT 1 FROM ingest.batches WHERE ingestion = :ingestion AND status = 'PREPARED' LIMIT 1
    """)
    return connection.execute(prepared, {"ingestion": ingestion}).first() is not None


def free_planned(connection: Connection, batch_id: str, note: str) -> bool:
    """A batch that never started gives its files back unread; False when it is not PLANNED."""
    freed = connection.execute(
        text("""
            UPDATE ingest.batches SET status = 'RELEASED', finished_at = now(), note = :note
            WHERE batch_id = :batch_id AND status = 'PLANNED' RETURNING batch_id
        """),
        {"batch_id": batch_id, "note": note},
    ).first()
    if freed is None:
        return False
    lock_files_of(connection, batch_id)
    free = text("UPDATE ingest.files SET batch_id = NULL WHERE batch_id = :batch_id")
    connection.execute(free, {"batch_id": batch_id})
    return True


def claim(
    connection: Connection, batch_id: str, holder: Holder, run_id: str | None
) -> ClaimedBatch | None:
    """A PLANNED batch is PREPARED, its files PROCESSING, each at its newest content.

    A file that a person asked for in its final state has all its attempts before it again. None
    when the batch is not PLANNED any more: it was freed, or another worker has it.
    """
    ingestion = connection.execute(
        text("""
            UPDATE ingest.batches
            SET status = 'PREPARED', holder = CAST(:holder AS jsonb), run_id = :run_id,
                prepared_at = now(), lease_expires_at = now() + CAST(:lease AS interval)
            WHERE batch_id = :batch_id AND status = 'PLANNED' RETURNING ingestion
        """),
        {"batch_id": batch_id, "holder": holder.as_json(), "run_id": run_id, "lease": LEASE},
    ).scalar()
    if ingestion is None:
        return None
    lock_files_of(connection, batch_id)
    rows = connection.execute(
        text("""
            WITH current AS (
                UPDATE ingest.attempts a SET content_id = f.content_id, started_at = now()
                FROM ingest.files f
                WHERE a.batch_id = :batch_id AND f.file_id = a.file_id
                RETURNING a.file_id, a.position
            )
            UPDATE ingest.files f SET
                status = 'PROCESSING', updated_at = now(),
                attempts = CASE WHEN f.status IN ('DISCOVERED', 'FAILED') THEN f.attempts ELSE 0 END
            FROM current WHERE f.file_id = current.file_id
            RETURNING f.*, current.position
        """),
        {"batch_id": batch_id},
    ).all()
    files = tuple(
        ClaimedFile(
            file_id=row.file_id,
            content_id=row.content_id,
            source=SourceFile(row.key, row.uri, row.size_bytes, row.etag, row.modified_at),
            committed_content_id=row.committed_content_id,
            crashes=row.crashes,
        )
        for row in sorted(rows, key=_arrival)
    )
    return ClaimedBatch(batch_id, ingestion, holder.token, files)


@dataclass(frozen=True)
class Asked:
    """What became of keys that a person asked for: a planned batch, and the keys left out."""

    batch: PlannedBatch | None
    held: tuple[str, ...]
    unknown: tuple[str, ...]


def plan_keys(connection: Connection, ingestion: str, keys: Sequence[str]) -> Asked:
    """The asked-for files, whatever their state, belong to a new PLANNED batch.

    Files that another batch holds, and keys that the ledger does not know, are named and left out.
    """
    rows = connection.execute(
        text("""
            SELECT file_id, content_id, key, batch_id, modified_at FROM ingest.files
            WHERE ingestion = :ingestion AND key = ANY(:keys)
            ORDER BY key FOR NO KEY UPDATE
        """),
        {"ingestion": ingestion, "keys": list(keys)},
    ).all()
    free = sorted((row for row in rows if row.batch_id is None), key=_arrival)
    held = tuple(row.key for row in rows if row.batch_id is not None)
    unknown = tuple(sorted(set(keys) - {row.key for row in rows}))
    if not free:
        return Asked(None, held, unknown)
    return Asked(_insert(connection, ingestion, "person", free), held, unknown)
