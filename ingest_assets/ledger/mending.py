"""Files whose rows are not what the ledger says: they are read again, or their rows forgotten."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from ingest_assets.ledger import audit


@dataclass(frozen=True)
class Mend:
    """What is done with one file.

    `is_lost`: none of its committed rows is in its table; `lost_contents`: none of these older
    contents. `also_in`: other tables that have some rows, as in `ledger.tables`. `reads`: it waits
    to be read again.
    """

    file_id: int
    reads: bool
    is_lost: bool
    lost_contents: tuple[int, ...]
    also_in: tuple[str, ...]
    kinds: tuple[str, ...]


_FREE = text("""
    SELECT f.file_id, f.key FROM ingest.files f
    WHERE f.ingestion = :ingestion AND f.file_id = ANY(:file_ids) AND f.updated_at < :since
      AND NOT EXISTS (SELECT FROM ingest.batches b
                      WHERE b.batch_id = f.batch_id AND b.status IN ('PLANNED', 'PREPARED'))
    ORDER BY f.key FOR NO KEY UPDATE OF f
""")

_FORGET = text("""
    WITH gone AS (
        UPDATE ingest.contents c SET committed_batch_id = NULL FROM ingest.files f
        WHERE f.file_id = ANY(:file_ids) AND c.content_id = f.committed_content_id
    )
    UPDATE ingest.files SET
        committed_content_id = NULL, committed_etag = NULL, committed_batch_id = NULL,
        snapshot_id = NULL, rows = NULL, rescued = NULL, rejected = NULL, updated_at = now()
    WHERE file_id = ANY(:file_ids)
""")

_LOST = text("""
    UPDATE ingest.contents SET committed_batch_id = NULL, lost_at = now()
    WHERE content_id = ANY(:content_ids)
""")

_ALSO_IN = text("""
    UPDATE ingest.files f
    SET also_in = ARRAY(SELECT unnest(f.also_in) UNION SELECT unnest(other.names))
    FROM (SELECT s.file_id, array_agg(s.name) AS names
          FROM unnest(CAST(:file_ids AS bigint[]), CAST(:names AS text[])) AS s(file_id, name)
          GROUP BY s.file_id) AS other
    WHERE f.file_id = other.file_id
""")

_READ_AGAIN = text("""
    UPDATE ingest.files SET
        status = 'DISCOVERED', batch_id = NULL, attempts = 0, crashes = 0, next_attempt_at = NULL,
        error_type = NULL, error = NULL, updated_at = now()
    WHERE file_id = ANY(:file_ids)
""")


def mend(
    connection: Connection, ingestion: str, mends: Sequence[Mend], since: datetime, actor: str
) -> set[int]:
    """The ids of the files that were mended: not those that anything has touched since `since`.

    The audit names the keys, and what was wrong with each.
    """
    free = {
        row.file_id: row.key
        for row in connection.execute(
            _FREE,
            {"ingestion": ingestion, "file_ids": [m.file_id for m in mends], "since": since},
        )
    }
    done = [m for m in mends if m.file_id in free]
    if not done:
        return set()
    connection.execute(_FORGET, {"file_ids": [m.file_id for m in done if m.is_lost]})
    connection.execute(_LOST, {"content_ids": [one for m in done for one in m.lost_contents]})
    strays = [(m.file_id, name) for m in done for name in m.also_in]
    connection.execute(
        _ALSO_IN, {"file_ids": [s[0] for s in strays], "names": [s[1] for s in strays]}
    )
    connection.execute(_READ_AGAIN, {"file_ids": [m.file_id for m in done if m.reads]})
    note_mended(connection, ingestion, actor, {free[m.file_id]: m.kinds for m in done})
    return set(free)


def note_mended(
    connection: Connection, ingestion: str, actor: str, wrong: dict[str, Collection[str]]
) -> None:
    """The audit says who had mended what: the kinds of disagreement by key, or by another name."""
    detail = {what: list(kinds) for what, kinds in wrong.items()}
    audit.note(connection, ingestion, actor, "reconcile", {"mended": detail})
