"""Files that wait because they changed follow the declared mode, also when the mode changes.

The ledger keeps the mode that listings and batches go by (`ingestions.on_changed_file`). What a
listing finds is judged as it is recorded (`listing`), what came while a batch was at work when the
batch ends (`judged_files`), and what was planned when it is claimed. A batch keeps the mode that it
was claimed under.
"""

from sqlalchemy import Connection, text

from ingest_assets.declaration.source import OnChangedFile
from ingest_assets.ledger import audit

REFUSED = "FileChangedError"
"""The `error_type` of a file whose new content the mode `fail` has refused."""


def follow(connection: Connection, ingestion: str, mode: OnChangedFile) -> None:
    """The ledger goes by `mode`; if it went by another one, so does every change that waits.

    Under `ignore` a file with rows in the table whose new content waits unread is SUCCESS, unless a
    person asked for that content. Under any other mode a content that was ignored waits to be read,
    and, but for `fail`, one that was refused. What has been tried and failed or is parked goes on
    as it began.
    """
    values = {"ingestion": ingestion, "mode": mode}
    if not connection.execute(_IS_NEW, values).scalar():
        return
    connection.execute(_LOCK_WAITING, values)
    changed = connection.execute(
        text("""
            UPDATE ingest.ingestions SET on_changed_file = :mode
            WHERE name = :ingestion AND on_changed_file <> :mode RETURNING name
        """),
        values,
    ).first()
    if changed is None:
        return
    is_ignored = mode == "ignore"
    moved = connection.execute(
        text(f"""
            UPDATE ingest.files f SET
                status = :status, attempts = 0, crashes = 0, next_attempt_at = NULL,
                error_type = NULL, error = NULL, updated_at = now()
            FROM (SELECT file_id FROM ingest.files
                  WHERE ingestion = :ingestion AND batch_id IS NULL
                    AND content_id <> committed_content_id AND also_in = '{{}}'
                    AND {_UNREAD if is_ignored else _LEFT_OUT}
                  ORDER BY key FOR NO KEY UPDATE) AS waiting
            WHERE f.file_id = waiting.file_id
        """),
        {
            "ingestion": ingestion,
            "status": "SUCCESS" if is_ignored else "DISCOVERED",
            "refused": None if mode == "fail" else REFUSED,
        },
    ).rowcount
    detail = {"mode": mode, "files": moved}
    audit.note(connection, ingestion, "declaration", "source.on_changed_file", detail)


def leave_unread(connection: Connection, batch_id: str) -> int:
    """Files of the batch that `ignore` leaves unread are SUCCESS and free; how many these were.

    They have rows in the table, and another content that nobody asked for: the mode was another one
    when the batch was planned, or the file waited with its earlier content when the new one came.
    """
    return connection.execute(_LEAVE_UNREAD, {"batch_id": batch_id, "refused": REFUSED}).rowcount


_LEAVE_UNREAD = text("""
    UPDATE ingest.files f SET
        status = 'SUCCESS', batch_id = NULL, attempts = 0, crashes = 0, next_attempt_at = NULL,
        error_type = NULL, error = NULL, updated_at = now()
    WHERE batch_id = :batch_id AND content_id <> committed_content_id AND also_in = '{}'
      AND asked_content_id IS DISTINCT FROM content_id
      AND NOT EXISTS (
          SELECT FROM ingest.attempts a
          WHERE a.file_id = f.file_id AND a.content_id = f.content_id
            AND a.finished_at IS NOT NULL AND a.outcome IN ('FAILED', 'DEAD_LETTER', 'PARKED')
            AND a.error_type IS DISTINCT FROM :refused)
""")
_IS_NEW = text("""
    SELECT on_changed_file <> :mode FROM ingest.ingestions WHERE name = :ingestion
""")
# Files before the ingestion, as everywhere, so that no two transactions wait in a ring.
_LOCK_WAITING = text("""
    SELECT count(*) FROM (
        SELECT 1 FROM ingest.files
        WHERE ingestion = :ingestion AND batch_id IS NULL AND content_id <> committed_content_id
        ORDER BY key FOR NO KEY UPDATE) AS waiting
""")
_UNREAD = "status = 'DISCOVERED' AND asked_content_id IS DISTINCT FROM content_id"
_LEFT_OUT = "(status = 'SUCCESS' OR (status = 'DEAD_LETTER' AND error_type = :refused))"
