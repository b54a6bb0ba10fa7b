"""Ctrl-C and its like: how what runs until somebody stops it ends, and threads of a pass with it.

Python raises an interrupt between any two instructions of the main thread, also where `threading`
has just taken the lock of a Future or a Semaphore and not yet entered the block that releases it.
A thread that needs that lock then waits for ever, and whoever joins it too. So interrupts are held
back while the main thread hands work to threads or looks for what came of it.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, TypeVar

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_SECONDS = 0.2
"""How long an interrupt is held back where the main thread waits."""

T = TypeVar("T")
R = TypeVar("R")


@contextlib.contextmanager
def until_interrupted() -> Iterator[None]:
    """Ctrl-C, SIGTERM or a closed terminal end what is done inside, in order and without a word.

    Also where this process is a script's background job, which a shell starts with SIGINT ignored.
    """

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in STOP_SIGNALS:
        if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):  # nohup
            signal.signal(number, interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        yield


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """A stop signal that comes meanwhile is handled after the block, as it would have been.

    Only the main thread is ever interrupted; in another one nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {
        number: handler
        for number in STOP_SIGNALS
        if callable(handler := signal.getsignal(number))  # else Python does not come into it
    }
    try:
        for number in handlers:
            signal.signal(number, lambda came_now, _frame: came.append(came_now))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def wait_for(futures: Collection["Future[Any]"]) -> None:
    """All of them are done; an interrupt ends the wait and leaves them as they are."""
    while look(futures):
        pass


def look(futures: Collection["Future[Any]"]) -> bool:
    """Some of them are not done after a short wait, with interrupts held back meanwhile."""
    with held_back():
        return bool(wait(futures, timeout=_LOOK_SECONDS).not_done)


def end(pool: ThreadPoolExecutor) -> None:
    """What was not begun is forgotten, and the threads have ended."""
    with held_back():
        pool.shutdown(wait=False, cancel_futures=True)
    pool.shutdown()


def in_threads(act: Callable[[T], R], items: Iterable[T], threads: int) -> list[R]:
    """What `act` made of each, in order.

    Raises:
        What `act` raised for the first that it raised for; it was done for all the others.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        with held_back():
            futures = [pool.submit(copy_context().run, act, item) for item in items]
        wait_for(futures)
        return [future.result() for future in futures]
    finally:
        end(pool)
