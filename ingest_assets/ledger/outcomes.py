"""What a batch did with its files: recorded before the commit, made true after it."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection, text

from ingest_assets.ledger import (
    dead_letters,
    decisions,
    judged_files,
    kept_contents,
    schema_versions,
    source_shapes,
    volume,
)
from ingest_assets.ledger.decisions import SchemaDecision
from ingest_assets.ledger.row_locks import lock_files_of
from ingest_assets.ledger.schema_versions import SchemaChange
from ingest_assets.ledger.source_shapes import SourceShape

Outcome = Literal["SUCCESS", "FAILED", "DEAD_LETTER", "PARKED", "ROUTED"]


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file in a batch, and what its partition's metadata shows.

    `change_index` points into the batch's schema changes when the file brought or met one of them;
    otherwise `schema_version` is the version that it was read with. ROUTED: the file belongs into
    the table `detail["route"]`, where a later batch reads it; rows that it had here are gone.
    """

    file_id: int
    outcome: Outcome
    error_type: str | None = None
    error: str | None = None
    traceback: str | None = None
    rows: int = 0
    rescued: int = 0
    rejected: int = 0
    bytes: int = 0
    seconds: float = 0.0
    change_index: int | None = None
    schema_version: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def record(
    connection: Connection,
    batch_id: str,
    outcomes: Sequence[FileOutcome],
    changes: Sequence[SchemaChange],
    source: SourceShape | None = None,
) -> None:
    """The outcomes and schema changes stand beside the PREPARED batch, so that recovery can finish.

    Nothing is true of the files yet. A second call replaces what the first one recorded.
    """
    connection.execute(
        text("""
            UPDATE ingest.attempts a SET
                outcome = o.outcome, error_type = o.error_type, error = o.error,
                traceback = o.traceback, rows = o.rows, rescued = o.rescued,
                rejected = o.rejected, bytes = o.bytes, seconds = o.seconds,
                change_index = o.change_index, schema_version = o.schema_version,
                detail = o.detail
            FROM jsonb_to_recordset(CAST(:outcomes AS jsonb)) AS o(
                file_id bigint, outcome text, error_type text, error text, traceback text,
                rows bigint, rescued bigint, rejected bigint, bytes bigint, seconds float8,
                change_index int, schema_version int, detail jsonb)
            WHERE a.batch_id = :batch_id AND a.file_id = o.file_id
        """),
        {
            "batch_id": batch_id,
            "outcomes": _json([asdict(outcome) for outcome in outcomes]),
        },
    )
    connection.execute(
        text("""
            UPDATE ingest.batches SET schema_changes = CAST(:changes AS jsonb)
            WHERE batch_id = :batch_id
        """),
        {"batch_id": batch_id, "changes": _json([asdict(change) for change in changes])},
    )
    if source is not None:
        source_shapes.note(connection, batch_id, source)


def _json(value: object) -> str:
    """JSON that Postgres takes, whatever a file's content brought into a message."""
    return json.dumps(_storable(value), default=str, allow_nan=False)


def _storable(value: Any) -> Any:
    """What jsonb cannot hold is shown: a NUL as its symbol, half a character and NaN in words."""
    match value:
        case str():
            return value.replace("\0", "\u2400").encode(errors="backslashreplace").decode()
        case dict():
            return {_storable(str(name)): _storable(part) for name, part in value.items()}
        case list() | tuple():
            return [_storable(part) for part in value]
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value


def rejecting_contents(connection: Connection, batch_id: str) -> list[int]:
    """The contents that have rejected rows, by the outcomes that are recorded for the batch."""
    found = connection.execute(
        text("SELECT content_id FROM ingest.attempts WHERE batch_id = :batch_id AND rejected > 0"),
        {"batch_id": batch_id},
    )
    return [row.content_id for row in found]


def finish(
    connection: Connection,
    batch_id: str,
    token: str,
    *,
    snapshot_id: int | None,
    backoff: Sequence[timedelta],
) -> bool:
    """The batch is COMMITTED, and every file is what its recorded outcome says.

    A file that has new content by now goes back to DISCOVERED. False, and nothing changed, when
    the batch is not PREPARED or not the holder's.
    """
    batch = connection.execute(
        text("""
            UPDATE ingest.batches
            SET status = 'COMMITTED', snapshot_id = :snapshot_id, finished_at = now()
            WHERE batch_id = :batch_id AND status = 'PREPARED' AND holder->>'token' = :token
            RETURNING ingestion, schema_changes, decision
        """),
        {"batch_id": batch_id, "token": token, "snapshot_id": snapshot_id},
    ).first()
    if batch is None:
        return False
    if batch.decision is not None:
        decided = SchemaDecision(**batch.decision)
        decisions.apply(connection, batch.ingestion, decided, batch_id)
    lock_files_of(connection, batch_id)
    changes = [SchemaChange(**change) for change in batch.schema_changes or []]
    versions = schema_versions.apply(connection, batch.ingestion, batch_id, changes)
    source_shapes.apply(connection, batch_id)
    judged_files.number(connection, batch_id, versions)
    judged_files.apply(connection, batch_id, snapshot_id, backoff)
    dead_letters.note(connection, batch_id)
    kept_contents.note_committed(connection, batch_id)
    schema_versions.mark_written(connection, batch.ingestion, batch_id)
    volume.add(connection, batch_id)
    return True


def release(connection: Connection, batch_id: str, token: str, *, note: str, crashed: bool) -> bool:
    """The batch is RELEASED and its files are DISCOVERED again; nothing of it is in the table.

    `crashed` counts a crash for each of its files, unless its holder gave it up knowingly and left
    a note. False when the batch is not the holder's.
    """
    released = connection.execute(
        text("""
            UPDATE ingest.batches
            SET status = 'RELEASED', finished_at = now(), note = coalesce(note, :note)
            WHERE batch_id = :batch_id AND status = 'PREPARED' AND holder->>'token' = :token
            RETURNING note
        """),
        {"batch_id": batch_id, "token": token, "note": note},
    ).first()
    if released is None:
        return False
    lock_files_of(connection, batch_id)
    connection.execute(
        text("""
            UPDATE ingest.files SET
                status = 'DISCOVERED', batch_id = NULL, updated_at = now(),
                crashes = crashes + CAST(:crashed AS int)
            WHERE batch_id = :batch_id
        """),
        {"batch_id": batch_id, "crashed": crashed and released.note == note},
    )
    return True
