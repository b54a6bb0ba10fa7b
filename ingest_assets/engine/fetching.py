"""Files fetched ahead of their turn, by several threads, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ingest_assets.ledger.batches import ClaimedFile

THREADS = 4
FILES_AHEAD = 32
BYTES_AHEAD = 64 * 1024**2

T = TypeVar("T")


def ahead(
    files: Sequence[ClaimedFile], work: Callable[[ClaimedFile], T]
) -> Iterator[tuple[ClaimedFile, Future[T]]]:
    """Each file with the future of `work(file)`, in order; work runs ahead in threads.

    At most `FILES_AHEAD` files and `BYTES_AHEAD` bytes (as stored) run ahead, one file at least.
    """
    waiting: deque[tuple[ClaimedFile, Future[T]]] = deque()
    ahead_bytes = 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="fetch") as pool:
        coming = iter(files)
        following = next(coming, None)
        while waiting or following is not None:
            while following is not None and (
                not waiting
                or (
                    len(waiting) < FILES_AHEAD
                    and ahead_bytes + following.source.size_bytes <= BYTES_AHEAD
                )
            ):
                waiting.append((following, pool.submit(work, following)))
                ahead_bytes += following.source.size_bytes
                following = next(coming, None)
            file, future = waiting.popleft()
            ahead_bytes -= file.source.size_bytes
            yield file, future
