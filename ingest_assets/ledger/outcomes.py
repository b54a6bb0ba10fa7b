"""What a batch did with its files: recorded before the commit, made true after it."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection, text

from ingest_assets.ledger import decisions, schema_versions
from ingest_assets.ledger.decisions import SchemaDecision
from ingest_assets.ledger.row_locks import lock_files_of
from ingest_assets.ledger.schema_versions import SchemaChange

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


def has_rejected_rows(connection: Connection, batch_id: str) -> bool:
    """Outcomes are recorded for the batch, and a file of it has rejected rows."""
    found = connection.execute(
        text("SELECT 1 FROM ingest.attempts WHERE batch_id = :batch_id AND rejected > 0 LIMIT 1"),
        {"batch_id": batch_id},
    ).first()
    return found is not None


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
    _number(connection, batch_id, versions)
    connection.execute(
        _APPLY_OUTCOMES,
        {
            "batch_id": batch_id,
            "snapshot_id": snapshot_id,
            "backoff": [wait.total_seconds() for wait in backoff],
        },
    )
    schema_versions.mark_written(connection, batch.ingestion, batch_id)
    return True


def _number(connection: Connection, batch_id: str, versions: Sequence[int]) -> None:
    """Each attempt has the number of the version that it brought or met."""
    connection.execute(
        text("""
            UPDATE ingest.attempts SET
                finished_at = now(),
                schema_version = coalesce(
                    CAST(CAST(:versions AS jsonb)->>change_index AS int), schema_version)
            WHERE batch_id = :batch_id
        """),
        {"batch_id": batch_id, "versions": json.dumps(versions)},
    )


_APPLY_OUTCOMES = text("""
    WITH judged AS (
        SELECT a.*, f.content_id <> a.content_id AS is_overtaken,
               now() + make_interval(secs => (CAST(:backoff AS float8[]))[
                   least(f.attempts + 1, cardinality(CAST(:backoff AS float8[])))]) AS retry_at,
               c.etag AS read_etag,
               a.outcome = 'ROUTED' AS is_routed,
               a.outcome = 'PARKED' AND coalesce(v.status NOT IN ('PENDING', 'REJECTED'), false)
                   AS is_settled,
               a.outcome = 'PARKED' AND v.status = 'REJECTED' AS is_rejected
        FROM ingest.attempts a
        JOIN ingest.files f USING (file_id)
        JOIN ingest.contents c ON c.content_id = a.content_id
        LEFT JOIN ingest.schema_versions v
               ON v.ingestion = f.ingestion AND v.version = a.schema_version
        WHERE a.batch_id = :batch_id
    )
    UPDATE ingest.files f SET
        status = CASE WHEN j.is_overtaken OR j.is_settled OR j.is_routed THEN 'DISCOVERED'
                      WHEN j.is_rejected THEN 'REJECTED' ELSE j.outcome END,
        attempts = CASE WHEN j.is_overtaken OR j.is_settled OR j.is_routed THEN 0
                        ELSE f.attempts + 1 END,
        route = CASE WHEN j.is_routed THEN j.detail->>'route' ELSE f.route END,
        next_attempt_at = CASE WHEN NOT j.is_overtaken AND j.outcome = 'FAILED'
                               THEN j.retry_at END,
        error_type = CASE WHEN NOT (j.is_overtaken OR j.is_settled) THEN j.error_type END,
        error = CASE WHEN NOT (j.is_overtaken OR j.is_settled) THEN j.error END,
        crashes = 0, batch_id = NULL, updated_at = now(),
        schema_version = CASE WHEN j.outcome IN ('SUCCESS', 'PARKED')
                              THEN j.schema_version ELSE f.schema_version END,
        committed_content_id = CASE WHEN j.is_routed THEN NULL WHEN j.outcome = 'SUCCESS'
                                    THEN j.content_id ELSE f.committed_content_id END,
        committed_etag = CASE WHEN j.is_routed THEN NULL WHEN j.outcome = 'SUCCESS'
                              THEN j.read_etag ELSE f.committed_etag END,
        committed_batch_id = CASE WHEN j.is_routed THEN NULL WHEN j.outcome = 'SUCCESS'
                                  THEN j.batch_id ELSE f.committed_batch_id END,
        rows = CASE WHEN j.is_routed THEN NULL WHEN j.outcome = 'SUCCESS'
                    THEN j.rows ELSE f.rows END,
        rescued = CASE WHEN j.is_routed THEN NULL WHEN j.outcome = 'SUCCESS'
                       THEN j.rescued ELSE f.rescued END,
        rejected = CASE WHEN j.outcome = 'SUCCESS' OR f.committed_content_id IS NULL
                        THEN j.rejected ELSE f.rejected END,
        snapshot_id = CASE WHEN j.is_routed THEN NULL WHEN j.outcome = 'SUCCESS'
                           THEN CAST(:snapshot_id AS bigint) ELSE f.snapshot_id END,
        ingested_at = CASE WHEN j.outcome = 'SUCCESS' THEN now() ELSE f.ingested_at END
    FROM judged j WHERE f.file_id = j.file_id
""")


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
