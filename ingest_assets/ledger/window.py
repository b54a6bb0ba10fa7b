"""The window of live partitions: which files may leave it, and that they have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, text

from ingest_assets.ledger.states import FileStatus

_ALWAYS_LIVE = (
    FileStatus.PROCESSING,
    FileStatus.FAILED,
    FileStatus.DEAD_LETTER,
    FileStatus.PARKED,
    FileStatus.REJECTED,
)


@dataclass(frozen=True)
class Due:
    """What has to leave the window: how many files beyond its size, and whether any is too old."""

    surplus: int
    has_old: bool

    @property
    def is_nothing(self) -> bool:
        """The window is as it should be."""
        return self.surplus == 0 and not self.has_old


def due(connection: Connection, ingestion: str, *, retain: timedelta, max_live: int) -> Due:
    """Counts the files of the window alone, whatever else the ledger holds.

    Files that are not SUCCESS never leave, and take their places in the window all the same.
    """
    row = connection.execute(
        text("""
            SELECT (SELECT count(*) FROM ingest.files
                    WHERE ingestion = :ingestion AND status = 'SUCCESS' AND retired_at IS NULL)
                   + (SELECT count(*) FROM ingest.files
                      WHERE ingestion = :ingestion AND status = ANY(:others)) AS live,
                   EXISTS (SELECT FROM ingest.files
                           WHERE ingestion = :ingestion AND status = 'SUCCESS'
                             AND retired_at IS NULL
                             AND ingested_at < now() - CAST(:retain AS interval)) AS has_old
        """),
        {"ingestion": ingestion, "retain": retain, "others": list(_ALWAYS_LIVE)},
    ).one()
    return Due(max(row.live - max_live, 0), row.has_old)


def lock_ripe(
    connection: Connection,
    ingestion: str,
    *,
    retain: timedelta,
    surplus: int,
    kept: Sequence[str],
    at_most: int,
) -> dict[str, int]:
    """Key and `file_id` of files that may leave the window, oldest first, locked against planning.

    They are SUCCESS, in no batch, not among `kept`, and were ingested longer ago than `retain`, or
    are among the `surplus` oldest. Rows that somebody else holds are left for another time.
    """
    rows = connection.execute(
        text("""
            SELECT key, file_id, ingested_at < now() - CAST(:retain AS interval) AS is_old
            FROM ingest.files
            WHERE ingestion = :ingestion AND status = 'SUCCESS' AND retired_at IS NULL
              AND batch_id IS NULL AND key <> ALL(:kept)
              AND (:surplus > 0 OR ingested_at < now() - CAST(:retain AS interval))
            ORDER BY ingested_at, key LIMIT :at_most FOR NO KEY UPDATE SKIP LOCKED
        """),
        {
            "ingestion": ingestion,
            "retain": retain,
            "surplus": surplus,
            "kept": list(kept),
            "at_most": at_most,
        },
    ).all()
    return {row.key: row.file_id for place, row in enumerate(rows) if row.is_old or place < surplus}


def retire(connection: Connection, file_ids: Sequence[int]) -> None:
    """The ledger knows that these files' partitions have left the dynamic set.

    They stay SUCCESS, and only a batch that plans them brings their partitions back.
    """
    connection.execute(
        text("UPDATE ingest.files SET retired_at = now() WHERE file_id = ANY(:file_ids)"),
        {"file_ids": list(file_ids)},
    )


def retire_all(connection: Connection, ingestion: str) -> None:
    """No file of the ingestion has a partition among the live ones."""
    connection.execute(
        text("""
            UPDATE ingest.files SET retired_at = now()
            WHERE ingestion = :ingestion AND status = 'SUCCESS' AND retired_at IS NULL
        """),
        {"ingestion": ingestion},
    )


def unfinished_keys(connection: Connection, ingestion: str) -> list[str]:
    """The files that somebody has to look at and that no batch is going to plan by itself."""
    return list(
        connection.execute(
            text("""
                SELECT key FROM ingest.files
                WHERE ingestion = :ingestion AND status IN ('DEAD_LETTER', 'PARKED', 'REJECTED')
                ORDER BY modified_at, key
            """),
            {"ingestion": ingestion},
        ).scalars()
    )
