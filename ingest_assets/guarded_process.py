"""A server process that several processes share, and that ends with the last of them.

Whoever uses the server holds a shared `flock` on `<folder>/users.lock`; the kernel gives it back
when a process dies, however it dies, so there are no stale pids to clean up. A small guard
process, in a session of its own so that Ctrl-C in a terminal does not reach it, is the server's
parent: it stops the server when nobody holds the lock any more. `<folder>/guard.lock` is held as
long as the guard lives, and `<folder>/change.lock` by whoever is starting or stopping.

This file is also the guard's program, run as a script by the interpreter: it imports the standard
library only, so that the guard starts quickly and stays small.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_POLL_SECONDS = 0.3
_STOP_SECONDS = 60.0
_CHANGE_SECONDS = 180.0
_PROBES_PASS_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


class GuardedProcessError(Exception):
    """The server could not be started, or somebody else has been changing it for too long."""


class GuardedProcess:
    """One process's share in the server of one folder.

    The folder must exist. `command` runs there, with stdout and stderr appended to `log`; its pid
    is in `<folder>/server.pid`.
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
        with _open_lock(self.folder / "change.lock") as lock_fd:
            deadline = time.monotonic() + _CHANGE_SECONDS
            while not _try_lock(lock_fd, fcntl.LOCK_EX):
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
        deadline = time.monotonic() + _STOP_SECONDS + 5
        held_by_others = 0
        while self.is_guarded() and held_by_others < 2 and time.monotonic() < deadline:
            held_by_others = held_by_others + 1 if _is_locked(self.folder / "users.lock") else 0
            time.sleep(0.05)

    def is_guarded(self) -> bool:
        """Whether the guard, and with it the server, is alive."""
        return _is_locked(self.folder / "guard.lock", probe=fcntl.LOCK_SH)

    def spawn(
        self, command: Sequence[str], environment: Mapping[str, str], user: str | None = None
    ) -> None:
        """Server and guard are running; whether the server answers is for the caller to find out.

        Call it inside `changing` and after `hold`. `user` is the account the server runs under.
        """
        order = {
            "folder": str(self.folder),
            "command": list(command),
            "log": str(self.log),
            "stop_signal": int(self.stop_signal),
            "user": user,
        }
        starter = subprocess.run(
            [sys.executable, "-I", "-S", __file__, json.dumps(order)],
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


@contextlib.contextmanager
def _open_lock(path: Path) -> Iterator[int]:
    lock_fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield lock_fd
    finally:
        os.close(lock_fd)


def _try_lock(lock_fd: int, kind: int) -> bool:
    try:
        fcntl.flock(lock_fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(path: Path, probe: int = fcntl.LOCK_EX) -> bool:
    """Whether somebody's lock is in the way of `probe`; shared probes do not see each other."""
    if not path.exists():
        return False
    with _open_lock(path) as lock_fd:
        return not _try_lock(lock_fd, probe)


def _die_with_parent(stop_signal: int) -> None:
    """A guard that is killed takes its server with it (Linux; elsewhere the server stays)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, stop_signal)


def _start_server(order: dict[str, object], folder: Path) -> "subprocess.Popen[bytes]":
    user = order["user"]
    command = [str(part) for part in order["command"]]  # type: ignore[attr-defined]
    stop_signal = int(str(order["stop_signal"]))
    account = {"user": user, "group": user, "extra_groups": []} if user else {}
    with Path(str(order["log"])).open("ab") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: _die_with_parent(stop_signal),
            **account,  # type: ignore[call-overload]
        )
    (folder / "server.pid").write_text(str(server.pid))
    return server  # type: ignore[no-any-return]


def _watch(server: "subprocess.Popen[bytes]", folder: Path, stop_signal: int, guard: int) -> None:
    """Returns when the server has ended, by itself or because nobody used it any more."""
    while server.poll() is None:
        time.sleep(_POLL_SECONDS)
        if not folder.exists():
            return _stop(server, stop_signal)
        with _open_lock(folder / "change.lock") as change_fd:
            if _try_lock(change_fd, fcntl.LOCK_EX) and not _is_locked(folder / "users.lock"):
                _stop(server, stop_signal)
                # First this lock, so that whoever may change things next finds no guard.
                return os.close(guard)
    return None


def _stop(server: "subprocess.Popen[bytes]", stop_signal: int) -> None:
    for number, seconds in ((stop_signal, _STOP_SECONDS), (signal.SIGKILL, None)):
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(seconds)
            return


def main() -> None:
    """Starts the server and stays behind as its guard; the caller's process returns at once."""
    order = json.loads(sys.argv[1])
    folder = Path(order["folder"])
    guard_fd = os.open(folder / "guard.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _PROBES_PASS_SECONDS
    while not _try_lock(guard_fd, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            sys.exit(f"a server is already being guarded in {folder}")
        time.sleep(0.01)
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
    with Path(os.devnull).open("r+b") as nothing:
        for standard_fd in (0, 1, 2):
            os.dup2(nothing.fileno(), standard_fd)
    os.chdir("/")
    _watch(_start_server(order, folder), folder, order["stop_signal"], guard_fd)


if __name__ == "__main__":
    main()
