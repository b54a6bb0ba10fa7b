"""`dagster dev` as a Dagster user starts it: from the repository's root, on its workspace.yaml."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import dagster as dg
import psutil
import pytest

import ingest_assets
from ingest_assets.orchestration.names import LANE_TAG
from ingest_assets_tests.end_to_end.dagster_ui import DagsterUI
from ingest_assets_tests.end_to_end.product import PROGRAM
from ingest_assets_tests.end_to_end.waiting import wait_for

ROOT = Path(ingest_assets.__file__).parent.parent
READY_SECONDS = 120
STOP_SECONDS = 40


def free_port() -> int:
    """A port that nobody listens on, below those that systems hand out to clients."""
    for port in random.sample(range(23_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


class DagsterDev:
    """Webserver, daemon and code server, on a DAGSTER_HOME with the root's dagster.yaml."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.home = folder / "dagster_home"
        self.home.mkdir(parents=True)
        shutil.copyfile(ROOT / "dagster.yaml", self.home / "dagster.yaml")
        self._env = {**env, "DAGSTER_HOME": str(self.home)}
        self._port = free_port()
        self._log = folder / "dagster_dev.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.ui = DagsterUI(f"http://127.0.0.1:{self._port}")

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(str(PROGRAM.parent / "dagster"), "dev", "-w", "workspace.yaml"),
                    *("-h", "127.0.0.1", "-p", str(self._port)),
                ],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_default_signals,
            )
        try:
            wait_for("answer", self._answers, seconds=READY_SECONDS, otherwise=self.last_words)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        parent = psutil.Process(self._process.pid)
        family = [parent, *parent.children(recursive=True)]
        self._process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
        for process in alive:
            process.kill()
        self._process.wait()

    @contextlib.contextmanager
    def queue_held(self, ingestion: str) -> Iterator[None]:
        """No run of the ingestion leaves the queue, as if one that never ends had started."""
        held = dg.DagsterRun(
            job_name="held", status=dg.DagsterRunStatus.STARTED, tags={LANE_TAG: ingestion}
        )
        with self.instance() as instance:
            instance.add_run(held)
            try:
                yield
            finally:
                instance.report_run_canceled(held)

    @contextlib.contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Its Dagster instance, in this process."""
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("INGEST_POSTGRES_URL", self._env["INGEST_POSTGRES_URL"])
            environment.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
            with dg.DagsterInstance.from_config(str(self.home)) as instance:
                yield instance

    @property
    def pid(self) -> int:
        """The process that started all of it."""
        assert self._process is not None
        return self._process.pid

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.last_words()
        try:
            with urllib.request.urlopen(f"{self.ui.url}/server_info", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False


def _default_signals() -> None:
    """A background job of a script ignores SIGINT, and its children would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
