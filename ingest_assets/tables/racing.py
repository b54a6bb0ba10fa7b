"""Optimistic commits: where others were faster, it is made again on what is there then."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ingest_assets.errors import CommitConflictError, TableChangedError

logger = logging.getLogger(__name__)

TRIES = 30
WAIT_SECONDS = (0.02, 0.5)

T = TypeVar("T")


def until_won(attempt: Callable[[], T], what: str) -> T:
    """What the first attempt gives that no other commit comes before; each loads the table anew.

    Raises:
        CommitConflictError: others were faster `TRIES` times.
        TableChangedError: the table is not what the attempt was made for.
    """
    for number in range(1, TRIES + 1):
        try:
            return attempt()
        except CommitConflictError as error:
            if number == TRIES or isinstance(error, TableChangedError):
                raise
            logger.info("%s lost a race, try %s", what, number)
            time.sleep(random.uniform(*WAIT_SECONDS))
    raise AssertionError("unreachable")
