"""Many small files put at once into an empty ingestion, while `ingest-assets dev` runs on it.

    python -m benchmarks load [--files 10000] [--runs 1]

`--runs` is the declaration's `batch.max_concurrent_runs`. The clock runs from the first put until
the last partition is green. What is told beside it: where the time went (ticks, waits for runs,
reading, committing, telling Dagster) from the ledger and Dagster's own records, and the CPU of each
kind of process.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from obstore.store import S3Store
from sqlalchemy import create_engine, text

from benchmarks.databases import new_database
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.ledger.server import EmbeddedPostgres

BUCKET = "load"
FILE_BYTES = 10_000
SEED = 20261121
LIMIT_SECONDS = 1200.0
_ROWS_PER_FILE = 60
_SPANS = """
    SELECT extract(epoch FROM min(created_at)) AS planned,
           extract(epoch FROM min(prepared_at)) AS first_claimed,
           sum(extract(epoch FROM prepared_at - created_at)) / count(*) AS planned_to_claimed,
           sum(extract(epoch FROM finished_at - prepared_at)) AS claimed_to_committed,
           sum(extract(epoch FROM reported_at - finished_at)) AS committed_to_reported,
           count(*) AS batches
    FROM ingest.batches WHERE status = 'COMMITTED'
"""


def load(files: int, runs: int = 1) -> dict[str, Any]:
    """What the load cost, and where; fails if a file is not green in time."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        DemoObjectStore(Path(folder) / "s3") as store,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
    ):
        home = Path(folder) / "home"
        env = _environment(home, store, new_database(postgres.url, "load"), runs)
        store.put(BUCKET, "elsewhere", b"the bucket exists")
        os.environ.update(env)
        server = psutil.Process(int((Path(folder) / "postgres" / "server.pid").read_text()))
        dev = _start(home, env)
        try:
            return _measured(home, server, env, files)
        finally:
            dev.send_signal(signal.SIGINT)
            dev.wait(120)


def _environment(
    home: Path, store: DemoObjectStore, postgres_url: str, runs: int
) -> dict[str, str]:
    defs = home / "defs" / "load"
    defs.mkdir(parents=True)
    declaration = {
        "type": "ingest_assets.components.S3ToIceberg",
        "attributes": {
            "name": "load",
            "source": {"uri": f"s3://{BUCKET}/load/", "discovery": {"interval_seconds": 5}},
            "format": {"type": "json"},
            "table": {"identifier": "raw.load"},
            "batch": {"max_concurrent_runs": runs},
        },
    }
    (defs / "defs.yaml").write_text(json.dumps(declaration))
    return {
        **os.environ,
        **store.env(),
        "INGEST_HOME": str(home),
        "INGEST_DEFS": str(home / "defs"),
        "INGEST_POSTGRES_URL": postgres_url,
        "INGEST_SENSORS_ON": "1",
    }


def _start(home: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """`ingest-assets dev`, which has made its first tick."""
    command = [str(Path(sys.executable).parent / "ingest-assets"), "dev"]
    with (home / "dev.log").open("wb") as log:
        dev = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    engine, deadline = create_engine(env["INGEST_POSTGRES_URL"]), time.monotonic() + 180
    first = text("SELECT 1 FROM ingest.ingestions WHERE last_listed_at IS NOT NULL")
    while time.monotonic() < deadline and dev.poll() is None:
        with engine.connect() as connection:
            if (
                connection.execute(text("SELECT to_regclass('ingest.ingestions')")).scalar()
                and connection.execute(first).first()
            ):
                engine.dispose()
                return dev
        time.sleep(0.5)
    raise RuntimeError(f"no tick was made:\n{(home / 'dev.log').read_text()[-3000:]}")


def _measured(
    home: Path,
    server: psutil.Process,
    env: dict[str, str],
    files: int,
) -> dict[str, Any]:
    cpu = {"before": _cpu(home, server)}
    started = time.time()
    _put(files)
    put_seconds = time.time() - started
    engine = create_engine(env["INGEST_POSTGRES_URL"])
    green = _await_green(engine, files, started)
    time.sleep(5)  # the last run's process ends, and counts for its parent
    cpu["after"] = _cpu(home, server)
    with engine.connect() as connection:
        spans = connection.execute(text(_SPANS)).one()._asdict()
    engine.dispose()
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        runs = instance.get_run_records()
        found = len(instance.get_materialized_partitions(dg.AssetKey(["raw", "load"])))
    assert found == files, f"{found} partitions of {files} are green"
    return {
        "files": files,
        "seconds": round(green, 1),
        "files_per_second": round(files / green, 1),
        "seconds_of_putting": round(put_seconds, 1),
        "first_batch_planned_after": round(float(spans["planned"]) - started, 1),
        "first_batch_claimed_after": round(float(spans["first_claimed"]) - started, 1),
        "batches": spans["batches"],
        "runs": len(runs),
        "sum_of_runs_start_to_end": round(
            sum((r.end_time or 0) - (r.start_time or 0) for r in runs), 1
        ),
        "sum_of_runs_created_to_start": round(
            sum((r.start_time or 0) - r.create_timestamp.timestamp() for r in runs), 1
        ),
        "claimed_to_committed": round(float(spans["claimed_to_committed"]), 1),
        "committed_to_reported": round(float(spans["committed_to_reported"]), 1),
        "cpu_seconds": {
            kind: round(seconds - cpu["before"].get(kind, 0.0), 1)
            for kind, seconds in sorted(cpu["after"].items())
        },
        "cores": psutil.cpu_count(),
    }


def _put(files: int) -> None:
    draw = random.Random(SEED)
    bodies = [_body(draw, number) for number in range(50)]
    bucket = S3Store(BUCKET, client_options={"allow_http": True})
    with ThreadPoolExecutor(16) as pool:
        for done in [
            pool.submit(bucket.put, f"load/{n:06d}.jsonl", bodies[n % 50]) for n in range(files)
        ]:
            done.result()


def _body(draw: random.Random, number: int) -> bytes:
    lines = [
        json.dumps({"id": number * 1000 + row, "value": draw.random(), "word": "x" * 110})
        for row in range(_ROWS_PER_FILE)
    ]
    return ("\n".join(lines) + "\n").encode()[:FILE_BYTES].rpartition(b"\n")[0] + b"\n"


def _await_green(engine: Any, files: int, started: float) -> float:
    """Seconds from `started` until the last batch of so many files was told to Dagster."""
    last = text("""
        SELECT count(*) AS files, extract(epoch FROM max(b.reported_at)) AS at
        FROM ingest.files f JOIN ingest.batches b ON b.batch_id = f.committed_batch_id
        WHERE f.status = 'SUCCESS' AND b.reported_at IS NOT NULL
    """)
    while time.time() - started < LIMIT_SECONDS:
        with engine.connect() as connection:
            row = connection.execute(last).one()
        if row.files == files:
            return float(row.at) - started
        time.sleep(1)
    raise RuntimeError(f"{row.files} of {files} files were green after {LIMIT_SECONDS} s")


def _cpu(home: Path, server: psutil.Process) -> dict[str, float]:
    """CPU seconds so far of each kind of process; what has ended counts for its parent."""
    seconds: dict[str, float] = defaultdict(float)
    for process in psutil.process_iter():
        try:
            if process.environ().get("INGEST_HOME") != str(home) or process.pid == os.getpid():
                continue
            times, words = process.cpu_times(), " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        kind = next((kind for part, kind in _KINDS.items() if part in words), "others")
        seconds[kind] += times.user + times.system
        seconds[f"{kind}, ended children"] += times.children_user + times.children_system
    family = [server, *server.children()]
    seconds["postgres"] = sum(t.user + t.system for t in (p.cpu_times() for p in family))
    reaped = server.cpu_times()
    seconds["postgres"] += reaped.children_user + reaped.children_system
    return dict(seconds)


_KINDS = {
    "dagster._daemon": "daemon",
    "daemon run": "daemon",
    "webserver": "webserver",
    "code-server": "code server",
    "api grpc": "code server",
    "dagster dev": "dagster dev",
    "ingest-assets dev": "ingest-assets dev",
}
