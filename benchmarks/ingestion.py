"""One workload through `ingest-assets run`, and the floor beside it, in the same run."""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.databases import new_database
from benchmarks.measure import Cost, run
from benchmarks.workloads import Workload
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.ledger.server import EmbeddedPostgres

BUCKET = "bench"
_TARGETS = {"A": (1.5, 400)}


def measure(workload: Workload, repeat: int, scale: float) -> dict[str, Any]:
    """CPU, wall and peak memory of ours and of the floor, in turn, `repeat` times.

    `startup` is `ingest-assets run` with nothing to do: imports, Dagster, the services. Ours is
    given with and without it; Postgres and the S3 server are services and are not counted.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        DemoObjectStore(Path(folder) / "s3") as store,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
    ):
        os.environ.update(store.env())
        for key, body in workload.files(scale):
            store.put(BUCKET, f"{workload.name}/{key}", body)
        ours, startup, floor = [], [], []
        for number in range(repeat):
            home = Path(folder) / f"home-{number}"
            database = new_database(postgres.url, f"bench_{number}")
            env = environment(home, database, workload.format, workload.name)
            floor.append(run_floor(workload, home, env))
            first, again = ingest(env), ingest(env)
            ours.append(first)
            startup.append(again)
        return _summary(workload, ours, startup, floor)


def environment(
    home: Path,
    database_url: str,
    format_type: str,
    prefix: str,
    quality: Sequence[dict[str, Any]] = (),
) -> dict[str, str]:
    """Of a user whose one ingestion, `bench`, reads what is under the prefix."""
    defs = home / "defs" / "bench"
    defs.mkdir(parents=True)
    declaration = {
        "type": "ingest_assets.components.S3ToIceberg",
        "attributes": {
            "name": "bench",
            "source": {"uri": f"s3://{BUCKET}/{prefix}/"},
            "format": {"type": format_type},
            "table": {"identifier": "raw.bench"},
            "quality": list(quality),
        },
    }
    (defs / "defs.yaml").write_text(json.dumps(declaration))
    return {
        **os.environ,
        "INGEST_HOME": str(home),
        "INGEST_DEFS": str(home / "defs"),
        "INGEST_POSTGRES_URL": database_url,
    }


def ingest(env: dict[str, str]) -> Cost:
    """One pass of the ingestion of `environment`."""
    command = Path(sys.executable).parent / "ingest-assets"
    return run([str(command), "run", "bench", "--json"], env)


def run_floor(workload: Workload, home: Path, env: dict[str, str]) -> Cost:
    """What the floor costs; it has printed how many rows it wrote."""
    output = str(home / "floor.parquet")
    prefix = f"{workload.name}/"
    command = [sys.executable, "-m", "benchmarks.floor", BUCKET, prefix, workload.floor_scan]
    return run([*command, output], env)


def _summary(
    workload: Workload, ours: list[Cost], startup: list[Cost], floor: list[Cost]
) -> dict[str, Any]:
    outcome = json.loads(ours[0].stdout)
    expected = int(floor[0].stdout.strip())
    assert outcome["rows"] == expected, f"{outcome['rows']} rows, the floor has {expected}"
    work = [mine.cpu_seconds - idle.cpu_seconds for mine, idle in zip(ours, startup, strict=True)]
    ratio = statistics.median(
        cost / base.cpu_seconds for cost, base in zip(work, floor, strict=True)
    )
    whole = statistics.median(
        mine.cpu_seconds / base.cpu_seconds for mine, base in zip(ours, floor, strict=True)
    )
    return {
        "workload": workload.name,
        "rows": expected,
        "files": sum(outcome["files"].values()),
        "ours_cpu_seconds": _median(ours, lambda cost: cost.cpu_seconds),
        "startup_cpu_seconds": _median(startup, lambda cost: cost.cpu_seconds),
        "floor_cpu_seconds": _median(floor, lambda cost: cost.cpu_seconds),
        "ratio_without_startup": round(ratio, 2),
        "ratio_with_startup": round(whole, 2),
        "ours_wall_seconds": _median(ours, lambda cost: cost.wall_seconds),
        "floor_wall_seconds": _median(floor, lambda cost: cost.wall_seconds),
        "ours_peak_mb": _median(ours, lambda cost: cost.peak_mb),
        "floor_peak_mb": _median(floor, lambda cost: cost.peak_mb),
        "cores": psutil.cpu_count(),
    }


def _median(costs: list[Cost], figure: Callable[[Cost], float]) -> float:
    return round(statistics.median(figure(cost) for cost in costs), 2)
