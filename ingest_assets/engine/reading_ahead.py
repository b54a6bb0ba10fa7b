"""Parts of one file made by a thread while the ones before them are used."""

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ingest_assets import interrupts

T = TypeVar("T")


def read_ahead(parts: Iterator[T]) -> Generator[T]:
    """The same parts in the same order, one ahead of its turn: a second core does the reading.

    Who may stop early closes it, so that no thread is left.

    Raises:
        What making a part raises, at its turn.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")

    def begun() -> "Future[T | None]":
        with interrupts.held_back():
            return pool.submit(next, parts, None)

    try:
        coming = begun()
        while True:
            interrupts.wait_for([coming])
            part = coming.result()
            if part is None:
                return
            coming = begun()
            yield part
    finally:
        interrupts.end(pool)
        if isinstance(parts, Generator):
            parts.close()
