"""How far the listing of an ingestion has come.

A listing may end when the ingestion's queue is read for other objects than those that it was begun
for. It is not the one that `notifications.listen` waits for, so it says nothing of where that
stands.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Progress:
    """Where the listing of an ingestion stands.

    `first_since` is when the ingestion was first seen, until a listing has come to its end;
    `after` is the key that the last one, cut off by its time, had come to. `now` is the moment at
    which that was asked, on Postgres's clock. `wanted` says which objects are files, as in
    `notifications.listen`; None where no queue is read.
    """

    first_since: datetime | None
    after: str | None
    now: datetime
    wanted: str | None = None


def listing_progress(connection: Connection, ingestion: str, wanted: str | None = None) -> Progress:
    """Where the listing of the ingestion stands."""
    row = connection.execute(
        text("""
            SELECT CASE WHEN first_listed_at IS NULL THEN created_at END AS first_since,
                   listing_cursor, now() AS now
            FROM ingest.ingestions WHERE name = :name
        """),
        {"name": ingestion},
    ).one()
    return Progress(row.first_since, row.listing_cursor, row.now, wanted)


_COUNTS = """
    name = :name AND (queue_since IS NULL OR queue_since <= :begun_at)
    AND (CAST(:wanted AS text) IS NULL OR queue_wanted IS NULL OR queue_wanted = :wanted)
"""


def pause_listing(connection: Connection, ingestion: str, begun: Progress, after: str) -> None:
    """The next listing goes on after the key `after`, unless other objects are wanted by now."""
    connection.execute(
        text(f"UPDATE ingest.ingestions SET listing_cursor = :after WHERE {_COUNTS}"),
        {"name": ingestion, "after": after, "begun_at": begun.now, "wanted": begun.wanted},
    )


def end_listing(connection: Connection, ingestion: str, begun: Progress) -> None:
    """The ledger knows that a listing came to the end of the prefix; the next begins anew.

    Unless other objects are wanted by now: then it goes on as if there had been no such listing.
    """
    connection.execute(
        text(f"""
            UPDATE ingest.ingestions
            SET first_listed_at = coalesce(first_listed_at, now()), last_listed_at = now(),
                listing_cursor = NULL
            WHERE {_COUNTS}
        """),
        {"name": ingestion, "begun_at": begun.now, "wanted": begun.wanted},
    )
