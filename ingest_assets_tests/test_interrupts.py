"""Interrupts at any moment: what waits for threads ends, and no thread waits for ever."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from ingest_assets.interrupts import held_back, in_threads

_SECONDS = 60

# Threads are switched a hundred times as often as usual: nearly every interrupt comes while a lock
# is passed from one to another.
_INTERRUPTED = """
import faulthandler, os, random, signal, sys, threading, time
from types import SimpleNamespace
from ingest_assets import interrupts
from ingest_assets.engine import fetching

sys.setswitchinterval(5e-5)
files = [SimpleNamespace(source=SimpleNamespace(size_bytes=1000)) for _ in range(10_000)]
wait = random.Random(7)

def fetch_all():
    for _ in fetching.ahead(files, lambda file: b"", lambda files, fetched: len(files)):
        pass

def in_threads():
    for _ in range(100):
        interrupts.in_threads(lambda file: None, files[:100], 8)

def interrupt_after(seconds, is_heard):
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGINT)
    while not is_heard.wait(5):  # Python drops one that comes in a weak reference's callback
        os.kill(os.getpid(), signal.SIGINT)

faulthandler.dump_traceback_later(int(sys.argv[2]), exit=True)
for _ in range(200):
    is_heard = threading.Event()
    try:
        args = wait.random() / 50, is_heard
        threading.Thread(target=interrupt_after, args=args).start()
        globals()[sys.argv[1]]()
        time.sleep(9)
        sys.exit("was not interrupted")
    except KeyboardInterrupt:
        is_heard.set()
    while threading.active_count() > 2:  # an interrupt of the end leaves that to the collector
        time.sleep(0.01)
print("ended")
"""


@pytest.mark.parametrize("what", ["fetch_all", "in_threads"])
def test_what_waits_for_threads_ends_whenever_it_is_interrupted(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, what, str(_SECONDS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS * 2,
    )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """SIGINT is what it is in a command; who runs tests side by side handles it otherwise."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_is_held_back_to_the_end_of_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        done.append("the block")
    assert done == ["the block"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_another_thread_than_the_main_one_is_never_interrupted() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def hold() -> None:
        with held_back():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert seen == [before]


def test_what_was_raised_for_the_first_is_raised_when_all_are_done() -> None:
    done = set()

    def act(number: int) -> None:
        done.add(number)
        if number in (3, 5):
            raise ValueError(number)

    with pytest.raises(ValueError, match="3"):
        in_threads(act, range(9), 4)
    assert done == set(range(9))
