"""Batches that wait for their run, and batches claimed by the worker that runs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.declaration.source import OnChangedFile
from ingest_assets.files.finished_object import FinishedObject
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger import changed_files, kept_contents
from ingest_assets.ledger.leases import LEASE, Holder
from ingest_assets.ledger.planning import SETTLED, PlannedBatch, arrival
from ingest_assets.ledger.row_locks import lock_files_of
from ingest_assets.ledger.source_objects import finished_object


@dataclass(frozen=True)
class ClaimedFile:
    """One file of a claimed batch, at the content that is to be read.

    `moves_to`: the batch is not to read it but to let its rows go, because they belong into that
    table (`route` as in `ledger.tables`). `finished`: what `source.after_success` did with its
    object. `elsewhere`: its contents that have rows in other tables than the batch's, asked for
    such a file alone. `unwritten`: its contents that are to have no rows in any table, and
    `lost`: those that a rollback took, both asked for under `append` alone. `leaving`: under the
    other modes, the contents whose rows leave; empty where whole files do. `is_refused`: changed
    files are not to be read, and nobody asked for this content.
    """

    file_id: int
    content_id: int
    source: SourceFile
    committed_content_id: int | None
    attempts: int
    crashes: int
    moves_to: str | None = None
    finished: FinishedObject | None = None
    elsewhere: tuple[int, ...] = ()
    unwritten: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    leaving: tuple[int, ...] = ()
    is_refused: bool = False


@dataclass(frozen=True)
class ClaimedBatch:
    """A PREPARED batch, the token of its holder, and its table (`route` as in `ledger.tables`).

    `on_changed_file` is the mode that the batch goes by to its end.
    """

    batch_id: str
    ingestion: str
    token: str
    files: tuple[ClaimedFile, ...]
    route: str = ""
    on_changed_file: OnChangedFile = "replace"


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
    return _give_back(connection, batch_id, "PLANNED", note)


def _give_back(connection: Connection, batch_id: str, status: str, note: str) -> bool:
    """The batch is RELEASED, its files are free as they are; False if it has another status."""
    freed = connection.execute(
        text("""
            UPDATE ingest.batches SET status = 'RELEASED', finished_at = now(), note = :note
            WHERE batch_id = :batch_id AND status = :status RETURNING batch_id
        """),
        {"batch_id": batch_id, "status": status, "note": note},
    ).first()
    if freed is None:
        return False
    lock_files_of(connection, batch_id)
    free = text("UPDATE ingest.files SET batch_id = NULL WHERE batch_id = :batch_id")
    connection.execute(free, {"batch_id": batch_id})
    return True


def free_unsettled(connection: Connection, batch_id: str, settle: timedelta) -> bool:
    """A PLANNED batch with a file that changed since, and is not `settle` old, is given back.

    True if it was: its files are planned anew, each when it is old enough. A batch that a person
    asked for does not wait.
    """
    unsettled = connection.execute(
        text(f"""
            SELECT 1 FROM ingest.batches b JOIN ingest.files f USING (batch_id)
            WHERE b.batch_id = :batch_id AND b.origin <> 'person' AND NOT ({SETTLED}) LIMIT 1
        """),
        {"batch_id": batch_id, "settle": settle},
    ).first()
    note = "a file of it changed and has to settle"
    return unsettled is not None and free_planned(connection, batch_id, note)


def claim(
    connection: Connection, batch_id: str, holder: Holder, run_id: str | None
) -> ClaimedBatch | None:
    """A PLANNED batch is PREPARED, its files PROCESSING, each at its newest content.

    A file that a person asked for in its final state has all its attempts before it again, and its
    content is wanted in every mode from then on. None when the batch is not PLANNED any more: it
    was freed, or another worker has it. None, too, when a file of it is not to be read because
    changes are ignored: the others are free and are planned anew.
    """
    batch = connection.execute(
        text("""
            UPDATE ingest.batches b
            SET status = 'PREPARED', holder = CAST(:holder AS jsonb), run_id = :run_id,
                prepared_at = now(), lease_expires_at = now() + CAST(:lease AS interval),
                on_changed_file = i.on_changed_file
            FROM ingest.ingestions i
            WHERE b.batch_id = :batch_id AND b.status = 'PLANNED' AND i.name = b.ingestion
            RETURNING b.batch_id, b.ingestion, b.route, b.on_changed_file, b.origin
        """),
        {"batch_id": batch_id, "holder": holder.as_json(), "run_id": run_id, "lease": LEASE},
    ).first()
    if batch is None:
        return None
    lock_files_of(connection, batch_id)
    if _gave_back_ignored(connection, batch):
        return None
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
                asked_content_id = CASE WHEN :is_asked THEN f.content_id ELSE asked_content_id END,
                attempts = CASE WHEN f.status IN ('DISCOVERED', 'FAILED') THEN f.attempts ELSE 0 END
            FROM current WHERE f.file_id = current.file_id
            RETURNING f.*, current.position
        """),
        {"batch_id": batch_id, "is_asked": batch.origin == "person"},
    ).all()
    files = _claimed_files(connection, batch, sorted(rows, key=arrival))
    mode = batch.on_changed_file
    return ClaimedBatch(batch_id, batch.ingestion, holder.token, files, batch.route, mode)


def _gave_back_ignored(connection: Connection, batch: Any) -> bool:
    """True if changed files of the claimed batch stay unread, and it was given back for that."""
    if batch.on_changed_file != "ignore" or batch.origin == "person":
        return False
    left = changed_files.leave_unread(connection, batch.batch_id)
    note = f"source.on_changed_file is ignore: {left} changed files of it stay unread"
    return left > 0 and _give_back(connection, batch.batch_id, "PREPARED", note)


def _claimed_files(
    connection: Connection, batch: Any, rows: Sequence[Any]
) -> tuple[ClaimedFile, ...]:
    moving = [row.file_id for row in rows if batch.route in row.also_in]
    elsewhere = kept_contents.elsewhere(connection, moving, batch.route) if moving else {}
    file_ids, is_kept = [row.file_id for row in rows], batch.on_changed_file == "append"
    unwritten = kept_contents.unwritten(connection, file_ids) if is_kept else {}
    lost = kept_contents.lost(connection, file_ids) if is_kept else {}
    leaving = {} if is_kept else kept_contents.beside_kept(connection, file_ids)
    return tuple(
        ClaimedFile(
            file_id=row.file_id,
            content_id=row.content_id,
            source=SourceFile(row.key, row.uri, row.size_bytes, row.etag, row.modified_at),
            committed_content_id=row.committed_content_id,
            attempts=row.attempts,
            crashes=row.crashes,
            moves_to=row.route if batch.route in row.also_in else None,
            finished=finished_object(row),
            elsewhere=elsewhere.get(row.file_id, ()),
            unwritten=unwritten.get(row.file_id, ()),
            lost=lost.get(row.file_id, ()),
            leaving=leaving.get(row.file_id, ()),
            is_refused=batch.on_changed_file == "fail"
            and row.committed_content_id not in (None, row.content_id)
            and row.asked_content_id != row.content_id,
        )
        for row in rows
    )
