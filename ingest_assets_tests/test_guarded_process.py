"""A guarded server: nothing that it started outlives it, whatever ends it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest_assets.guarded_process import GuardedProcess
from ingest_assets_tests.end_to_end.waiting import wait_for

# It leaves its child behind at once when it is told to stop, as `dagster dev` does.
_SERVER = "pwd; sleep 600 & echo $! > child; trap 'exit 0' INT; wait"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[GuardedProcess]:
    made = GuardedProcess(tmp_path, tmp_path / "log", signal.SIGINT)
    yield made
    made.let_go()


def _start(guarded: GuardedProcess, **options: Path) -> list[psutil.Process]:
    """The server and its child."""
    with guarded.changing():
        guarded.hold()
        guarded.spawn(["/bin/sh", "-c", _SERVER], {"PATH": "/usr/bin:/bin"}, **options)
    child = options.get("work_folder", guarded.folder) / "child"
    wait_for("child", lambda: child.exists() and child.read_text().strip(), seconds=10)
    wait_for("pid of the server", guarded.server_pid, seconds=10)
    pid = guarded.server_pid()
    assert pid is not None
    return [psutil.Process(pid), psutil.Process(int(child.read_text()))]


def test_when_the_last_user_lets_go_the_servers_children_end_too(guarded: GuardedProcess) -> None:
    family = _start(guarded)
    guarded.let_go()
    assert not guarded.is_guarded()
    assert [process for process in family if process.is_running()] == []


def test_a_server_that_was_killed_leaves_no_children(guarded: GuardedProcess) -> None:
    server, child = _start(guarded)
    server.kill()
    child.wait(10)
    wait_for("end of the guard", lambda: not guarded.is_guarded(), seconds=10)


def test_a_server_can_work_elsewhere(guarded: GuardedProcess, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _start(guarded, work_folder=elsewhere)
    assert guarded.last_words() == str(elsewhere)
