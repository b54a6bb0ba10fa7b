"""A store that does not answer is asked less and less often, by one at a time."""

import contextlib

import pytest

from ingest_assets.errors import ObjectStoreError
from ingest_assets.files.unreachable import WAITS, StoreUnreachableError, UnreachableStores

PLACE = "http://127.0.0.1:9"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(clock: Clock) -> UnreachableStores:
    return UnreachableStores(clock)


def _ask_in_vain(stores: UnreachableStores) -> None:
    with pytest.raises(StoreUnreachableError), stores.asking(PLACE):
        raise StoreUnreachableError("It did not answer.")


def _is_asked(stores: UnreachableStores) -> bool:
    try:
        with stores.asking(PLACE):
            raise KeyboardInterrupt
    except StoreUnreachableError:
        return False
    except KeyboardInterrupt:
        return True


def test_each_silence_is_waited_out_longer_than_the_one_before(
    stores: UnreachableStores, clock: Clock
) -> None:
    for wait in (*WAITS, WAITS[-1]):
        _ask_in_vain(stores)
        clock.now += wait.total_seconds() - 1
        assert not _is_asked(stores)
        clock.now += 1
        assert _is_asked(stores)


def test_the_wait_is_said_with_what_the_store_last_said(
    stores: UnreachableStores, clock: Clock
) -> None:
    _ask_in_vain(stores)
    clock.now = 10
    with (
        pytest.raises(
            StoreUnreachableError, match=r"^It did not answer\. It is asked again in 20 s\.$"
        ),
        stores.asking(PLACE),
    ):
        pytest.fail("nothing is to be asked")
    with stores.asking("another place"):
        pass


def test_after_the_wait_one_asks_for_all(stores: UnreachableStores, clock: Clock) -> None:
    _ask_in_vain(stores)
    clock.now = WAITS[0].total_seconds()
    with stores.asking(PLACE):
        assert not _is_asked(stores)
    with stores.asking(PLACE), stores.asking(PLACE):
        pass


def test_a_refusal_is_an_answer(stores: UnreachableStores, clock: Clock) -> None:
    _ask_in_vain(stores)
    clock.now = WAITS[0].total_seconds()
    with pytest.raises(ObjectStoreError), stores.asking(PLACE):
        raise ObjectStoreError("No such bucket.")
    _ask_in_vain(stores)
    clock.now += WAITS[0].total_seconds()
    assert _is_asked(stores), "it is a first silence again"


def test_questions_that_hung_together_count_once(stores: UnreachableStores, clock: Clock) -> None:
    with contextlib.ExitStack() as one:
        one.enter_context(pytest.raises(StoreUnreachableError))
        one.enter_context(stores.asking(PLACE))
        _ask_in_vain(stores)
        raise StoreUnreachableError("It did not answer.")
    clock.now = WAITS[0].total_seconds()
    assert _is_asked(stores)
