"""What a command costs: CPU of its process tree, wall time, and the tree's peak memory."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Cost:
    """Of one command and all its children. `stdout` is what it printed."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    stdout: str


def run(command: Sequence[str], env: Mapping[str, str]) -> Cost:
    """The command has ended well, and this is what it cost.

    CPU is what the kernel accounts for the reaped tree. Memory is the sum of the tree's
    proportional set sizes, sampled: a page that two processes share, as at a fork, counts once.

    Raises:
        RuntimeError: the command failed; its output is in the message.
    """
    before = os.times()
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    peak = _Peak(process.pid)
    stdout, stderr = process.communicate()
    wall = time.perf_counter() - started
    peak.stop()
    after = os.times()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{stdout}\n{stderr}")
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return Cost(cpu, wall, peak.bytes / 1e6, stdout)


class _Peak:
    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, args=(pid,), daemon=True)
        self._thread.start()

    def _sample(self, pid: int) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            try:
                parent = psutil.Process(pid)
                family = [parent, *parent.children(recursive=True)]
                self.bytes = max(self.bytes, sum(p.memory_full_info().pss for p in family))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
