"""Files come in their order, whatever order their bytes come in, and few are ahead."""

import io
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from ingest_assets.engine import fetching
from ingest_assets.engine.fetching import Fetched, ahead
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger.batches import ClaimedFile

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def _file(number: int, size_bytes: int) -> ClaimedFile:
    source = SourceFile(str(number), f"s3://b/{number}", size_bytes, "e", NOW)
    return ClaimedFile(number, number, source, None, 0, 0)


def _content(file: ClaimedFile) -> Content:
    return Content(file.source.key, file.source.size_bytes, lambda: io.BytesIO())


def _names(_files: Sequence[ClaimedFile], fetched: Sequence[Fetched]) -> list[str]:
    return [one.content.name for one in fetched]


def test_small_neighbours_are_one_group_and_a_large_file_stands_alone() -> None:
    large = fetching.GROUP_BYTES + 1
    sizes = [10, 10, large, 10, fetching.GROUP_BYTES, *[1] * (fetching.GROUP_FILES + 1)]
    files = [_file(number, size) for number, size in enumerate(sizes)]
    groups = list(ahead(files, _content, _names))
    members = [[file.file_id for file in group.files] for group in groups]
    last = 5 + fetching.GROUP_FILES
    assert members == [[0, 1], [2], [3], [4], [*range(5, last)], [last]]
    for group in groups:
        names = [file.source.key for file in group.files]
        assert [fetch.result().content.name for fetch in group.fetches] == names
        assert group.read is None if group.size_bytes == large else group.read is not None
        if group.read is not None:
            assert group.read.result() == names
    assert list(ahead([], _content, _names)) == []


def test_a_file_that_is_not_there_fails_alone_and_its_group_is_not_read_together() -> None:
    def fetch(file: ClaimedFile) -> Content:
        if file.file_id == 1:
            raise OSError("gone")
        return _content(file)

    (group,) = ahead([_file(number, 1) for number in range(3)], fetch, _names)
    assert group.read is not None
    assert isinstance(group.read.exception(), OSError)
    assert [fetch.exception() is None for fetch in group.fetches] == [True, False, True]


def test_whoever_stops_early_does_not_wait_for_what_was_to_be_fetched() -> None:
    def fetch(file: ClaimedFile) -> Content:
        time.sleep(0.1)
        return _content(file)

    groups = ahead([_file(number, 1) for number in range(fetching.GROUP_FILES * 4)], fetch, _names)
    next(groups)
    started = time.monotonic()
    groups.close()
    assert time.monotonic() - started < 0.1 * fetching.GROUP_FILES / fetching.FETCH_THREADS


@pytest.mark.parametrize("size_bytes", [1, fetching.BYTES_AHEAD // 3])
def test_no_more_is_ahead_than_may_be(size_bytes: int) -> None:
    fetched: set[int] = set()
    lock = threading.Lock()

    def fetch(file: ClaimedFile) -> Content:
        with lock:
            fetched.add(file.file_id)
        return _content(file)

    files = [_file(number, size_bytes) for number in range(fetching.GROUP_FILES * 20)]
    groups = ahead(files, fetch, _names)
    first = next(groups)
    time.sleep(0.2)
    at_most = min(
        (fetching.GROUPS_AHEAD + 1) * fetching.GROUP_FILES,
        len(first.files) + fetching.BYTES_AHEAD // size_bytes,
    )
    assert len(first.files) <= len(fetched) <= at_most
    groups.close()
