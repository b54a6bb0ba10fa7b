"""Files fetched, and the small ones read, ahead of their turn, in bounded memory."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from ingest_assets import interrupts
from ingest_assets.engine import progress
from ingest_assets.files.reading.opened import Content
from ingest_assets.ledger.batches import ClaimedFile

FETCH_THREADS = 8
READ_THREADS = 2
BYTES_AHEAD = 64 * 1024**2
GROUPS_AHEAD = 4
GROUP_FILES = 64
GROUP_BYTES = 2 * 1024**2
"""Files that come to no more than this, as stored, are read together; a larger one stands alone."""

T = TypeVar("T")


@dataclass(frozen=True)
class Fetched:
    """The bytes of a file, and how long they took."""

    content: Content
    seconds: float


@dataclass(frozen=True)
class Group(Generic[T]):
    """Files that follow each other in their batch.

    `fetches` are their bytes, or why there are none. `read` is what was made of all of them, None
    for a large file. All are done.
    """

    files: Sequence[ClaimedFile]
    fetches: Sequence[Future[Fetched]]
    read: Future[T] | None

    @property
    def size_bytes(self) -> int:
        return sum(file.source.size_bytes for file in self.files)


def ahead(
    files: Sequence[ClaimedFile],
    fetch: Callable[[ClaimedFile], Content],
    read: Callable[[Sequence[ClaimedFile], Sequence[Fetched]], T],
) -> Iterator[Group[T]]:
    """The files in order, in groups, each of which is fetched and, of small files, read.

    Threads do so ahead of their turn.
    At most `GROUPS_AHEAD` groups and `BYTES_AHEAD` bytes (as stored) are ahead, one group at least.
    """
    waiting: deque[Group[T]] = deque()
    readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read")
    fetchers = ThreadPoolExecutor(FETCH_THREADS, thread_name_prefix="fetch")

    def begun(members: Sequence[ClaimedFile]) -> Group[T]:
        with interrupts.held_back():
            fetches = [fetchers.submit(_timed, fetch, file) for file in members]
            if members[0].source.size_bytes > GROUP_BYTES:
                return Group(members, fetches, None)
            return Group(members, fetches, readers.submit(_read, read, members, fetches))

    def done(group: Group[T]) -> Group[T]:
        interrupts.wait_for([*group.fetches, *([] if group.read is None else [group.read])])
        return group

    try:
        for members in grouped(files, GROUP_FILES, GROUP_BYTES):
            size_bytes = sum(file.source.size_bytes for file in members)
            while waiting and (
                len(waiting) == GROUPS_AHEAD
                or sum(group.size_bytes for group in waiting) + size_bytes > BYTES_AHEAD
            ):
                yield done(waiting.popleft())
            waiting.append(begun(members))
        while waiting:
            yield done(waiting.popleft())
    finally:  # when the batch has failed, nobody waits for what it would have fetched
        interrupts.end(fetchers)
        interrupts.end(readers)


def grouped(
    files: Sequence[ClaimedFile], most_files: int, most_bytes: int
) -> Iterator[Sequence[ClaimedFile]]:
    """Files that follow each other, as many as come to so much as stored; one at least."""
    start, size_bytes = 0, 0
    for position, file in enumerate(files):
        size_bytes += file.source.size_bytes
        if position > start and (size_bytes > most_bytes or position - start == most_files):
            yield files[start:position]
            start, size_bytes = position, file.source.size_bytes
    if files:
        yield files[start:]


def _timed(fetch: Callable[[ClaimedFile], Content], file: ClaimedFile) -> Fetched:
    started = time.monotonic()
    content = fetch(file)
    progress.made()
    return Fetched(content, time.monotonic() - started)


def _read(
    read: Callable[[Sequence[ClaimedFile], Sequence[Fetched]], T],
    files: Sequence[ClaimedFile],
    fetches: Sequence[Future[Fetched]],
) -> T:
    return read(files, [fetch.result() for fetch in fetches])
