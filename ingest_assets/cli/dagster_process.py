"""`dagster dev` as a guarded process: started with this deployment's environment, stopped whole."""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import click

from ingest_assets.errors import ServiceError
from ingest_assets.guarded_process import GuardedProcess, GuardedProcessError
from ingest_assets.interrupts import STOP_SIGNALS
from ingest_assets.orchestration.instance import prepare_home
from ingest_assets.settings import UI_URL_VARIABLE, Settings

FIRST_PORT = 3000
READY_SECONDS = 120


class DagsterProcess:
    """Webserver, daemon and code server under one `dagster dev`, under a guard.

    They work in `folder`: what else may be configured there (`.pyiceberg.yaml`, `.env`) holds.
    Ctrl-C reaches this process alone; its guard stops them all when it lets go or dies.
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
            UI_URL_VARIABLE: self.url,
            **extra_env,
        }
        self.log = settings.home / "dagster.log"
        self._guarded = GuardedProcess(settings.home / "dev", self.log, signal.SIGINT)

    def __enter__(self) -> Self:
        self._guarded.folder.mkdir(parents=True, exist_ok=True)
        workspace = self._settings.home / "workspace.yaml"
        workspace.write_text(
            "load_from:\n"
            "  - python_module:\n"
            "      module_name: ingest_assets.definitions\n"
            f"      working_directory: {json.dumps(str(self._folder))}\n"
            "      location_name: ingest_assets\n"
        )
        dagster = Path(sys.executable).parent / "dagster"
        command = [str(dagster), "dev", "-w", str(workspace), "-p", str(self._port)]
        while self._guarded.is_guarded():  # what a killed process left is being stopped
            time.sleep(0.1)
        try:
            with self._guarded.changing():
                self._guarded.hold()
                self._guarded.spawn(command, self._env, work_folder=self._folder)
        except GuardedProcessError as error:
            raise ServiceError(f"Dagster could not be started: {error}") from error
        return self

    def wait_until_ready(self) -> None:
        """The UI answers.

        Raises:
            ServiceError: it did not come up; the end of its log is in the message.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._guarded.is_guarded():
            if self._answers():
                return
            time.sleep(0.3)
        raise ServiceError(
            f"Dagster did not come up at {self.url}. The end of {self.log}:\n"
            f"{self._guarded.last_words(20)}"
        )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def wait(self) -> NoReturn:
        """Never returns: `until_interrupted` ends the wait.

        Raises:
            ServiceError: Dagster ended by itself.
        """
        while self._guarded.is_guarded():
            time.sleep(0.5)
        raise ServiceError(f"Dagster ended by itself; see {self.log}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in STOP_SIGNALS:  # impatience must not leave half of it running
            signal.signal(number, signal.SIG_IGN)
        click.echo("Stopping Dagster", err=True)
        self._guarded.let_go()


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
