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
    came_back = _let_go_again(connection, ingestion, batch_ids)
    return tuple(sorted({row.was for row in rows}.union(came_back)))


def _let_go_again(
    connection: Connection, ingestion: str, batch_ids: Sequence[str]
) -> Sequence[str]:
    """Rows that one of the batches had let go to another table leave the rolled back one again.

    Each such batch is looked at once: its attempt says so. That of a held file waits.
    """
    return (
        connection.execute(
            text("""
                WITH back AS (
                    SELECT f.file_id, a.batch_id, b.route
                    FROM ingest.attempts a
                    JOIN ingest.batches b USING (batch_id) JOIN ingest.files f USING (file_id)
                    WHERE f.ingestion = :ingestion AND a.batch_id = ANY(:batch_ids)
                      AND a.outcome = 'ROUTED' AND NOT a.detail ? 'rolled_back'
                      AND f.batch_id IS NULL
                    ORDER BY f.key FOR NO KEY UPDATE OF f
                ), looked_at AS (
                    UPDATE ingest.attempts a SET detail = a.detail || '{"rolled_back": true}'
                    FROM back WHERE a.batch_id = back.batch_id AND a.file_id = back.file_id
                ), again AS (
                    UPDATE ingest.files f SET
                        status = 'DISCOVERED', attempts = 0, crashes = 0, next_attempt_at = NULL,
                        error_type = NULL, error = NULL, updated_at = now(),
                        also_in = ARRAY(
                            SELECT DISTINCT name FROM (
                                SELECT unnest(f.also_in)
                                UNION ALL
                                SELECT back.route FROM back WHERE back.file_id = f.file_id
                            ) AS all_tables(name) WHERE name <> f.route)
                    WHERE f.file_id IN (SELECT file_id FROM back)
                )
                SELECT DISTINCT batch_id FROM back
            """),
            {"ingestion": ingestion, "batch_ids": list(batch_ids)},
        )
        .scalars()
        .all()
    )
