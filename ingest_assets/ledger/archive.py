"""The ledger's retention: attempts of long ago that no work reads any more, kept for people.

What stays among `attempts`, however old: the newest attempt of each file, that of its committed
batch and those of all its contents that have rows, which say what is in the table; that which a
dead-letter copy still to be made tells of; and those that parked a file or sent it to another
table, which tell of schema versions and rollbacks. Batches stay where they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from ingest_assets.ledger.batch_tables import attempts_archive

_COLUMNS = ", ".join(attempts_archive.columns.keys())

# A batch is looked at once. An attempt that stays then moves with the file's next batch, when that
# is as old: the attempts of all its files are looked at, not its own alone.
_ARCHIVE = text(f"""
    WITH due AS (
        SELECT batch_id FROM ingest.batches
        WHERE ingestion = :ingestion AND archived_at IS NULL
          AND finished_at < now() - CAST(:retain AS interval)
          AND (status = 'RELEASED' OR (status = 'COMMITTED' AND reported_at IS NOT NULL))
        ORDER BY finished_at LIMIT :at_most FOR NO KEY UPDATE SKIP LOCKED
    ), old AS (
        SELECT a.batch_id, a.file_id
        FROM ingest.attempts a
        JOIN ingest.batches b USING (batch_id)
        JOIN ingest.files f USING (file_id)
        WHERE a.file_id IN (SELECT file_id FROM ingest.attempts WHERE batch_id IN (TABLE due))
          AND (b.batch_id IN (TABLE due) OR b.archived_at IS NOT NULL)
          AND b.status IN ('RELEASED', 'COMMITTED')
          AND a.outcome IS DISTINCT FROM 'PARKED' AND a.outcome IS DISTINCT FROM 'ROUTED'
          AND a.batch_id IS DISTINCT FROM f.committed_batch_id
          AND NOT EXISTS (SELECT FROM ingest.contents c WHERE c.content_id = a.content_id
                          AND c.committed_batch_id = a.batch_id)
          AND NOT EXISTS (SELECT FROM ingest.dead_letter_copies d WHERE d.file_id = a.file_id
                          AND d.batch_id = a.batch_id AND d.state = 'WAITING')
          AND EXISTS (SELECT FROM ingest.attempts newer WHERE newer.file_id = a.file_id
                      AND (newer.started_at, newer.batch_id) > (a.started_at, a.batch_id))
    ), moved AS (
        DELETE FROM ingest.attempts a USING old
        WHERE a.batch_id = old.batch_id AND a.file_id = old.file_id RETURNING a.*
    ), kept AS (
        INSERT INTO ingest.attempts_archive ({_COLUMNS}) SELECT {_COLUMNS} FROM moved
    ), looked_at AS (
        UPDATE ingest.batches SET archived_at = now() WHERE batch_id IN (TABLE due)
    )
    SELECT (SELECT count(*) FROM due) AS batches, (SELECT count(*) FROM moved) AS attempts
""")


def archive_attempts(
    connection: Connection, ingestion: str, *, retain: timedelta, at_most: int
) -> tuple[int, int]:
    """How many finished batches were looked at, `at_most` of them, and how many attempts moved.

    They are the oldest that finished longer ago than `retain` and that Dagster knows of. One
    statement: an attempt is always in exactly one of the two tables.
    """
    values = {"ingestion": ingestion, "retain": retain, "at_most": at_most}
    row = connection.execute(_ARCHIVE, values).one()
    return row.batches, row.attempts


def bring_back(connection: Connection, batch_id: str) -> None:
    """The batch's attempts are where work reads them, because it is to be finished after all."""
    connection.execute(
        text(f"""
            WITH back AS (
                DELETE FROM ingest.attempts_archive WHERE batch_id = :batch_id RETURNING *
            )
            INSERT INTO ingest.attempts ({_COLUMNS}) SELECT {_COLUMNS} FROM back
        """),
        {"batch_id": batch_id},
    )


@dataclass(frozen=True)
class Attempt:
    """What one batch did with a file, for people. `etag` is the content that it was to read.

    `outcome` is None for a batch that has none yet, or that was given up.
    """

    started_at: datetime
    finished_at: datetime | None
    batch_id: str
    batch_status: str
    run_id: str | None
    etag: str
    outcome: str | None
    error_type: str | None
    error: str | None
    rows: int | None
    rejected: int | None
    seconds: float | None
    snapshot_id: int | None
    note: str | None
    is_archived: bool


def attempts_of(connection: Connection, ingestion: str, keys: Sequence[str]) -> list[Attempt]:
    """All attempts on the files with these keys, archived ones included, oldest first."""
    rows = connection.execute(
        text(f"""
            SELECT a.started_at, coalesce(a.finished_at, b.finished_at) AS finished_at,
                   a.batch_id, b.status AS batch_status, b.run_id, c.etag, a.outcome,
                   a.error_type, a.error, a.rows, a.rejected, a.seconds, b.snapshot_id, b.note,
                   a.is_archived
            FROM (
                SELECT {_COLUMNS}, false AS is_archived FROM ingest.attempts
                UNION ALL
                SELECT {_COLUMNS}, true FROM ingest.attempts_archive
            ) AS a
            JOIN ingest.files f USING (file_id)
            JOIN ingest.batches b ON b.batch_id = a.batch_id
            JOIN ingest.contents c ON c.content_id = a.content_id
            WHERE f.ingestion = :ingestion AND f.key = ANY(:keys)
            ORDER BY a.started_at, a.batch_id
        """),
        {"ingestion": ingestion, "keys": list(keys)},
    )
    return [Attempt(**row._mapping) for row in rows]
