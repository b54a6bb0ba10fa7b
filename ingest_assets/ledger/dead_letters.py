"""Dead-letter copies: which files are to be copied, what is told with them, and what became of it.

A copy is taken before it is made and not tried by anybody else for `TAKEN`; who makes it holds it
for as long as that takes. So a process that dies over it costs that time and no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.files.source_file import SourceFile

TAKEN = timedelta(minutes=15)
RENEWAL = timedelta(minutes=5)
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
_ATTEMPTS_TOLD = 100


@dataclass(frozen=True)
class DeadLetter:
    """A file as a batch dead-lettered it, and its attempts with that content, oldest first.

    An attempt is a mapping of batch_id, run_id, started_at, finished_at, outcome, error_type and
    error.
    """

    file_id: int
    source: SourceFile
    batch_id: str
    run_id: str | None
    error_type: str | None
    error: str | None
    traceback: str | None
    attempts: tuple[dict[str, Any], ...]


def note(connection: Connection, batch_id: str) -> None:
    """The files that this batch, just finished, has dead-lettered wait to be copied."""
    connection.execute(
        text("""
            INSERT INTO ingest.dead_letter_copies
                (file_id, ingestion, batch_id, content_id, state)
            SELECT f.file_id, f.ingestion, a.batch_id, a.content_id, 'WAITING'
            FROM ingest.attempts a JOIN ingest.files f USING (file_id)
            WHERE a.batch_id = :batch_id AND a.outcome = 'DEAD_LETTER'
              AND f.status = 'DEAD_LETTER'
            ON CONFLICT (file_id) DO UPDATE SET
                batch_id = excluded.batch_id, content_id = excluded.content_id, state = 'WAITING',
                tries = 0, next_try_at = now(), error = NULL, created_at = now()
        """),
        {"batch_id": batch_id},
    )


def take(connection: Connection, ingestion: str, at_most: int) -> list[DeadLetter]:
    """The dead letters that are due, which nobody else takes for `TAKEN`."""
    rows = connection.execute(
        text("""
            WITH due AS (
                SELECT file_id FROM ingest.dead_letter_copies
                WHERE ingestion = :ingestion AND state = 'WAITING' AND next_try_at <= now()
                ORDER BY next_try_at, file_id LIMIT :at_most FOR UPDATE SKIP LOCKED
            ), taken AS (
                UPDATE ingest.dead_letter_copies d SET next_try_at = now() + :taken
                FROM due WHERE d.file_id = due.file_id RETURNING d.*
            )
            SELECT f.file_id, f.key, f.uri, c.size_bytes, c.etag, c.modified_at, taken.batch_id,
                   b.run_id, a.error_type, a.error, a.traceback, tried.attempts
            FROM taken
            JOIN ingest.files f USING (file_id)
            JOIN ingest.contents c ON c.content_id = taken.content_id
            JOIN ingest.batches b ON b.batch_id = taken.batch_id
            JOIN ingest.attempts a ON a.batch_id = taken.batch_id AND a.file_id = taken.file_id
            CROSS JOIN LATERAL (
                SELECT jsonb_agg(jsonb_build_object(
                    'batch_id', t.batch_id, 'run_id', t.run_id, 'started_at', t.started_at,
                    'finished_at', t.finished_at, 'outcome', t.outcome,
                    'error_type', t.error_type, 'error', t.error) ORDER BY t.started_at) AS attempts
                FROM (SELECT t.*, tb.run_id
                      FROM ingest.attempts t JOIN ingest.batches tb USING (batch_id)
                      WHERE t.file_id = taken.file_id AND t.content_id = taken.content_id
                      ORDER BY t.started_at DESC LIMIT :told) AS t) AS tried
            ORDER BY f.key
        """),
        {"ingestion": ingestion, "at_most": at_most, "taken": TAKEN, "told": _ATTEMPTS_TOLD},
    )
    return [_dead_letter(row) for row in rows]


def hold(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """The dead letters, taken and not done, are taken for `TAKEN` from now on."""
    connection.execute(
        text("""
            UPDATE ingest.dead_letter_copies d SET next_try_at = now() + :taken
            FROM unnest(CAST(:file_ids AS bigint[]), CAST(:batch_ids AS text[]))
                 AS l(file_id, batch_id)
            WHERE d.file_id = l.file_id AND d.batch_id = l.batch_id AND d.state = 'WAITING'
        """),
        {
            "taken": TAKEN,
            "file_ids": [letter.file_id for letter in letters],
            "batch_ids": [letter.batch_id for letter in letters],
        },
    )


def _dead_letter(row: Any) -> DeadLetter:
    source = SourceFile(row.key, row.uri, row.size_bytes, row.etag, row.modified_at)
    return DeadLetter(
        row.file_id,
        source,
        row.batch_id,
        row.run_id,
        row.error_type,
        row.error,
        row.traceback,
        tuple(row.attempts),
    )


def mark_done(
    connection: Connection, letter: DeadLetter, *, copy_uri: str | None, report_uri: str
) -> None:
    """The report lies there, and the copy if there is one; no other try is made.

    Unless the file was dead-lettered anew meanwhile.
    """
    connection.execute(
        text("""
            UPDATE ingest.dead_letter_copies SET
                state = CASE WHEN CAST(:copy_uri AS text) IS NULL THEN 'REPORTED' ELSE 'COPIED' END,
                copy_uri = :copy_uri, report_uri = :report_uri, tries = tries + 1, error = NULL,
                copied_at = now()
            WHERE file_id = :file_id AND batch_id = :batch_id
        """),
        {
            "file_id": letter.file_id,
            "batch_id": letter.batch_id,
            "copy_uri": copy_uri,
            "report_uri": report_uri,
        },
    )


def mark_failed(connection: Connection, letter: DeadLetter, error: str) -> datetime | None:
    """The copy is tried again after 1, 2, 4 … minutes, then every hour; when that is.

    None if the file was dead-lettered anew meanwhile, and is due for that.
    """
    return connection.execute(
        text("""
            UPDATE ingest.dead_letter_copies SET
                tries = tries + 1, error = :error,
                next_try_at = now() + least(:first * power(2, least(tries, 20)), :longest)
            WHERE file_id = :file_id AND batch_id = :batch_id RETURNING next_try_at
        """),
        {
            "file_id": letter.file_id,
            "batch_id": letter.batch_id,
            "error": error,
            "first": FIRST_WAIT,
            "longest": LONGEST_WAIT,
        },
    ).scalar()


def give_back(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """The dead letters, taken and not tried, are due at once; there may be none."""
    connection.execute(
        text("""
            UPDATE ingest.dead_letter_copies SET next_try_at = now()
            WHERE file_id = ANY(:file_ids) AND state = 'WAITING'
        """),
        {"file_ids": [letter.file_id for letter in letters]},
    )


def note_folder(connection: Connection, folder: str) -> bool:
    """Dead letters are copied into the folder, an address that ends with `/`; True if it is new."""
    noted = connection.execute(
        text("""
            INSERT INTO ingest.dead_letter_folders (folder) VALUES (:folder)
            ON CONFLICT DO NOTHING RETURNING folder
        """),
        {"folder": folder},
    )
    return noted.first() is not None


def forget_folder(connection: Connection, folder: str) -> None:
    """No dead letter was ever copied into the folder: what is there may be files of a source."""
    connection.execute(
        text("DELETE FROM ingest.dead_letter_folders WHERE folder = :folder"), {"folder": folder}
    )


def folders_in(connection: Connection, address: str) -> list[str]:
    """The folders below the address that dead letters of any ingestion were ever copied to."""
    found = text("""
        SELECT folder FROM ingest.dead_letter_folders
        WHERE starts_with(folder, :address) AND folder <> :address
    """)
    return list(connection.execute(found, {"address": address}).scalars())
