"""`ingest-assets demo` as a process: started, asked, and stopped like a stranger would."""

import contextlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table

from ingest_assets import guard
from ingest_assets_tests.end_to_end.dagster_dev import free_port
from ingest_assets_tests.end_to_end.product import PROGRAM
from ingest_assets_tests.end_to_end.waiting import wait_for

START_SECONDS = 90
STOP_SECONDS = 2 * (guard.STOP_SECONDS + 2 * guard.LEFT_BEHIND_SECONDS)
"""Dagster's guard may take half of it, and those of Postgres and S3 need a moment each."""


class Demo:
    """A demo started from an empty folder, by a shell's background job if so wished."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self.output = folder / "output"
        self.env = {"PATH": f"{PROGRAM.parent}:{os.defpath}", "HOME": str(folder)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, in_background_of_script: bool = False, **env: str) -> str:
        """The first http address that it prints."""
        command = [str(PROGRAM), "demo", "--port", str(free_port())]
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={**self.env, **env},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_ignore_sigint if in_background_of_script else _heed_sigint,
            )
        return wait_for("address", self._address, seconds=START_SECONDS, otherwise=self.said)

    def _address(self) -> str | None:
        assert self._process is not None
        assert self._process.poll() is None, self.said()
        found = re.search(r"https?://\S+", self.said())
        return found[0] if found else None

    def said(self) -> str:
        """Everything that it has printed."""
        return self.output.read_text()

    @property
    def pid(self) -> int:
        """Of the command itself."""
        assert self._process is not None
        return self._process.pid

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for it: whoever has its folder in the command or environment."""
        return [
            process
            for process in psutil.process_iter(["cmdline", "environ"])
            if process.pid != self.pid
            and any(
                str(self.folder) in part
                for part in (process.info["cmdline"] or [])
                + list((process.info["environ"] or {}).values())
            )
        ]

    def again(self) -> "subprocess.CompletedProcess[str]":
        """A second one beside the first."""
        return subprocess.run(
            [str(PROGRAM), "demo"],
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Its exit code after the signal, which is sent to it alone."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It goes on:\n{self._condition()}") from None

    def _condition(self) -> str:
        """What it said, the end of Dagster's log, and what runs."""
        log = self.folder / ".ingest/demo/dagster.log"
        running = [f"{process.pid} {process.info['cmdline']}"[:200] for process in self.processes()]
        return "\n".join([self.said(), log.read_text()[-5000:], *running])

    def kill(self) -> None:
        """At the end of a test that failed: nothing of it stays."""
        if self._process is not None and self._process.poll() is None:
            for process in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()
            self._process.terminate()
            self._process.wait(STOP_SECONDS)

    def files(self, name: str) -> dict[str, dict[str, Any]]:
        """The ledger by the files' names, asked by the command that the demo prints."""
        return {file["key"].rsplit("/")[-1]: file for file in self._ask("files", name)}

    def table(self, identifier: str) -> Table:
        """The table as plain PyIceberg opens it, told of the catalog by `config --json`."""
        catalog = self._ask("config")["catalog"]
        return load_catalog(catalog["name"], **catalog["properties"]).load_table(identifier)

    def _ask(self, *arguments: str) -> Any:
        command = re.search(
            r"INGEST_HOME=(\S+) INGEST_DEFS=(\S+) INGEST_POSTGRES_URL= ", self.said()
        )
        assert command is not None, self.said()
        done = subprocess.run(
            [str(PROGRAM), *arguments, "--json"],
            env={**self.env, "INGEST_HOME": command[1], "INGEST_DEFS": command[2]},
            capture_output=True,
            check=True,
        )
        return json.loads(done.stdout)


def _ignore_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _heed_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
