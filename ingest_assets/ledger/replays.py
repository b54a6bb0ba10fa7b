"""Replays: files that are to be read again, chosen by what the ledger knows of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.ledger import audit
from ingest_assets.ledger.pattern import LEFT_OUT
from ingest_assets.ledger.states import FileStatus

REPLAYABLE = (
    FileStatus.FAILED,
    FileStatus.DEAD_LETTER,
    FileStatus.PARKED,
    FileStatus.REJECTED,
    FileStatus.SKIPPED,
    FileStatus.SUCCESS,
)
"""What may be read again; DISCOVERED files wait already, PROCESSING ones are held by a batch."""
ACTION = "replay"
_TAKEN_AWAY = """
    (committed_content_id = content_id AND source_content_id = content_id
     AND source_state IN ('deleted', 'gone') AND gone_at IS NOT NULL)
"""
"""The rows of a file are in its table, and its bytes are nowhere, by what `after_success` found."""


@dataclass(frozen=True)
class Candidate:
    """A file that the ledger's part of a choice fits.

    `is_held`: a batch has it. `is_left_out`: `source.pattern` leaves it out. `is_taken_away`: its
    rows are in its table, and `source.after_success` deleted its object or found it gone.
    """

    file_id: int
    key: str
    status: FileStatus
    size_bytes: int
    is_held: bool
    is_left_out: bool
    is_taken_away: bool


def candidates(
    connection: Connection,
    ingestion: str,
    *,
    statuses: Sequence[FileStatus],
    error_type: str | None,
    error: str | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
    has_rejected_rows: bool,
) -> Iterator[Candidate]:
    """The files of these states that fit all that is given, in key order.

    `error` is a part of the file's error; the ages count from the file's last change of state.
    `has_rejected_rows`: the content of it that is in the table has some.
    """
    rows = connection.execute(
        text(f"""
            SELECT file_id, key, status, size_bytes, batch_id IS NOT NULL AS is_held,
                   status = 'SKIPPED' AND error_type IS NOT DISTINCT FROM :pattern AS is_left_out,
                   coalesce({_TAKEN_AWAY}, false) AS is_taken_away
            FROM ingest.files
            WHERE ingestion = :ingestion AND status = ANY(:statuses)
              AND (CAST(:error_type AS text) IS NULL OR error_type = :error_type)
              AND (CAST(:error AS text) IS NULL OR position(CAST(:error AS text) IN error) > 0)
              AND coalesce(updated_at < now() - CAST(:older AS interval), true)
              AND coalesce(updated_at >= now() - CAST(:newer AS interval), true)
              AND (NOT :rejected OR (committed_content_id IS NOT NULL AND rejected > 0))
            ORDER BY key
        """),
        {
            "ingestion": ingestion,
            "statuses": list(statuses),
            "error_type": error_type,
            "error": error,
            "older": older_than,
            "newer": newer_than,
            "rejected": has_rejected_rows,
            "pattern": LEFT_OUT,
        },
        execution_options={"yield_per": 10_000},
    )
    for row in rows:
        yield Candidate(**{**row._mapping, "status": FileStatus(row.status)})


def send_back(
    connection: Connection,
    ingestion: str,
    file_ids: Sequence[int],
    statuses: Sequence[FileStatus],
    *,
    actor: str,
    detail: dict[str, Any],
) -> int:
    """Those of the files that are still of these states and free are DISCOVERED; how many.

    They have all their attempts, and their content is wanted whatever `on_changed_file` says. What
    they brought into the table stays until a batch has read them again; those whose bytes are gone
    stay as they are. The audit has who asked for it, with `detail`, unless there was none.
    """
    replayed = connection.execute(
        text(f"""
            UPDATE ingest.files SET
                status = 'DISCOVERED', attempts = 0, crashes = 0, next_attempt_at = NULL,
                error_type = NULL, error = NULL, updated_at = now(),
                asked_content_id = content_id
            FROM (SELECT file_id FROM ingest.files
                  WHERE file_id = ANY(:file_ids) AND batch_id IS NULL AND status = ANY(:statuses)
                    AND {_TAKEN_AWAY} IS NOT TRUE
                  ORDER BY key FOR NO KEY UPDATE) AS free
            WHERE files.file_id = free.file_id
        """),
        {"file_ids": list(file_ids), "statuses": list(statuses)},
    ).rowcount
    if replayed:
        audit.note(connection, ingestion, actor, ACTION, {**detail, "files": replayed})
    return replayed
