"""Files that wait, as the declaration's pattern wants them or leaves them out.

The pattern that they were all looked through with last stands in the audit: a person changed it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.ledger import audit

LEFT_OUT = "source.pattern"
"""The `error_type` of a SKIPPED file that the pattern leaves out, and the audit's action."""


def is_applied(connection: Connection, ingestion: str, pattern: str) -> bool:
    """All waiting files were looked through with this pattern, and with none since."""
    last = text("""
        SELECT detail->>'pattern' FROM ingest.audit
        WHERE ingestion = :ingestion AND action = :reason ORDER BY at DESC, audit_id DESC LIMIT 1
    """)
    found = connection.execute(last, {"ingestion": ingestion, "reason": LEFT_OUT}).scalar()
    return bool(found == pattern)


def note_applied(connection: Connection, ingestion: str, pattern: str) -> None:
    """All waiting files were looked through with this pattern."""
    audit.note(connection, ingestion, "declaration", LEFT_OUT, {"pattern": pattern})


def waiting_files(
    connection: Connection, ingestion: str, *, after: str, limit: int
) -> Sequence[Any]:
    """Rows (key, is_skipped) of files that wait, or that a pattern left out, by key.

    Not of a file that waits with a newer upload only: its rows are in the table.
    """
    waiting = text("""
        SELECT key, status = 'SKIPPED' AS is_skipped
        FROM ingest.files
        WHERE ingestion = :ingestion AND key > :after AND committed_content_id IS NULL AND (
            status IN ('DISCOVERED', 'PROCESSING', 'FAILED', 'DEAD_LETTER', 'PARKED')
            OR (status = 'SKIPPED' AND error_type = :reason))
        ORDER BY key LIMIT :limit
    """)
    values = {"ingestion": ingestion, "after": after, "limit": limit, "reason": LEFT_OUT}
    return connection.execute(waiting, values).all()


def leave_out(connection: Connection, ingestion: str, keys: Sequence[str], why: str) -> list[str]:
    """Those of the files that wait, and that no batch holds, are SKIPPED; the keys of these."""
    skipped = text("""
        UPDATE ingest.files SET status = 'SKIPPED', error = :why, error_type = :reason,
            next_attempt_at = NULL, updated_at = now()
        FROM (SELECT file_id FROM ingest.files
              WHERE ingestion = :ingestion AND key = ANY(:keys)
                AND batch_id IS NULL AND status <> 'SUCCESS' AND committed_content_id IS NULL
              ORDER BY key FOR NO KEY UPDATE) AS free
        WHERE files.file_id = free.file_id RETURNING files.key
    """)
    values = {"ingestion": ingestion, "keys": list(keys), "why": why, "reason": LEFT_OUT}
    return list(connection.execute(skipped, values).scalars())


def take_back(connection: Connection, ingestion: str, keys: Sequence[str]) -> None:
    """Those of the files that a pattern had left out are DISCOVERED, with all their attempts."""
    back = text("""
        UPDATE ingest.files SET status = 'DISCOVERED', error = NULL, error_type = NULL,
            attempts = 0, crashes = 0, updated_at = now()
        WHERE ingestion = :ingestion AND key = ANY(:keys)
          AND status = 'SKIPPED' AND error_type = :reason
    """)
    connection.execute(back, {"ingestion": ingestion, "keys": list(keys), "reason": LEFT_OUT})
