"""A moment by which work that can be cut off should have ended."""

import time
from datetime import timedelta


class Deadline:
    """So much time from now on."""

    def __init__(self, limit: timedelta) -> None:
        self._until = time.monotonic() + limit.total_seconds()

    @property
    def is_over(self) -> bool:
        """No further item is to be begun."""
        return time.monotonic() >= self._until
