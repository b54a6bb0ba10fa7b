"""When this process last got on with a batch: what tells a worker that hangs from a slow one."""

import time
from collections.abc import Callable
from datetime import timedelta

_last = time.monotonic()


def made() -> None:
    """Something was done just now: a step reached, a file judged, a part of one fetched or read."""
    global _last
    _last = time.monotonic()


def since_last() -> timedelta:
    """How long ago that was."""
    return timedelta(seconds=time.monotonic() - _last)


def every(interval: timedelta) -> Callable[[], bool]:
    """A question that is answered yes once in each interval, not before the first has passed."""
    told = time.monotonic()

    def is_time() -> bool:
        nonlocal told
        now = time.monotonic()
        if now - told < interval.total_seconds():
            return False
        told = now
        return True

    return is_time
