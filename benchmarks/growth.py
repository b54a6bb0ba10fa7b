"""What a tick and its run cost when the ledger is full, beside the same on a new one.

    python -m benchmarks growth --files 1000000 --live 50000

Both deployments are in databases of one Postgres server and in buckets of one S3 server. They take
turns: 1000 new files are put, one tick finds and plans them and adds their partitions, and the run
that it asks for ingests them. The source holds the new files alone, as after `after_success:
delete`: what a listing of the known ones costs is measured by itself.
"""

import gc
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import obstore
import psutil
import yaml
from obstore.store import S3Store

from benchmarks.bookkeeping import OURS, Clock
from benchmarks.databases import new_database
from benchmarks.filled import Fill, fill
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.deployment import Deployment
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import listing
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.names import IO_MANAGER_KEY
from ingest_assets.orchestration.tick import Tick, run_tick
from ingest_assets.settings import Settings

NEW_FILES = 1000
WARM_FILES = 10
PAGE_FILES = 1000
LISTED_FILES = 100_000
BUCKET = "bench"
NAME = "orders"


@dataclass
class Costs:
    """Wall and CPU seconds of one kind of work, ours and Postgres's, a value each turn."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    postgres_cpu_seconds: list[float] = field(default_factory=list)

    def medians(self) -> dict[str, float]:
        return {name: round(statistics.median(taken), 4) for name, taken in asdict(self).items()}


class Place:
    """One deployment with its Dagster instance, source and costs."""

    def __init__(
        self, folder: Path, name: str, postgres_url: str, store: DemoObjectStore, clock: Clock
    ) -> None:
        home = folder / name
        (home / "defs" / NAME).mkdir(parents=True)
        self.url = postgres_url
        self.home = home
        self.tick, self.run = Costs(), Costs()
        self._name, self._store, self._clock, self._turn = name, store, clock, 0
        declared: dict[str, Any] = {
            "name": NAME,
            "source": {"uri": f"s3://{BUCKET}/{name}/"},
            "format": {"type": "json"},
            "table": {"identifier": f"raw.{NAME}"},
        }
        document = {"type": "ingest_assets.components.S3ToIceberg", "attributes": declared}
        (home / "defs" / NAME / "defs.yaml").write_text(yaml.safe_dump(document))
        self.ingestion = Ingestion.model_validate(declared)
        self.deployment = Deployment(Settings(home, home / "defs", home / "dagster", postgres_url))
        self.instance = dg.DagsterInstance.from_config(str(self._dagster_home()))
        self.asset = build_asset(self.ingestion, lambda: self.deployment)
        self.deployment.ledger.register(NAME, f"raw.{NAME}")

    def _dagster_home(self) -> Path:
        home = self.home / "dagster"
        home.mkdir()
        config: dict[str, Any] = {
            part: {"module": module, "class": kind, "config": {"postgres_url": self.url}}
            for part, (module, kind) in OURS.items()
        }
        config |= {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
        (home / "dagster.yaml").write_text(yaml.safe_dump(config))
        return home

    def take_turn(self, files: int = NEW_FILES) -> None:
        """New files have arrived, been found by a tick, and been ingested by its run."""
        self._turn += 1
        names = [f"new/{self._turn:04d}/{number:06d}.json" for number in range(files)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._put, names))
        tick = self._measured(self.tick, self._tick)
        assert sum(len(batch.keys) for batch in tick.planned) == files
        for request in tick.run_requests:
            self._measured(self.run, lambda tags=request.tags: self._run(tags))
        self._delete(names)

    def _put(self, name: str) -> None:
        rows = [{"order_id": number, "name": name, "amount": number / 7} for number in range(20)]
        body = "\n".join(map(json.dumps, rows)).encode()
        self._store.put(BUCKET, f"{self._name}/{name}", body)

    def _delete(self, names: list[str]) -> None:
        source = S3Store(BUCKET, client_options={"allow_http": True})
        obstore.delete(source, [f"{self._name}/{name}" for name in names])

    def _tick(self) -> Tick:
        return run_tick(self.deployment, self.ingestion, self.instance, "sensor")

    def _run(self, tags: dict[str, str]) -> None:
        result = dg.materialize(
            [self.asset],
            instance=self.instance,
            resources={IO_MANAGER_KEY: IcebergIOManager(lambda: self.deployment)},
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        assert result.success

    def _measured(self, costs: Costs, work: Callable[[], Any]) -> Any:
        gc.collect()  # what the turn before left is not this one's cost
        wall, own = time.perf_counter(), time.process_time()
        postgres = self._clock.postgres_cpu_seconds()
        result = work()
        costs.seconds.append(time.perf_counter() - wall)
        costs.cpu_seconds.append(time.process_time() - own)
        costs.postgres_cpu_seconds.append(self._clock.postgres_cpu_seconds() - postgres)
        return result

    def forget_costs(self) -> None:
        self.tick, self.run = Costs(), Costs()

    def close(self) -> None:
        self.instance.dispose()
        self.deployment.ledger.dispose()


def measure(files: int, live: int, history: int, repeat: int) -> dict[str, Any]:
    """Medians over the turns of both deployments, and how many times the full one costs."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        DemoObjectStore(Path(name) / "s3") as store,
        EmbeddedPostgres(Path(name) / "postgres") as postgres,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", dg.PreviewWarning)
        os.environ.update(store.env())
        clock = Clock(int(Path(name, "postgres", "server.pid").read_text()))
        places = {
            kind: Place(
                Path(name), kind, new_database(postgres.url, f"growth_{kind}"), store, clock
            )
            for kind in ("empty", "full")
        }
        for place in places.values():
            place.take_turn(WARM_FILES)
        full = places["full"]
        fill(full.url, NAME, "new/0001/000000.json", Fill(files, live, history))
        for place in places.values():
            place.take_turn()
            place.forget_costs()
        for turn in range(repeat):
            for place in list(places.values())[:: 1 if turn % 2 else -1]:
                place.take_turn()
        result = _summary(places)
        result["seconds_to_record_100000_known_files"] = _listing(full)
        result |= {"files": files, "live": live, "history": history, "repeat": repeat}
        for place in places.values():
            place.close()
        return result


def _summary(places: dict[str, Place]) -> dict[str, Any]:
    result: dict[str, Any] = {"cores": psutil.cpu_count()}
    for work in ("tick", "run"):
        medians = {kind: getattr(place, work).medians() for kind, place in places.items()}
        result[work] = {
            **medians,
            "full_over_empty": {
                figure: round(medians["full"][figure] / max(base, 1e-4), 2)
                for figure, base in medians["empty"].items()
            },
        }
    return result


def _listing(place: Place) -> float:
    """What the ledger's part of a listing costs for files that it knows, page by page."""
    with place.deployment.ledger.transaction() as connection:
        known = connection.exec_driver_sql(
            "UPDATE ingest.files SET gone_at = NULL WHERE file_id IN "
            "(SELECT file_id FROM ingest.files "
            f"WHERE committed_batch_id LIKE 'old-%%' ORDER BY key LIMIT {LISTED_FILES}) "
            "RETURNING key, uri, size_bytes, etag"
        ).all()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    listed = sorted(
        (SourceFile(row.key, row.uri, row.size_bytes, row.etag, at) for row in known),
        key=lambda file: file.key,
    )
    started = time.perf_counter()
    for begin in range(0, len(listed), PAGE_FILES):
        with place.deployment.ledger.transaction() as connection:
            listing.record_listing(connection, NAME, listed[begin : begin + PAGE_FILES])
    return round((time.perf_counter() - started) * LISTED_FILES / max(len(listed), 1), 2)
