"""Requests and bytes of this process, counted where they are made.

A count is an addition under a lock, a ten-thousandth of the request that it counts.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from ingest_assets.cost.usage import Usage


class Counts:
    """So many of each, by the names of `Usage`; any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, counts: dict[str, int]) -> None:
        """So many more."""
        with self._lock:
            for name, count in counts.items():
                self._counts[name] = self._counts.get(name, 0) + count

    @property
    def usage(self) -> Usage:
        """What was counted so far; without processor time, which is not counted."""
        with self._lock:
            return replace(Usage(), **self._counts)


_SPAN: ContextVar[Counts | None] = ContextVar("span", default=None)


class Meter:
    """Counts since the process began, and those of what goes on inside of a `span`."""

    def __init__(self) -> None:
        self._process = Counts()
        self._cpu_taken = 0.0

    def add(self, **counts: int) -> None:
        """So many more, by the names of `Usage`."""
        self._process.add(counts)
        span = _SPAN.get()
        if span is not None:
            span.add(counts)

    @contextmanager
    def span(self) -> Iterator[Counts]:
        """What this context counts inside, and those that are copies of it; no other tick's."""
        counts = Counts()
        token = _SPAN.set(counts)
        try:
            yield counts
        finally:
            _SPAN.reset(token)

    @property
    def now(self) -> Usage:
        """What the process has counted so far."""
        return self._process.usage

    def take_cpu_seconds(self) -> float:
        """The process's processor time since it was last taken, or since the process began."""
        now = time.process_time()
        taken, self._cpu_taken = now - self._cpu_taken, now
        return taken


METER = Meter()
"""The one of this process."""
