"""Source objects that are gone: noted beside the file, whose state and rows stay as they are."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

GONE_AT_MOST = 10_000
"""Files that one call of `note_absent` notes."""


def note_absent(
    connection: Connection,
    ingestion: str,
    listed: Sequence[str],
    *,
    after: str | None,
    upto: str | None,
    known_before: datetime,
) -> int:
    """Known keys between `after` and `upto`, in byte order, that were not listed are gone.

    How many that were; `GONE_AT_MOST` means that there may be more, and another call goes on. None
    is the beginning, or the end, of the prefix; `upto` itself is in. Files that the ledger has
    learnt of since `known_before`, when the listing began, are not judged. Rows that another
    transaction holds are left for the next listing, so that no two wait for each other.
    """
    gone = connection.execute(
        text(f"""
            UPDATE ingest.files f SET gone_at = now()
            FROM (SELECT file_id FROM ingest.files
                  WHERE ingestion = :ingestion AND gone_at IS NULL AND key > :after
                    {"" if upto is None else "AND key <= :upto"}
                    AND key <> ALL(CAST(:listed AS text[])) AND seen_at < :known_before
                  LIMIT :at_most FOR NO KEY UPDATE SKIP LOCKED) AS absent
            WHERE f.file_id = absent.file_id
        """),
        {
            "ingestion": ingestion,
            "listed": list(listed),
            "after": after or "",
            "upto": upto,
            "known_before": known_before,
            "at_most": GONE_AT_MOST,
        },
    )
    return gone.rowcount


def note_gone(
    connection: Connection, ingestion: str, keys: Sequence[str], looked_at: datetime
) -> frozenset[str]:
    """The objects of these keys are gone, as a look found that began then, on Postgres's clock.

    Files that the ledger has found there since are left as they are: their keys.
    """
    overtaken = connection.execute(
        text("""
            WITH present AS (
                SELECT file_id, key, seen_at FROM ingest.files
                WHERE ingestion = :ingestion AND key = ANY(:keys) AND gone_at IS NULL
                ORDER BY key FOR NO KEY UPDATE
            ), noted AS (
                UPDATE ingest.files f SET gone_at = now() FROM present
                WHERE f.file_id = present.file_id AND present.seen_at <= :looked_at
            )
            SELECT key FROM present WHERE seen_at > :looked_at
        """),
        {"ingestion": ingestion, "keys": list(keys), "looked_at": looked_at},
    )
    return frozenset(overtaken.scalars())


def note_back(
    connection: Connection,
    ingestion: str,
    keys: Sequence[str],
    looked_at: datetime | None = None,
) -> None:
    """The objects of these keys are there; all their rows are locked, in key order.

    They were seen by a look that began at `looked_at`, or just now. What was found gone since then
    stays so.
    """
    connection.execute(
        text("""
            UPDATE ingest.files f
            SET gone_at = NULL,
                seen_at = greatest(f.seen_at, coalesce(CAST(:looked_at AS timestamptz), now()))
            FROM (SELECT file_id, gone_at FROM ingest.files
                  WHERE ingestion = :ingestion AND key = ANY(:keys)
                  ORDER BY key FOR NO KEY UPDATE) AS present
            WHERE f.file_id = present.file_id
              AND present.gone_at <= coalesce(CAST(:looked_at AS timestamptz), now())
        """),
        {"ingestion": ingestion, "keys": list(keys), "looked_at": looked_at},
    )


def take_back(connection: Connection, ingestion: str, since: datetime) -> None:
    """No file is called gone since the listing that began then: its order proved nothing."""
    connection.execute(
        text("""
            UPDATE ingest.files f SET gone_at = NULL
            FROM (SELECT file_id FROM ingest.files
                  WHERE ingestion = :ingestion AND gone_at >= :since
                  ORDER BY key FOR NO KEY UPDATE) AS claimed
            WHERE f.file_id = claimed.file_id
        """),
        {"ingestion": ingestion, "since": since},
    )
