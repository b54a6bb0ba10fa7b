"""What came into an ingestion's table by the ledger: when last, how much, and in which files."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text


def newest(connection: Connection, ingestion: str) -> tuple[datetime | None, datetime]:
    """When the last file came into the table, None if none did; and what time it is now."""
    row = connection.execute(
        text("""
            SELECT max(last_success_at) AS newest_at, now() AS now
            FROM ingest.batch_totals WHERE ingestion = :ingestion
        """),
        {"ingestion": ingestion},
    ).one()
    return row.newest_at, row.now


def windows(
    connection: Connection, ingestion: str, *, hours: int, earlier: int
) -> Sequence[tuple[int, int]]:
    """Files and rows of the last hours, and of so many windows as long before, newest first.

    Hours are whole ones (UTC); the last window has the hour that goes on besides. Windows that
    ended before the ingestion's first batch are left out.
    """
    rows = connection.execute(
        text("""
            SELECT CAST(coalesce(sum(v.success_files), 0) AS bigint) AS files,
                   CAST(coalesce(sum(v.rows), 0) AS bigint) AS rows
            FROM generate_series(0, :earlier) AS back
            CROSS JOIN LATERAL (
                SELECT date_trunc('hour', now(), 'UTC')
                       - (back + 1) * make_interval(hours => :hours) AS begin) AS w
            CROSS JOIN LATERAL (
                SELECT CASE WHEN back = 0 THEN 'infinity'
                            ELSE w.begin + make_interval(hours => :hours) END AS finish) AS e
            LEFT JOIN ingest.hourly_volume v
                   ON v.ingestion = :ingestion AND v.hour >= w.begin AND v.hour < e.finish
            WHERE back = 0 OR e.finish > (
                SELECT min(hour) FROM ingest.hourly_volume WHERE ingestion = :ingestion)
            GROUP BY back ORDER BY back
        """),
        {"ingestion": ingestion, "hours": hours, "earlier": earlier},
    )
    return [(row.files, row.rows) for row in rows]


def last_files(
    connection: Connection, ingestion: str, route: str, at_most: int
) -> tuple[tuple[int, int], ...]:
    """File id and rows of the files that came into the table last, newest first."""
    rows = connection.execute(
        text("""
            SELECT file_id, coalesce(rows, 0) AS rows FROM ingest.files
            WHERE ingestion = :ingestion AND route = :route AND committed_batch_id IS NOT NULL
              AND ingested_at IS NOT NULL
            ORDER BY ingested_at DESC, file_id DESC LIMIT :at_most
        """),
        {"ingestion": ingestion, "route": route, "at_most": at_most},
    )
    return tuple((row.file_id, row.rows) for row in rows)
