"""Ours and the floor beside other libraries, on the same objects of the same S3 server, in turn.

Each peer is a program of `benchmarks.peer`, run by the interpreter of an environment of its own,
because daft and s3fs want other versions of pyarrow and botocore than the product does.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ingestion
from benchmarks.databases import new_database
from benchmarks.measure import Cost, run
from benchmarks.peer_table import LeftTable, left_table
from benchmarks.workloads import Workload
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.ledger.server import EmbeddedPostgres

_REASON_CHARACTERS = 200


@dataclass(frozen=True)
class Peer:
    """`name` is its module in `benchmarks.peer`; `packages` are the distributions that do the work.

    One that takes minutes is run once, however often the others are.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    is_slow: bool = False


PEERS = {
    peer.name: peer
    for peer in (
        Peer("floe", "floe", ("floe-python",)),
        Peer("duckdb_files", "duckdb, PyIceberg adds its file", ("duckdb", "pyiceberg")),
        Peer("duckdb", "duckdb, PyIceberg writes", ("duckdb", "pyiceberg", "pyarrow")),
        Peer("polars", "polars, `sink_iceberg`", ("polars", "pyiceberg")),
        Peer("daft", "daft, `write_iceberg`", ("daft", "pyiceberg", "pyarrow")),
        Peer("dlt", "dlt", ("dlt", "pyiceberg", "pyarrow"), is_slow=True),
        Peer("spark", "Spark, PyIceberg adds its files", ("pyspark", "pyiceberg"), is_slow=True),
    )
}


@dataclass
class Measured:
    """What one program cost and left, run by run; `failure` is why there is not more."""

    title: str
    costs: list[Cost] = field(default_factory=list)
    tables: list[LeftTable | None] = field(default_factory=list)
    failure: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Of one workload. `startup` is a second pass of ours, which finds nothing to do."""

    workload: str
    expected_rows: int
    floor: Measured
    ours: Measured
    startup: Measured
    peers: list[Measured]


def interpreter() -> str:
    """That of `make peers`, from the project's folder; this one if there is none."""
    own = Path(".venv-peers/bin/python")
    return str(own.absolute()) if own.exists() else sys.executable


def versions(python: str) -> dict[str, str]:
    """Of each peer's distributions that the interpreter finds, by name."""
    packages = sorted({package for peer in PEERS.values() for package in peer.packages})
    script = (
        "import importlib.metadata as m, json, sys\n"
        "found = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        "print(json.dumps({p: found[p] for p in sys.argv[1:] if p in found}))"
    )
    listed = subprocess.run(
        [python, "-c", script, *packages], check=True, capture_output=True, text=True
    )
    found: dict[str, str] = json.loads(listed.stdout)
    return found


def compare(
    workload: Workload, names: Sequence[str], python: str, repeat: int, scale: float
) -> Comparison:
    """Each program has done the workload `repeat` times, in turn, and its table was read back."""
    with (
        tempfile.TemporaryDirectory(prefix="peers-") as folder,
        DemoObjectStore(Path(folder) / "s3") as store,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
    ):
        os.environ.update(store.env())
        for key, body in workload.files(scale):
            store.put(ingestion.BUCKET, f"{workload.name}/{key}", body)
        found = versions(python)
        measured = {name: not_yet_run(PEERS[name], found) for name in names}
        floor, ours, startup = Measured("floor"), Measured("ours"), Measured("ours, start-up")
        for number in range(repeat):
            home = Path(folder) / f"home-{number}"
            database = new_database(postgres.url, f"bench_{number}")
            env = ingestion.environment(home, database, workload.format, workload.name)
            _log(floor, ingestion.run_floor(workload, home, env))
            _log(ours, ingestion.ingest(env), left_table(home))
            _log(startup, ingestion.ingest(env))
            for name in names:
                if measured[name].failure is None and not (PEERS[name].is_slow and number):
                    run_peer(measured[name], workload, name, python, home / name)
        rows = int(floor.costs[0].stdout.strip())
        return Comparison(workload.name, rows, floor, ours, startup, list(measured.values()))


def not_yet_run(peer: Peer, found: dict[str, str]) -> Measured:
    """Nothing was measured; one that is not among the found versions has failed already."""
    missing = [package for package in peer.packages if package not in found]
    return Measured(peer.title, failure=f"not installed: {', '.join(missing)}" if missing else None)


def run_peer(measured: Measured, workload: Workload, name: str, python: str, folder: Path) -> None:
    """One run more is in `measured`, or why there was none; the folder holds what it left."""
    folder.mkdir()
    command = [python, "-m", f"benchmarks.peer.{name}", ingestion.BUCKET, f"{workload.name}/"]
    try:
        cost = run([*command, workload.format, str(folder)], os.environ)
    except RuntimeError as error:
        measured.failure = _reason(str(error))
        print(f"{name}: {error}", file=sys.stderr)
        return
    _log(measured, cost, left_table(folder))


def _reason(output: str) -> str:
    """The last line that begins with an exception's name; the last of all if none does."""
    lines = output.strip().splitlines()
    raised = [line for line in lines if re.match(r"[A-Za-z_][\w.]*: ", line)]
    return [*lines, *raised][-1][:_REASON_CHARACTERS]


def _log(measured: Measured, cost: Cost, table: LeftTable | None = None) -> None:
    measured.costs.append(cost)
    measured.tables.append(table)
    figures = f"{cost.cpu_seconds:.2f} CPU s, {cost.wall_seconds:.1f} s, {cost.peak_mb:.0f} MB"
    print(f"{measured.title}: {figures}, {table or ''}", file=sys.stderr, flush=True)
