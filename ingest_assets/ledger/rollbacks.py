"""Files whose rows left the table by a rollback wait to be ingested again."""

from collections.abc import Sequence

from sqlalchemy import Connection, text


def requeue(connection: Connection, ingestion: str, batch_ids: Sequence[str]) -> tuple[str, ...]:
    """Files whose rows one of these batches brought are DISCOVERED again; names those batches.

    A file that a later batch brought in again, or that a batch holds now, is left alone. Calling
    again changes nothing.
    """
    rows = connection.execute(
        text("""
            UPDATE ingest.files SET
                status = 'DISCOVERED', attempts = 0, crashes = 0, next_attempt_at = NULL,
                error_type = NULL, error = NULL, committed_content_id = NULL,
                committed_etag = NULL, committed_batch_id = NULL, snapshot_id = NULL,
                rows = NULL, rescued = NULL, rejected = NULL, updated_at = now()
            FROM (SELECT file_id, committed_batch_id AS was FROM ingest.files
                  WHERE ingestion = :ingestion AND batch_id IS NULL
                    AND committed_batch_id = ANY(:batch_ids)
                  ORDER BY key FOR NO KEY UPDATE) AS gone
            WHERE files.file_id = gone.file_id
            RETURNING gone.was
        """),
        {"ingestion": ingestion, "batch_ids": list(batch_ids)},
    )
    return tuple(sorted({row.was for row in rows}))
