"""The lock of a home: one holder, who is named, and none once its process is dead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest_assets.cli.home_lock import HomeLock
from ingest_assets.errors import HomeInUseError

_HOLDER = """
import pathlib, sys
from ingest_assets.cli.home_lock import HomeLock
with HomeLock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def _refusal(home: Path) -> str:
    with pytest.raises(HomeInUseError) as refused, HomeLock(home):
        pass
    return str(refused.value)


def test_the_second_is_told_who_the_first_is_and_where(tmp_path: Path) -> None:
    home = tmp_path / "not there yet"
    with HomeLock(home) as lock:
        assert f"started by process {os.getpid()}. " in _refusal(home)
        lock.announce("http://127.0.0.1:3000")
        said = _refusal(home)
        assert f"{home} already" in said
        assert f"started by process {os.getpid()}, at http://127.0.0.1:3000. " in said
        with HomeLock(tmp_path / "another"):
            pass
    with HomeLock(home):
        assert f"started by process {os.getpid()}. " in _refusal(home)


def test_a_killed_holder_does_not_keep_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert f"started by process {holder.pid}. " in _refusal(tmp_path)
        holder.kill()
    with HomeLock(tmp_path):
        pass
