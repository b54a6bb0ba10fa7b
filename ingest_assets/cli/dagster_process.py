"""`dagster dev` as a child process: started with this deployment's environment, stopped whole."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import click
import psutil

from ingest_assets.errors import ServiceError
from ingest_assets.orchestration.instance import prepare_home
from ingest_assets.settings import Settings

FIRST_PORT = 3000
READY_SECONDS = 120
STOP_SECONDS = 30
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DagsterProcess:
    """Webserver, daemon and code server under one `dagster dev`, in a session of their own.

    They work in `folder`: what else may be configured there (`.pyiceberg.yaml`, `.env`) holds.
    Their own session, so that Ctrl-C reaches this process alone, which then stops them in order.
    """

    def __init__(
        self, settings: Settings, port: int, folder: Path, extra_env: dict[str, str]
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._folder = folder
        self._settings = settings
        self._env = {
            **os.environ,
            "INGEST_HOME": str(settings.home),
            "INGEST_DEFS": str(settings.defs),
            "DAGSTER_HOME": str(prepare_home(settings)),
            **extra_env,
        }
        self.log = settings.home / "dagster.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._settings.home.mkdir(parents=True, exist_ok=True)
        workspace = self._settings.home / "workspace.yaml"
        workspace.write_text(
            "load_from:\n"
            "  - python_module:\n"
            "      module_name: ingest_assets.definitions\n"
            f"      working_directory: {json.dumps(str(self._folder))}\n"
            "      location_name: ingest_assets\n"
        )
        dagster = Path(sys.executable).parent / "dagster"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(dagster), "dev", "-w", str(workspace), "-p", str(self._port)],
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_default_signals,
            )
        return self

    def wait_until_ready(self) -> None:
        """The UI answers.

        Raises:
            ServiceError: it did not come up; the end of its log is in the message.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._is_running():
            if self._answers():
                return
            time.sleep(0.3)
        words = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        raise ServiceError(
            f"Dagster did not come up at {self.url}. The end of {self.log}:\n{words}"
        )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self) -> NoReturn:
        """Never returns: `until_interrupted` ends the wait.

        Raises:
            ServiceError: Dagster ended by itself.
        """
        while self._is_running():
            time.sleep(0.5)
        raise ServiceError(f"Dagster ended by itself; see {self.log}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None:
            return
        _ignore_signals()  # impatience must not leave half of it running
        click.echo("Stopping Dagster", err=True)
        family = _family([psutil.Process(self._process.pid)] if self._is_running() else [])
        self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        # It leaves its code server behind, which waits half a minute for a sign of life, and runs.
        family |= _family(family)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        for process in alive:
            process.kill()
        self._process.wait()


def _family(parents: Iterable[psutil.Process]) -> set[psutil.Process]:
    """The processes and all that descend from them, as far as they live."""
    found: set[psutil.Process] = set()
    for process in parents:
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {process, *process.children(recursive=True)}
    return found


def _default_signals() -> None:
    """A shell's background job ignores SIGINT, and a child would inherit that."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _ignore_signals() -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def until_interrupted() -> Iterator[None]:
    """Ctrl-C, SIGTERM or a closed terminal end what is done inside, in order and without a word.

    Also where this process is a script's background job, which a shell starts with SIGINT ignored.
    """

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in _STOP_SIGNALS:
        if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):  # nohup
            signal.signal(number, interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        yield


def free_port() -> int:
    """The first port from 3000 on that nobody listens on."""
    for port in range(FIRST_PORT, FIRST_PORT + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServiceError(f"No port from {FIRST_PORT} to {FIRST_PORT + 199} is free for the UI.")
