"""How long the Partitions page of an asset takes to show its partitions, in a browser.

    python -m benchmarks partitions-page --live 50000 --history 50000 --screenshot page.png

A webserver of its own on a filled instance; Debian's Chromium opens the page as a person does, in a
new browser each time. `first` is after partitions were added, when nothing is cached; `again`
without a change; `added` after another key was added to the set.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from playwright.sync_api import sync_playwright

from benchmarks.bookkeeping import Clock
from benchmarks.databases import new_database
from benchmarks.filled import Fill, fill
from benchmarks.growth import NAME, WARM_FILES, Place
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.ledger.server import EmbeddedPostgres

READY_SECONDS = 120
SHOWN_MILLISECONDS = 120_000
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def measure(live: int, history: int, screenshot: str | None) -> dict[str, Any]:
    """Seconds from the click on the address to the list of partitions with their numbers."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        DemoObjectStore(Path(name) / "s3") as store,
        EmbeddedPostgres(Path(name) / "postgres") as postgres,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", dg.PreviewWarning)
        os.environ.update(store.env())
        clock = Clock(int(Path(name, "postgres", "server.pid").read_text()))
        place = Place(Path(name), "full", new_database(postgres.url, "page"), store, clock)
        place.take_turn(WARM_FILES)
        size = Fill(max(live, history), live, history)
        fill(place.url, NAME, "new/0001/000000.json", size)
        with _webserver(place) as (url, server):
            opened = Opened(f"{url}/assets/raw/{NAME}?view=partitions", server, clock)
            shown = {"first": opened.shown(live + WARM_FILES, screenshot)}
            shown["again"] = opened.shown(live + WARM_FILES)
            place.instance.add_dynamic_partitions(NAME, ["one more.json"])
            shown["added"] = opened.shown(live + WARM_FILES + 1)
        place.close()
        return {"live": live, "history": history, **shown}


@dataclass(frozen=True)
class Opened:
    """A page that is opened again and again, and the processes behind it."""

    address: str
    server: psutil.Process
    clock: Clock

    def shown(self, partitions: int, screenshot: str | None = None) -> dict[str, Any]:
        """Seconds until the page shows so many partitions, and what the services needed for it."""
        with sync_playwright() as playwright:
            program = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 860})
            server, postgres = self._server_cpu(), self.clock.postgres_cpu_seconds()
            started = time.perf_counter()
            page.goto(self.address, wait_until="domcontentloaded")
            page.get_by_text(f"{partitions:,}").first.wait_for(timeout=SHOWN_MILLISECONDS)
            cost = {
                "seconds": round(time.perf_counter() - started, 2),
                "server_cpu_seconds": round(self._server_cpu() - server, 2),
                "postgres_cpu_seconds": round(self.clock.postgres_cpu_seconds() - postgres, 2),
            }
            if screenshot:
                page.wait_for_timeout(1000)
                page.screenshot(path=screenshot)
            browser.close()
        return cost

    def _server_cpu(self) -> float:
        times = [process.cpu_times() for process in (self.server, *self.server.children(True))]
        return sum(taken.user + taken.system for taken in times)


@contextmanager
def _webserver(place: Place) -> Iterator[tuple[str, psutil.Process]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "INGEST_HOME": str(place.home),
        "INGEST_DEFS": str(place.home / "defs"),
        "INGEST_POSTGRES_URL": place.url,
        "DAGSTER_HOME": str(place.home / "dagster"),
    }
    program = str(Path(sys.executable).parent / "dagster-webserver")
    module = ["-m", "ingest_assets.definitions", "-h", "127.0.0.1", "-p", str(port)]
    with (place.home / "webserver.log").open("wb") as log:
        server = subprocess.Popen([program, *module], env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/server_info", server)
        yield url, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(60)


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None or time.monotonic() > until:
                raise
        time.sleep(0.5)
