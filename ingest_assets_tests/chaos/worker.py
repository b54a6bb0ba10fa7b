"""Worker processes that are killed or stopped by their own hand, at a named step of a batch.

A process of Python's fork server forks for each: it has the product imported and no thread, no
connection and nothing else of the test's process. So a SIGKILL is what it is in production.
"""

import contextlib
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from signal import Signals
from typing import Any

import psutil

from ingest_assets.deployment import Deployment
from ingest_assets.engine import steps
from ingest_assets.engine.steps import Step
from ingest_assets.errors import IngestError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.settings import Settings
from ingest_assets_tests.chaos.world import World

SERVICE_ERROR = 3
"""The exit code of a worker that ended with one of the product's own errors."""
_PATIENCE_SECONDS = 90

_context = multiprocessing.get_context("forkserver")
_started: list[ForkServerProcess] = []
_one_at_a_time = threading.Lock()
"""Held to start a process or to ask for an exit code. Starting one asks for the exit codes of all
others, and a code that two threads ask for at once is 255 for one of them (`Popen.poll` of
`multiprocessing.popen_forkserver`, Python 3.11)."""
_context.set_forkserver_preload(["ingest_assets_tests.chaos.work", __name__])


@dataclass(frozen=True)
class Fault:
    """The signal that a worker sends itself when it has come to `step` for the `turn`th time."""

    step: Step
    signal: Signals = Signals.SIGKILL
    turn: int = 1


Work = Callable[[Deployment, Ingestion], None]


@dataclass
class Worker:
    """A worker process that was started."""

    process: ForkServerProcess

    def join(self) -> int:
        """Its exit code, negative for a signal, once it has ended."""
        wait([self.process.sentinel], _PATIENCE_SECONDS)
        code = self._exit_code()
        if code is None:
            self.process.kill()
            raise TimeoutError("The worker did not end.")
        return code

    def await_stop(self) -> bool:
        """True once it has stopped itself, False when it ended without that."""
        for _ in range(_PATIENCE_SECONDS * 50):
            if self._exit_code() is not None:
                return False
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended in this moment
                if psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED:
                    return True
            time.sleep(0.02)
        raise TimeoutError("The worker neither stopped nor ended.")

    def go_on(self) -> None:
        """It wakes up where it had stopped."""
        os.kill(self.process.pid, Signals.SIGCONT)

    def _exit_code(self) -> int | None:
        with _one_at_a_time:
            return self.process.exitcode


def start(
    world: World, work: Work, fault: Fault | None = None, barrier: Any | None = None
) -> Worker:
    """A process that does `work`, a function of a module, on the world's ingestion."""
    arguments = (world.environment, world.attributes, work, fault, barrier)
    process = _context.Process(target=_main, args=arguments, daemon=True)
    with _one_at_a_time:
        process.start()
    _started.append(process)
    return Worker(process)


def end_all() -> None:
    """No worker is left, not even a stopped one."""
    while _started:
        process = _started.pop()
        process.kill()
        process.join()


def run(world: World, work: Work, fault: Fault | None = None) -> int:
    """The exit code of a worker that has ended."""
    return start(world, work, fault).join()


def barrier(parties: int) -> Any:
    """What lets so many workers begin in the same moment."""
    return _context.Barrier(parties)


def _main(
    environment: dict[str, str],
    attributes: dict[str, Any],
    work: Work,
    fault: Fault | None,
    together: Any | None,
) -> None:
    os.environ.update(environment)
    deployment = Deployment(Settings.from_env())
    # The world has migrated it; a worker that looks again takes a third of a second for that.
    deployment.__dict__["ledger"] = Ledger(environment["INGEST_POSTGRES_URL"])
    if fault is not None:
        steps.watch(_self_inflicted(fault))
    if together is not None:
        together.wait(_PATIENCE_SECONDS)
    try:
        work(deployment, Ingestion.model_validate(attributes))
    except IngestError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(SERVICE_ERROR)


def _self_inflicted(fault: Fault) -> steps.Watcher:
    turns = iter(range(1, 1000))

    def watcher(step: Step, batch_id: str) -> None:
        if step is fault.step and next(turns) == fault.turn:
            os.kill(os.getpid(), fault.signal)

    return watcher
