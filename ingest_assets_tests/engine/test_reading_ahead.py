"""Parts come in order, one ahead, with their errors at their turn."""

import threading
from collections.abc import Iterator

import pytest

from ingest_assets.engine.reading_ahead import read_ahead


def test_parts_come_in_order_and_one_is_made_meanwhile() -> None:
    made = [threading.Event() for _ in range(5)]

    def parts() -> Iterator[int]:
        for number in range(5):
            made[number].set()
            yield number

    for number in read_ahead(parts()):
        assert made[min(number + 1, 4)].wait(5)
        if number < 3:
            assert not made[number + 2].is_set()


def test_an_error_comes_after_the_parts_before_it() -> None:
    def parts() -> Iterator[int]:
        yield 0
        raise ValueError("broken")

    before, found = threading.active_count(), []
    with pytest.raises(ValueError, match="broken"):
        found.extend(read_ahead(parts()))
    assert threading.active_count() == before


def test_who_stops_early_leaves_no_thread_and_nothing_open() -> None:
    before, closed = threading.active_count(), threading.Event()

    def parts() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.set()

    reading = read_ahead(parts())
    assert next(reading) == 0
    reading.close()
    assert closed.is_set()
    assert threading.active_count() == before
