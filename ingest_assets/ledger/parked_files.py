"""What becomes of the files that waited for a decision about their schema."""

import uuid

from sqlalchemy import Connection, text

REJECTION = """
    concat('Schema version ', v.version, ' was rejected, and nothing of the file was written; ',
           '`ingest-assets schema show ', v.ingestion, ' ', v.version, '` has the differences. ',
           'Uploaded again under its key, it is judged anew. Rejected by ', v.resolved_by,
           coalesce(': ' || nullif(v.note, ''), '.'))
"""
"""The error of a REJECTED file as SQL, `v` being the row of the version that was rejected."""


def send_on(
    connection: Connection,
    ingestion: str,
    version: int | None,
    *,
    new_route: str | None,
    judges_all: bool,
) -> None:
    """The files parked under `version` wait to be read again.

    `new_route` is the table that they go into from now on, None where it stays. A file of which an
    earlier upload is in the table is read there once more: so its rows leave it. `judges_all`: the
    files that are parked under other versions are read again too, because the columns are others.
    """
    connection.execute(
        text("""
            UPDATE ingest.files SET
                status = 'DISCOVERED', attempts = 0, error_type = NULL, error = NULL,
                route = CASE WHEN parked.is_its AND committed_content_id IS NULL
                             THEN coalesce(:new_route, route) ELSE route END,
                crashes = 0, next_attempt_at = NULL, updated_at = now()
            FROM (SELECT file_id, schema_version IS NOT DISTINCT FROM :version AS is_its
                  FROM ingest.files
                  WHERE ingestion = :ingestion AND status = 'PARKED'
                    AND (:judges_all OR schema_version = :version)
                  ORDER BY key FOR NO KEY UPDATE) AS parked
            WHERE files.file_id = parked.file_id AND files.status = 'PARKED'
        """),
        {
            "ingestion": ingestion,
            "version": version,
            "new_route": new_route,
            "judges_all": judges_all,
        },
    )


def reject(connection: Connection, ingestion: str, version: int) -> None:
    """The files parked under `version`, which is resolved, are REJECTED."""
    connection.execute(
        text(f"""
            UPDATE ingest.files SET
                status = 'REJECTED', error = parked.rejection,
                crashes = 0, next_attempt_at = NULL, updated_at = now()
            FROM (SELECT f.file_id, {REJECTION} AS rejection
                  FROM ingest.files f
                  JOIN ingest.schema_versions v
                    ON v.ingestion = f.ingestion AND v.version = f.schema_version
                  WHERE f.ingestion = :ingestion AND f.status = 'PARKED'
                    AND f.schema_version = :version
                  ORDER BY f.key FOR NO KEY UPDATE OF f) AS parked
            WHERE files.file_id = parked.file_id AND files.status = 'PARKED'
        """),
        {"ingestion": ingestion, "version": version},
    )
    _let_rejection_be_told(connection, ingestion, version)


def _let_rejection_be_told(connection: Connection, ingestion: str, version: int) -> None:
    """The REJECTED files of the version are a batch of their own that Dagster has to be told of.

    Else their partitions would go on saying that the files wait. Each attempt has the differences
    that the file was parked for.
    """
    batch_id = uuid.uuid4().hex
    of_version = {"batch_id": batch_id, "ingestion": ingestion, "version": version}
    connection.execute(
        text("""
            INSERT INTO ingest.batches
                (batch_id, ingestion, status, origin, finished_at, alerted_at, note)
            SELECT :batch_id, :ingestion, 'COMMITTED', 'person', now(), now(), 'a rejection'
            WHERE EXISTS (SELECT FROM ingest.files WHERE ingestion = :ingestion
                          AND status = 'REJECTED' AND schema_version = :version)
        """),
        of_version,
    )
    connection.execute(
        text("""
            INSERT INTO ingest.attempts
                (batch_id, file_id, content_id, position, outcome, error_type, error,
                 schema_version, detail, finished_at)
            SELECT :batch_id, f.file_id, f.content_id, row_number() OVER (ORDER BY f.key) - 1,
                   'REJECTED', f.error_type, f.error, f.schema_version, parked.detail, now()
            FROM ingest.files f
            LEFT JOIN LATERAL (
                SELECT a.detail FROM ingest.attempts a
                WHERE a.file_id = f.file_id AND a.schema_version = f.schema_version
                  AND a.content_id = f.content_id AND a.outcome = 'PARKED'
                ORDER BY a.finished_at DESC LIMIT 1) AS parked ON true
            WHERE f.ingestion = :ingestion AND f.status = 'REJECTED' AND f.schema_version = :version
        """),
        of_version,
    )
