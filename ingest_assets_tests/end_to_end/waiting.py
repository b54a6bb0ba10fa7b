"""Waits that end: with what was waited for, or with words about what there was instead."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    what: str,
    look: Callable[[], T | None],
    *,
    seconds: float,
    otherwise: Callable[[], str] = lambda: "",
    every: float = 0.3,
) -> T:
    """The first true answer of `look`; an AssertionError with `otherwise()` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"No {what} within {seconds:.0f} s.\n{otherwise()}")
        time.sleep(every)
    return found
