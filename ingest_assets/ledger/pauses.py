"""Work beside the ticks that waits because a store refused: longer each time it refuses again."""

from datetime import timedelta
from typing import Literal

from sqlalchemy import Connection, text

Work = Literal["source", "copies"]
"""`source` finishes ingested objects, `copies` copies dead letters; named as in `ingestions`."""

LONGEST_PAUSE = timedelta(hours=1)
_FIRST_PAUSE = timedelta(minutes=1)


def is_paused(connection: Connection, ingestion: str, work: Work) -> bool:
    """A store refused the last time, and it is too early to ask it again."""
    paused = text(f"SELECT {work}_retry_at > now() FROM ingest.ingestions WHERE name = :name")
    return bool(connection.execute(paused, {"name": ingestion}).scalar())


def pause(connection: Connection, ingestion: str, work: Work) -> None:
    """The store is asked again after a minute, and after twice as long each time it refuses."""
    connection.execute(
        text(f"""
            UPDATE ingest.ingestions SET
                {work}_failures = {work}_failures + 1,
                {work}_retry_at = now() + least(CAST(:longest AS interval),
                    CAST(:first AS interval) * power(2, least({work}_failures, 10)))
            WHERE name = :name
        """),
        {"name": ingestion, "longest": LONGEST_PAUSE, "first": _FIRST_PAUSE},
    )


def resume(connection: Connection, ingestion: str, work: Work) -> None:
    """The store did what it was asked."""
    connection.execute(
        text(f"""
            UPDATE ingest.ingestions SET {work}_failures = 0, {work}_retry_at = NULL
            WHERE name = :name AND {work}_failures > 0
        """),
        {"name": ingestion},
    )
