"""The embedded Postgres: shared by processes, and gone with the last of them."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from ingest_assets.errors import LedgerError
from ingest_assets.guarded_process import GuardedProcess
from ingest_assets.ledger.server import MAX_CONNECTIONS, EmbeddedPostgres

_USER = """
import pathlib, sys
from ingest_assets.ledger.server import embedded_postgres_url
print(embedded_postgres_url(pathlib.Path(sys.argv[1])), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="pg-"))
    yield place / "postgres"
    shutil.rmtree(place)


def _ask(url: str, question: str) -> str:
    with contextlib.closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute(question)
        return str(cursor.fetchone()[0])


def _server(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "server.pid").read_text()))


def _has_ended(server: psutil.Process) -> bool:
    return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def _wait_for_end(server: psutil.Process) -> None:
    deadline = time.monotonic() + 20
    while not _has_ended(server):
        assert time.monotonic() < deadline, "Postgres outlived its last user"
        time.sleep(0.05)


@contextlib.contextmanager
def _user(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that uses the server until a line is written to it."""
    with subprocess.Popen(
        [sys.executable, "-c", _USER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as user:
        yield user


def _url_of(user: "subprocess.Popen[str]") -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def test_it_takes_many_connections_and_no_network(folder: Path) -> None:
    with EmbeddedPostgres(folder) as postgres:
        assert postgres.url.startswith("postgresql+psycopg2://postgres@/postgres?host=/")
        assert _ask(postgres.url, "SHOW max_connections") == str(MAX_CONNECTIONS)
        assert _ask(postgres.url, "SHOW listen_addresses") == ""
        assert _ask(postgres.url, "SHOW server_encoding") == "UTF8"
        server = _server(folder)
    assert _has_ended(server)


def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    with EmbeddedPostgres(folder) as postgres:
        _ask(postgres.url, "CREATE TABLE kept AS SELECT 7 AS x; COMMIT; SELECT 1")
    with EmbeddedPostgres(folder) as postgres:
        assert _ask(postgres.url, "SELECT x FROM kept") == "7"


def test_the_last_of_several_processes_stops_it(folder: Path) -> None:
    with _user(folder) as first:
        url = _url_of(first)
        with _user(folder) as second:
            assert _url_of(second) == url
            server = _server(folder)
            first.communicate("\n")
            time.sleep(1)
            assert _ask(url, "SELECT 1") == "1"
            second.communicate("\n")
    assert (first.returncode, second.returncode) == (0, 0)
    assert _has_ended(server)


def test_processes_that_start_it_at_once_share_one_server(folder: Path) -> None:
    with contextlib.ExitStack() as stack:
        users = [stack.enter_context(_user(folder)) for _ in range(3)]
        urls = {_url_of(user) for user in users}
        assert len(urls) == 1
        server = _server(folder)
        assert _ask(urls.pop(), "SELECT pg_postmaster_start_time() < now()") == "True"
        assert (folder / "log").read_text().count("ready to accept") == 1
        for user in users:
            user.communicate("\n")
    assert _has_ended(server)


def test_killed_users_do_not_keep_it_running(folder: Path) -> None:
    with _user(folder) as user:
        _url_of(user)
        server = _server(folder)
        user.kill()
    _wait_for_end(server)


def test_a_killed_user_does_not_take_it_from_the_others(folder: Path) -> None:
    with EmbeddedPostgres(folder) as postgres:
        with _user(folder) as user:
            _url_of(user)
            user.kill()
        time.sleep(1)
        assert _ask(postgres.url, "SELECT 1") == "1"


def test_it_is_in_a_session_that_a_terminal_does_not_interrupt(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        server = _server(folder)
        guard = server.parent()
        assert guard is not None
        assert os.getsid(0) not in {os.getsid(server.pid), os.getsid(guard.pid)}


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal")
def test_a_killed_guard_takes_the_server_along_and_the_next_user_starts_another(
    folder: Path,
) -> None:
    with EmbeddedPostgres(folder):
        server = _server(folder)
        guard = server.parent()
        assert guard is not None
        guard.kill()
        _wait_for_end(server)
    with EmbeddedPostgres(folder) as postgres:
        assert _ask(postgres.url, "SELECT 1") == "1"


def test_it_ends_when_its_folder_is_removed(folder: Path) -> None:
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    server = _server(folder)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    _wait_for_end(server)
    postgres.stop()


@pytest.mark.parametrize("name", ["a b'c\"d%e&f", "x" * 120], ids=["odd", "long"])
def test_any_folder_name_will_do(folder: Path, name: str) -> None:
    with EmbeddedPostgres(folder / name) as postgres:
        assert _ask(postgres.url, "SELECT 1") == "1"


def test_a_stale_pid_file_with_a_living_pid_does_not_stop_it(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        pid_file = (folder / "data" / "postmaster.pid").read_text()
    lines = [str(os.getpid()), *pid_file.splitlines()[1:]]
    (folder / "data" / "postmaster.pid").write_text("\n".join(lines))
    with EmbeddedPostgres(folder) as postgres:
        assert _ask(postgres.url, "SELECT 1") == "1"


def test_an_unfinished_first_start_is_begun_anew(folder: Path) -> None:
    (folder / "data.unfinished" / "base").mkdir(parents=True)
    with EmbeddedPostgres(folder) as postgres:
        assert _ask(postgres.url, "SELECT 1") == "1"


def test_a_server_that_does_not_come_up_says_why_and_leaves_nothing_running(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        pass
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(LedgerError, match=r"(?s)no_such_setting.*INGEST_POSTGRES_URL"):
        EmbeddedPostgres(folder).start()
    assert not GuardedProcess(folder, folder / "log", 2).is_guarded()


def test_a_folder_that_cannot_be_made_is_named(folder: Path) -> None:
    folder.write_text("a file in the way")
    with pytest.raises(LedgerError, match=str(folder)):
        EmbeddedPostgres(folder).start()


def _others_may_run(program: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in (program, *program.parents))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(
    not _others_may_run(Path(sys.executable).resolve()),
    reason="this interpreter is installed where no other account can reach it",
)
def test_it_runs_for_an_ordinary_account(folder: Path) -> None:
    folder.parent.chmod(0o755)
    folder.mkdir()
    account = pwd.getpwnam("nobody")
    os.chown(folder, account.pw_uid, account.pw_gid)
    program = _USER.replace("sys.stdin.readline()", "import os; print(os.geteuid())")
    result = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        user="nobody",
        group=account.pw_gid,
        extra_groups=[],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.split()[1:] == [str(account.pw_uid)], result.stderr
    assert (folder / "data").stat().st_uid == account.pw_uid
