"""Which contents of a file have rows, and in which table: one, or several under `append`."""

from collections.abc import Sequence

from sqlalchemy import Connection, text


def note_committed(connection: Connection, batch_id: str) -> None:
    """Each content that a finished batch wrote is its; those that left its table have no batch.

    Rows of a content that are in another table besides (see `also_in` in `ledger.tables`) are not
    noted here: they will leave. Where a batch brings a content back, the others stay as they were.
    """
    connection.execute(_COMMITTED, {"batch_id": batch_id})


_COMMITTED = text("""
    WITH theirs AS (
        SELECT c.content_id, a.batch_id,
               a.outcome = 'SUCCESS' AND c.content_id = a.content_id AS is_written
        FROM ingest.attempts a
        JOIN ingest.batches b USING (batch_id)
        JOIN ingest.contents r ON r.content_id = a.content_id
        JOIN ingest.contents c ON c.file_id = a.file_id
        LEFT JOIN ingest.batches w ON w.batch_id = c.committed_batch_id
        WHERE a.batch_id = :batch_id AND a.outcome IN ('SUCCESS', 'ROUTED')
          AND coalesce(w.route = b.route, true)
          AND (c.content_id = a.content_id
               OR (b.on_changed_file IS DISTINCT FROM 'append' AND r.lost_at IS NULL))
    )
    UPDATE ingest.contents c SET
        committed_batch_id = CASE WHEN t.is_written THEN t.batch_id END, lost_at = NULL
    FROM theirs t
    WHERE c.content_id = t.content_id
      AND (t.is_written OR c.committed_batch_id IS NOT NULL OR c.lost_at IS NOT NULL)
""")


def note_rolled_back(
    connection: Connection, ingestion: str, batch_ids: Sequence[str]
) -> tuple[str, ...]:
    """Contents whose rows left a table with these batches are theirs no more.

    A content whose rows an older batch brought too is that one's again, however old. The keys of
    those are given that are lost: their rows are in no table, and the object has other content by
    now, so that nothing can read them again. The newest content is noted as lost too, until it is
    read again: it may be overwritten before. Contents of a file that a batch holds wait. Calling
    again changes nothing.
    """
    rows = connection.execute(_ROLLED_BACK, {"ingestion": ingestion, "batch_ids": list(batch_ids)})
    return tuple(sorted(row.key for row in rows if row.is_lost))


_ROLLED_BACK = text("""
    WITH gone AS (
        SELECT c.content_id, f.key, f.content_id = c.content_id AS is_current, (
            SELECT ob.batch_id FROM (
                SELECT batch_id, file_id, content_id, outcome FROM ingest.attempts
                UNION ALL
                SELECT batch_id, file_id, content_id, outcome FROM ingest.attempts_archive
            ) AS o JOIN ingest.batches ob USING (batch_id)
            WHERE o.file_id = c.file_id AND o.content_id = c.content_id AND o.outcome = 'SUCCESS'
              AND ob.status = 'COMMITTED' AND ob.batch_id <> ALL(:batch_ids)
              AND ob.on_changed_file = 'append' AND ob.route = b.route
            ORDER BY ob.finished_at DESC LIMIT 1) AS older
        FROM ingest.attempts a
        JOIN ingest.batches b USING (batch_id)
        JOIN ingest.files f USING (file_id)
        JOIN ingest.contents c ON c.content_id = a.content_id
        WHERE a.batch_id = ANY(:batch_ids) AND c.committed_batch_id = a.batch_id
          AND f.ingestion = :ingestion AND f.batch_id IS NULL
        ORDER BY f.key FOR NO KEY UPDATE OF f
    )
    UPDATE ingest.contents c SET
        committed_batch_id = gone.older,
        lost_at = CASE WHEN gone.older IS NULL THEN now() END
    FROM gone WHERE c.content_id = gone.content_id
    RETURNING gone.key, c.lost_at IS NOT NULL AND NOT gone.is_current AS is_lost
""")


def unwritten(connection: Connection, file_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The contents of these files that may have rows in some table, and are to have none, by file.

    Those of which a batch that died between its two commits may have left rejected rows; and, where
    a rollback has taken the newest, all whose rows it may have brought back. Lost contents are not
    among them.
    """
    return _contents(
        connection,
        file_ids,
        f"lost_at IS NULL AND (f.committed_content_id IS NULL OR EXISTS ({_LEFT}))",
    )


_LEFT = """
    SELECT FROM (SELECT batch_id, file_id, content_id FROM ingest.attempts
                 UNION ALL SELECT batch_id, file_id, content_id FROM ingest.attempts_archive) AS a
    JOIN ingest.batches b USING (batch_id)
    WHERE (a.file_id, a.content_id) = (c.file_id, c.content_id)
      AND b.prepared_at IS NOT NULL AND b.status <> 'COMMITTED'
"""


def lost(connection: Connection, file_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The contents of these files that a rollback took out of their table, by file.

    Whoever rolls the table forward has their rows again.
    """
    return _contents(connection, file_ids, "lost_at IS NOT NULL")


def _contents(
    connection: Connection, file_ids: Sequence[int], which: str
) -> dict[int, tuple[int, ...]]:
    rows = connection.execute(
        text(f"""
            SELECT c.file_id, array_agg(c.content_id) AS content_ids
            FROM ingest.contents c JOIN ingest.files f USING (file_id)
            WHERE c.file_id = ANY(:file_ids) AND c.committed_batch_id IS NULL AND {which}
            GROUP BY c.file_id
        """),
        {"file_ids": list(file_ids)},
    )
    return {row.file_id: tuple(row.content_ids) for row in rows}


def beside_kept(connection: Connection, file_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The contents of these files whose rows leave, by file; empty if files leave as a whole.

    Under other modes than `append` all contents of a file leave, but not where a batch brings the
    content back that a rollback took: those that `append` had kept beside it stay.
    """
    rows = connection.execute(
        text("""
            WITH them AS (
                SELECT f.file_id, f.content_id, r.lost_at IS NOT NULL AND EXISTS (
                    SELECT FROM ingest.contents k
                    WHERE k.file_id = f.file_id AND k.committed_batch_id IS NOT NULL) AS comes_back
                FROM ingest.files f JOIN ingest.contents r ON r.content_id = f.content_id
                WHERE f.file_id = ANY(:file_ids)
            )
            SELECT c.file_id, array_agg(c.content_id) AS content_ids
            FROM them JOIN ingest.contents c USING (file_id)
            WHERE EXISTS (SELECT FROM them WHERE comes_back)
              AND (NOT them.comes_back OR c.content_id = them.content_id
                   OR (c.committed_batch_id IS NULL AND c.lost_at IS NULL))
            GROUP BY c.file_id
        """),
        {"file_ids": list(file_ids)},
    )
    return {row.file_id: tuple(row.content_ids) for row in rows}


def elsewhere(
    connection: Connection, file_ids: Sequence[int], route: str
) -> dict[int, tuple[int, ...]]:
    """The contents of these files whose rows belong to another table than `route`, by file."""
    rows = connection.execute(
        text("""
            SELECT c.file_id, array_agg(c.content_id) AS content_ids
            FROM ingest.contents c JOIN ingest.batches w ON w.batch_id = c.committed_batch_id
            WHERE c.file_id = ANY(:file_ids) AND w.route <> :route GROUP BY c.file_id
        """),
        {"file_ids": list(file_ids), "route": route},
    )
    return {row.file_id: tuple(row.content_ids) for row in rows}
