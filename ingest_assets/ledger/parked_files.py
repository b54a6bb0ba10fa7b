"""What becomes of the files that waited for a decision about their schema."""

from sqlalchemy import Connection, text


def send_on(
    connection: Connection,
    ingestion: str,
    version: int | None,
    rejection: str | None,
    *,
    new_route: str | None,
    judges_all: bool,
) -> None:
    """The files parked under `version` are REJECTED with a reason, or else wait to be read again.

    `new_route` is the table that they go into from now on, None where it stays. A file of which an
    earlier upload is in the table is read there once more: so its rows leave it. `judges_all`: the
    files that are parked under other versions are read again too, because the columns are others.
    """
    connection.execute(
        text("""
            UPDATE ingest.files SET
                status = CASE WHEN :is_rejected THEN 'REJECTED' ELSE 'DISCOVERED' END,
                attempts = CASE WHEN :is_rejected THEN attempts ELSE 0 END,
                error_type = CASE WHEN :is_rejected THEN error_type END,
                error = CASE WHEN :is_rejected THEN error || ' ' || :rejection END,
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
            "is_rejected": rejection is not None,
            "rejection": rejection or "",
            "new_route": new_route,
            "judges_all": judges_all,
        },
    )
