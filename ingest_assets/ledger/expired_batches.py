"""Batches whose snapshots are to be expired: which may not, and where those stood that were."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, text


def needed(
    connection: Connection, in_main: Collection[str], abandoned: Collection[str]
) -> frozenset[str]:
    """Those of the batches whose snapshots the ledger has still to see in their table.

    In `main`: all that recovery has not brought to their end. Of those that a rollback took out of
    it: also the ones that some file still has as its own, because it could not be sent round again
    yet. A batch that the ledger does not know is nobody's.
    """
    rows = connection.execute(_NEEDED, {"in_main": list(in_main), "abandoned": list(abandoned)})
    return frozenset(rows.scalars())


_NEEDED = text("""
    SELECT batch_id FROM ingest.batches
    WHERE batch_id = ANY(:in_main) AND status <> 'COMMITTED'
    UNION
    SELECT batch_id FROM ingest.batches b
    WHERE batch_id = ANY(:abandoned) AND (
        status IN ('PLANNED', 'PREPARED')
        OR EXISTS (SELECT FROM ingest.attempts a JOIN ingest.files f USING (file_id)
                   WHERE a.batch_id = b.batch_id AND f.committed_batch_id = b.batch_id)
        OR EXISTS (SELECT FROM ingest.attempts a JOIN ingest.contents c USING (content_id)
                   WHERE a.batch_id = b.batch_id AND c.committed_batch_id = b.batch_id)
        OR EXISTS (SELECT FROM ingest.attempts a
                   WHERE a.batch_id = b.batch_id AND a.outcome = 'ROUTED'
                     AND NOT a.detail ? 'rolled_back')
        OR EXISTS (SELECT FROM ingest.attempts_archive a JOIN ingest.files f USING (file_id)
                   WHERE a.batch_id = b.batch_id AND f.committed_batch_id = b.batch_id))
""")


def unsettled_since(connection: Connection, ingestion: str) -> datetime | None:
    """When the oldest batch was planned that a worker holds, dead or alive; None if none does."""
    oldest: datetime | None = connection.execute(
        text("""
            SELECT min(created_at) FROM ingest.batches
            WHERE ingestion = :ingestion AND status = 'PREPARED'
        """),
        {"ingestion": ingestion},
    ).scalar()
    return oldest


def open_batches(connection: Connection) -> Sequence[str]:
    """Every batch of any ingestion that may still commit data files that it has written."""
    found = text("SELECT batch_id FROM ingest.batches WHERE status IN ('PLANNED', 'PREPARED')")
    return connection.execute(found).scalars().all()


def note(connection: Connection, table_uuid: str, positions: Mapping[str, int]) -> None:
    """Where the batches stand in the history of the table: their snapshots are about to go."""
    connection.execute(
        text("""
            UPDATE ingest.batches b SET expired_from = :table_uuid, expired_position = e.position
            FROM unnest(CAST(:batch_ids AS text[]), CAST(:positions AS bigint[]))
                AS e(batch_id, position)
            WHERE b.batch_id = e.batch_id
        """),
        {
            "table_uuid": table_uuid,
            "batch_ids": list(positions),
            "positions": list(positions.values()),
        },
    )


def later_than(connection: Connection, table_uuid: str, position: int) -> Sequence[str]:
    """The batches with expired snapshots that stood later than the table's history begins now.

    What expires is the oldest of `main` without a gap, so there are none as long as nobody rolls
    the table back to a snapshot from before the expired ones; later commits change nothing of it.
    """
    found = connection.execute(
        text("""
            SELECT batch_id FROM ingest.batches
            WHERE expired_from = :table_uuid AND expired_position > :position
            ORDER BY expired_position
        """),
        {"table_uuid": table_uuid, "position": position},
    )
    return found.scalars().all()
