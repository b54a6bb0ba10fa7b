"""A server process that one or several processes use, and that ends with the last of them.

Whoever uses the server holds a shared `flock` on `<folder>/users.lock`; the kernel gives it back
when a process dies, however it dies, so there are no stale pids to clean up. A small guard
process (`guard.py`), in a session of its own so that Ctrl-C in a terminal does not reach it, is the
server's parent: when nobody holds the lock any more it stops the server and whatever that leaves
behind in its process group. `<folder>/guard.lock` is held as long as the guard lives, and
`<folder>/change.lock` by whoever is starting or stopping.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ingest_assets import guard
from ingest_assets.guard import is_locked, open_lock, try_lock

_CHANGE_SECONDS = 180.0


class GuardedProcessError(Exception):
    """The server could not be started, or somebody else has been changing it for too long."""


class GuardedProcess:
    """One process's share in the server of one folder.

    The folder must exist. The server's stdout and stderr are appended to `log`; its pid is in
    `<folder>/server.pid`.
    """

    def __init__(self, folder: Path, log: Path, stop_signal: signal.Signals) -> None:
        self.folder = folder
        self.log = log
        self.stop_signal = stop_signal
        self._users_fd: int | None = None

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """While inside, no other process starts or stops the server.

        Raises:
            GuardedProcessError: another process has been at it for three minutes.
        """
        with open_lock(self.folder / "change.lock") as lock_fd:
            deadline = time.monotonic() + _CHANGE_SECONDS
            while not try_lock(lock_fd, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise GuardedProcessError(
                        f"another process has been starting or stopping the server in "
                        f"{self.folder} for more than {_CHANGE_SECONDS:.0f} s"
                    )
                time.sleep(0.05)
            yield

    def hold(self) -> None:
        """The server stays up at least until `let_go`, or until this process ends."""
        if self._users_fd is None:
            self._users_fd = os.open(self.folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._users_fd, fcntl.LOCK_SH)

    def let_go(self) -> None:
        """This process no longer uses the server; if it was the last, the server has ended.

        A second call does nothing.
        """
        if self._users_fd is None:
            return
        os.close(self._users_fd)
        self._users_fd = None
        deadline = time.monotonic() + guard.STOP_SECONDS + guard.LEFT_BEHIND_SECONDS + 5
        held_by_others = 0
        while self.is_guarded() and held_by_others < 2 and time.monotonic() < deadline:
            held_by_others = held_by_others + 1 if is_locked(self.folder / "users.lock") else 0
            time.sleep(0.05)

    def is_guarded(self) -> bool:
        """Whether the guard, and with it the server, is alive."""
        return is_locked(self.folder / "guard.lock", probe=fcntl.LOCK_SH)

    def spawn(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        user: str | None = None,
        work_folder: Path | None = None,
    ) -> None:
        """Server and guard are running; whether the server answers is for the caller to find out.

        Call it inside `changing` and after `hold`. `user` is the account the server runs under; it
        works in `work_folder`, by default the folder of the locks.
        """
        order = {
            "folder": str(self.folder),
            "command": list(command),
            "log": str(self.log),
            "stop_signal": int(self.stop_signal),
            "user": user,
            "work_folder": str(work_folder or self.folder),
        }
        starter = subprocess.run(
            [sys.executable, "-I", "-S", guard.__file__, json.dumps(order)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if starter.returncode != 0:
            raise GuardedProcessError(starter.stderr.strip() or f"{command[0]} did not start")

    def server_pid(self) -> int | None:
        """The pid of the server that was started last, or None if none was."""
        try:
            return int((self.folder / "server.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def last_words(self, line_count: int = 12) -> str:
        """The end of the server's log, for an error message."""
        if not self.log.exists():
            return "(its log is empty)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-line_count:])
