"""What queues brought, written into the ledger, and whether the prefix is to be listed besides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, text

from ingest_assets.files.notifications.sorting import Kind

UNHEARD_AT_MOST = timedelta(days=1)
"""Messages stay in a queue for some days. One that was not read to its end for so long may have
lost some: the prefix is listed once."""
ODD_BODY_BYTES = 10_240


@dataclass(frozen=True)
class OddMessage:
    """A message that is not meant for the ingestion, or that nobody can read."""

    message_id: str
    kind: Kind
    body: str

    @property
    def kept_body(self) -> str:
        """The first `ODD_BODY_BYTES` of the body, as far as Postgres takes them."""
        start = self.body.encode(errors="replace")[:ODD_BODY_BYTES]
        return start.decode(errors="ignore").replace("\0", "\ufffd")


def listen(connection: Connection, ingestion: str, queue_url: str, wanted: str) -> None:
    """The ledger knows which queue the ingestion reads, and since when it did so without a gap.

    `wanted` says which objects are files of the ingestion: events of others leave nothing behind.
    So where that is another than before, with another queue, or after a gap of `UNHEARD_AT_MOST`,
    it is since now, and a listing that was cut off begins anew.
    """
    connection.execute(
        text("""
            UPDATE ingest.ingestions
            SET queue_url = :url, queue_wanted = :wanted, queue_since = now(),
                queue_emptied_at = now(), listing_cursor = NULL
            WHERE name = :name AND (queue_url IS DISTINCT FROM :url
                                    OR queue_wanted IS DISTINCT FROM :wanted
                                    OR queue_emptied_at < now() - CAST(:gap AS interval))
        """),
        {"name": ingestion, "url": queue_url, "wanted": wanted, "gap": UNHEARD_AT_MOST},
    )


def note_emptied(connection: Connection, ingestion: str) -> None:
    """The ledger knows, to the hour, when the queue was last read to its end."""
    connection.execute(
        text("""
            UPDATE ingest.ingestions SET queue_emptied_at = now()
            WHERE name = :name AND queue_emptied_at < now() - interval '1 hour'
        """),
        {"name": ingestion},
    )


def is_listing_due(connection: Connection, ingestion: str, every: timedelta | None) -> bool:
    """A listing is to be made beside the queue, or to be gone on with.

    Until one has come to its end since the queue is read; then, with `every`, that often.
    """
    return bool(
        connection.execute(
            text("""
                SELECT last_listed_at IS NULL OR first_listed_at IS NULL
                    OR listing_cursor IS NOT NULL
                    OR last_listed_at < queue_since
                    OR last_listed_at < now() - CAST(:every AS interval)
                FROM ingest.ingestions WHERE name = :name
            """),
            {"name": ingestion, "every": every},
        ).scalar_one()
    )


def record_received(
    connection: Connection, ingestion: str, counts: Mapping[Kind, int], odd: Sequence[OddMessage]
) -> None:
    """The kinds are counted, and the odd messages kept; one that came before is counted there."""
    connection.execute(
        text("""
            INSERT INTO ingest.notification_counts AS n (ingestion, kind, count)
            SELECT :ingestion, c.kind, c.count
            FROM unnest(CAST(:kinds AS text[]), CAST(:counts AS bigint[])) AS c(kind, count)
            ORDER BY c.kind
            ON CONFLICT (ingestion, kind) DO UPDATE
            SET count = n.count + excluded.count, last_at = now()
        """),
        {
            "ingestion": ingestion,
            "kinds": [kind.value for kind in counts],
            "counts": list(counts.values()),
        },
    )
    if not odd:
        return
    connection.execute(
        text("""
            INSERT INTO ingest.odd_messages AS o (ingestion, message_id, kind, body, count)
            SELECT :ingestion, m.message_id, min(m.kind), min(m.body), count(*)
            FROM unnest(CAST(:ids AS text[]), CAST(:kinds AS text[]), CAST(:bodies AS text[]))
                 AS m(message_id, kind, body)
            GROUP BY m.message_id ORDER BY m.message_id
            ON CONFLICT (ingestion, message_id) DO UPDATE
            SET count = o.count + excluded.count, last_at = now()
        """),
        {
            "ingestion": ingestion,
            "ids": [message.message_id for message in odd],
            "kinds": [message.kind.value for message in odd],
            "bodies": [message.kept_body for message in odd],
        },
    )


def keys_that_changed(connection: Connection, ingestion: str, *, at_most: int) -> list[str]:
    """The keys of waiting files that were other than the ledger had them when they were read.

    Those first that are read again first.
    """
    found = connection.execute(
        text("""
            SELECT key FROM ingest.files
            WHERE ingestion = :ingestion AND status = 'FAILED'
              AND error_type = 'SourceChangedError'
            ORDER BY next_attempt_at, key LIMIT :at_most
        """),
        {"ingestion": ingestion, "at_most": at_most},
    )
    return list(found.scalars())
