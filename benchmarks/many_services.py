"""The services of many ingestions: Postgres, an S3 server, and `dagster dev` as users start it."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import dagster as dg
import psutil

from benchmarks.bookkeeping import Clock
from benchmarks.databases import new_database
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets_tests.end_to_end.dagster_dev import DagsterDev


class Services:
    """A Postgres and an S3 server with one bucket; a code location at a time on new databases."""

    def __init__(self, folder: Path, bucket: str) -> None:
        self._folder = folder
        self._bucket = bucket
        self._numbers = iter(range(1000))
        self._postgres = EmbeddedPostgres(folder / "postgres")
        self.store = DemoObjectStore(folder / "s3")

    def __enter__(self) -> Self:
        self.store.start()
        self._postgres.start()
        self.store.put(self._bucket, "nothing/here.txt", b"")
        pid = int((self._folder / "postgres" / "server.pid").read_text())
        self._clock = Clock(pid)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._postgres.stop()
        self.store.stop()

    @contextmanager
    def dagster(self, defs: Path, **env: str) -> Iterator["Running"]:
        """`dagster dev` on the declarations, with a home and a database of its own."""
        number = next(self._numbers)
        folder = self._folder / f"dev-{number}"
        whole = {
            **os.environ,
            **self.store.env(),
            "INGEST_HOME": str(folder / "home"),
            "INGEST_DEFS": str(defs),
            "INGEST_POSTGRES_URL": new_database(self._postgres.url, f"many_{number}"),
            **env,
        }
        with DagsterDev(folder, whole) as dev:
            yield Running(dev, whole, self._clock)


class Running:
    """One `dagster dev`, and the CPU seconds that its parts have taken."""

    def __init__(self, dev: DagsterDev, env: Mapping[str, str], clock: Clock) -> None:
        self.ui = dev.ui
        self.home = dev.home
        self.env = env
        self.last_words = dev.last_words
        self._clock = clock
        self._root = psutil.Process(dev.pid)

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Its Dagster instance."""
        os.environ["INGEST_POSTGRES_URL"] = self.env["INGEST_POSTGRES_URL"]
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            yield instance

    def cpu_seconds(self) -> dict[str, float]:
        """By part: the daemon, the code servers, Postgres, and the others."""
        found = {"daemon": 0.0, "code_server": 0.0, "other": 0.0}
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                command, times = " ".join(process.cmdline()), process.cpu_times()
            except psutil.Error:
                continue
            part = next((p for word, p in _PARTS if word in command), "other")
            found[part] += times.user + times.system
        return {**found, "postgres": self._clock.postgres_cpu_seconds()}


_PARTS = (("api grpc", "code_server"), ("code_server", "code_server"), ("daemon", "daemon"))


class SilentServer:
    """Accepts connections, reads what comes, and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for connection in self.accepted:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(connection)
