"""A real Prometheus that scrapes one address, and `ingest-assets metrics` for it to scrape."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest_assets.metrics import exporter
from ingest_assets_tests.end_to_end.dagster_dev import free_port
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.waiting import wait_for

RULES = Path(exporter.__file__).parent / "prometheus-rules.yaml"
READY_SECONDS = 60
STOP_SECONDS = 20

_CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: ingest_assets
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@contextmanager
def serving(product: Product) -> Iterator[int]:
    """The port at which `ingest-assets metrics` answers."""
    port = free_port()
    process = product.start("metrics", "--port", str(port))
    try:
        assert process.stdout is not None
        assert "Metrics are at" in process.stdout.readline()
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=STOP_SECONDS)


def scrape(port: int) -> str:
    """The metrics as text, as Prometheus gets them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return str(response.read().decode())


class Prometheus:
    """The program with a configuration and a data folder of its own."""

    def __init__(self, program: str, folder: Path, scraped_port: int) -> None:
        folder.mkdir()
        config = folder / "prometheus.yml"
        config.write_text(_CONFIG.format(rules=RULES, port=scraped_port))
        self._port = free_port()
        self._log = folder / "log"
        self._command = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]

    def __enter__(self) -> "Prometheus":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(STOP_SECONDS)

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text().splitlines()[-20:])

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its HTTP API; None while it does not answer."""
        assert self._process.poll() is None, self.last_words()
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except OSError:
            return None

    def value(self, query: str) -> float | None:
        """The newest value of a query with one result; None while there is none."""
        answer = self.get("query", query=query)
        results = answer["result"] if answer else []
        return float(results[0]["value"][1]) if results else None

    def wait_for_value(self, query: str, wanted: float) -> None:
        """The query has that value by now."""
        wait_for(
            f"{query} = {wanted}",
            lambda: self.value(query) == wanted,
            seconds=READY_SECONDS,
            otherwise=lambda: f"It is {self.value(query)}.\n{self.last_words()}",
        )
