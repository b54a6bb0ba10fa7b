"""Stores that did not answer, or throttle, which are asked less and less often, one at a time.

A question that hangs holds one of the few threads in which sensors are evaluated. So as long as a
store does not answer, all ingestions on it wait for the answer to the next question.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from ingest_assets.errors import ObjectStoreError

WAITS = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300))
"""After the first question without an answer, after the second, and so on; the last one goes on."""


class StoreUnreachableError(ObjectStoreError):
    """The object store, or the way to it, gives no answer, or throttles; nothing is known of what
    it holds."""


@dataclass
class _Silence:
    said: str
    failures: int
    until: float
    is_asked: bool = False


class UnreachableStores:
    """What this process knows of stores, by the name of the place that answers for them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._silent: dict[str, _Silence] = {}

    @contextmanager
    def asking(self, place: str) -> Iterator[None]:
        """What is done inside asks the place, and what comes of it is known to the next one.

        Any answer of the place, a refusal too, ends its silence.

        Raises:
            StoreUnreachableError: it did not answer a short while ago, or is being asked by
                another; nothing was done. Or it did not answer now.
        """
        self._begin(place)
        try:
            yield
        except StoreUnreachableError as error:
            self._note(place, str(error))
            raise
        except ObjectStoreError:
            self._forget(place)
            raise
        except BaseException:
            self._leave(place)
            raise
        self._forget(place)

    def check(self, place: str) -> None:
        """The place may be asked; nothing is done.

        Raises:
            StoreUnreachableError: it did not answer a short while ago, or is being asked by
                another.
        """
        with self._lock:
            self._past_silence(place)

    def _begin(self, place: str) -> None:
        with self._lock:
            silence = self._past_silence(place)
            if silence is not None:
                silence.is_asked = True

    def _past_silence(self, place: str) -> _Silence | None:
        silence = self._silent.get(place)
        if silence is None:
            return None
        left = silence.until - self._clock()
        if left > 0:
            raise StoreUnreachableError(f"{silence.said} It is asked again in {left:.0f} s.")
        if silence.is_asked:
            raise StoreUnreachableError(f"{silence.said} It is being asked again.")
        return silence

    def _note(self, place: str, said: str) -> None:
        with self._lock:
            known = self._silent.get(place)
            if known is not None and not known.is_asked and known.until > self._clock():
                return  # another question that hung at the same time was first to know
            failures = known.failures if known else 0
            wait = WAITS[min(failures, len(WAITS) - 1)].total_seconds()
            self._silent[place] = _Silence(said, failures + 1, self._clock() + wait)

    def _forget(self, place: str) -> None:
        with self._lock:
            self._silent.pop(place, None)

    def _leave(self, place: str) -> None:
        with self._lock:
            if place in self._silent:
                self._silent[place].is_asked = False
