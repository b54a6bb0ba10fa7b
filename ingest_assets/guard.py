"""The guard of a server process: its parent, which stops it when nobody uses it any more.

Run as a script by the interpreter alone, it imports the standard library only, so that it starts
quickly and stays small. `guarded_process` says what it is for and starts it.
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
from collections.abc import Iterator
from pathlib import Path

STOP_SECONDS = 60.0
LEFT_BEHIND_SECONDS = 15.0
_POLL_SECONDS = 0.3
_PROBES_PASS_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@contextlib.contextmanager
def open_lock(path: Path) -> Iterator[int]:
    """The file, made if need be, for as long as it is to be locked."""
    lock_fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield lock_fd
    finally:
        os.close(lock_fd)


def try_lock(lock_fd: int, kind: int) -> bool:
    """Whether the lock was free; then it is held until the file is closed."""
    try:
        fcntl.flock(lock_fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path, probe: int = fcntl.LOCK_EX) -> bool:
    """Whether somebody's lock is in the way of `probe`; shared probes do not see each other."""
    if not path.exists():
        return False
    with open_lock(path) as lock_fd:
        return not try_lock(lock_fd, probe)


def _become_server(stop_signal: int) -> None:
    """A script's background job ignores signals, and a server must not inherit that.

    A guard that is killed takes its server with it (Linux; elsewhere the server stays).
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _prctl(_PR_SET_PDEATHSIG, stop_signal)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def _start_server(order: dict[str, object], folder: Path) -> "subprocess.Popen[bytes]":
    user = order["user"]
    command = [str(part) for part in order["command"]]  # type: ignore[attr-defined]
    stop_signal = int(str(order["stop_signal"]))
    account = {"user": user, "group": user, "extra_groups": []} if user else {}
    with Path(str(order["log"])).open("ab") as log:
        server = subprocess.Popen(
            command,
            cwd=str(order["work_folder"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
            preexec_fn=lambda: _become_server(stop_signal),
            **account,  # type: ignore[call-overload]
        )
    (folder / "server.pid").write_text(str(server.pid))
    return server  # type: ignore[no-any-return]


def _watch(server: "subprocess.Popen[bytes]", folder: Path, stop_signal: int, guard: int) -> None:
    """Returns when the server has ended, by itself or because nobody used it any more."""
    while server.poll() is None:
        time.sleep(_POLL_SECONDS)
        if not folder.exists():
            break
        with open_lock(folder / "change.lock") as change_fd:
            if try_lock(change_fd, fcntl.LOCK_EX) and not is_locked(folder / "users.lock"):
                _stop(server, stop_signal)
                # First this lock, so that whoever may change things next finds no guard.
                return os.close(guard)
    return _stop(server, stop_signal)


def _stop(server: "subprocess.Popen[bytes]", stop_signal: int) -> None:
    """Neither the server nor anything else of its process group runs any more."""
    server.send_signal(stop_signal)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(STOP_SECONDS)
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + LEFT_BEHIND_SECONDS
        is_any_left = _signal_group(server.pid, number)
        while is_any_left and time.monotonic() < deadline:
            time.sleep(0.05)
            is_any_left = _signal_group(server.pid, 0)


def _signal_group(group: int, number: int) -> bool:
    """False if nobody is left; those who have ended are not counted, but laid to rest."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Starts the server and stays behind as its guard; the caller's process returns at once."""
    order = json.loads(sys.argv[1])
    folder = Path(order["folder"])
    guard_fd = os.open(folder / "guard.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _PROBES_PASS_SECONDS
    while not try_lock(guard_fd, fcntl.LOCK_EX):
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
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # what the server leaves behind is ours to lay to rest
    _watch(_start_server(order, folder), folder, order["stop_signal"], guard_fd)


if __name__ == "__main__":
    main()
