"""Batches that wait for their run, and batches claimed by the worker that runs them."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger.leases import LEASE, Holder
from ingest_assets.ledger.planning import PlannedBatch, arrival
from ingest_assets.ledger.row_locks import lock_files_of


@dataclass(frozen=True)
class ClaimedFile:
    """One file of a claimed batch, at the content that is to be read.

    `moves_to`: the batch is not to read it but to let its rows go, because they belong into that
    table (`route` as in `ledger.tables`).
    """

    file_id: int
    content_id: int
    source: SourceFile
    committed_content_id: int | None
    attempts: int
    crashes: int
    moves_to: str | None = None


@dataclass(frozen=True)
class ClaimedBatch:
    """A PREPARED batch, the token of its holder, and its table (`route` as in `ledger.tables`)."""

    batch_id: str
    ingestion: str
    token: str
    files: tuple[ClaimedFile, ...]
    route: str = ""


def planned(connection: Connection, ingestion: str) -> list[PlannedBatch]:
    """Every PLANNED batch of the ingestion, oldest first."""
    rows = connection.execute(
        text("""
            SELECT b.batch_id, b.created_at, b.run_id, b.route,
                   array_agg(f.key ORDER BY a.position) AS keys
            FROM ingest.batches b
            JOIN ingest.attempts a USING (batch_id) JOIN ingest.files f USING (file_id)
            WHERE b.ingestion = :ingestion AND b.status = 'PLANNED'
            GROUP BY b.batch_id ORDER BY b.created_at, b.batch_id
        """),
        {"ingestion": ingestion},
    )
    return [
        PlannedBatch(row.batch_id, tuple(row.keys), row.created_at, row.run_id, row.route)
        for row in rows
    ]


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


def route_of(connection: Connection, batch_id: str) -> str:
    """The table that the batch is for; empty for the declared one."""
    route = text("SELECT route FROM ingest.batches WHERE batch_id = :batch_id")
    return str(connection.execute(route, {"batch_id": batch_id}).scalar_one())


def is_any_open(connection: Connection, ingestion: str) -> bool:
    """Some batch of the ingestion waits for its run, or is held by a worker, dead or alive."""
    is_open = text("""
        SELECT 1 FROM ingest.batches
        WHERE ingestion = :ingestion AND status IN ('PLANNED', 'PREPARED') LIMIT 1
    """)
    return connection.execute(is_open, {"ingestion": ingestion}).first() is not None


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
    batch = connection.execute(
        text("""
            UPDATE ingest.batches
            SET status = 'PREPARED', holder = CAST(:holder AS jsonb), run_id = :run_id,
                prepared_at = now(), lease_expires_at = now() + CAST(:lease AS interval)
            WHERE batch_id = :batch_id AND status = 'PLANNED' RETURNING ingestion, route
        """),
        {"batch_id": batch_id, "holder": holder.as_json(), "run_id": run_id, "lease": LEASE},
    ).first()
    if batch is None:
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
            attempts=row.attempts,
            crashes=row.crashes,
            moves_to=row.route if batch.route in row.also_in else None,
        )
        for row in sorted(rows, key=arrival)
    )
    return ClaimedBatch(batch_id, batch.ingestion, holder.token, files, batch.route)
