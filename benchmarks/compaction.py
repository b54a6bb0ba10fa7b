"""What a compaction of many small data files costs, and what a scan costs before and after it.

    python -m benchmarks compaction [--files 500]

A table is built as ingestion leaves it: a batch a commit, one data file each. Each scan, by
PyIceberg and by duckdb over the live data files, is a process of its own. The commit beside it is
one of ten files that replace earlier ones, as a batch makes it.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from benchmarks.measure import run
from benchmarks.rewriting import sample_rows
from ingest_assets.declaration.table_terms import SortTerm
from ingest_assets.schema.column import Column
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.compaction import compact
from ingest_assets.tables.compaction_plan import FileSizes
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.expiry import expire
from ingest_assets.tables.expiry_plan import Retention
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.manifests import plan_manifests, rewrite_manifests
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import Target, open_target

_OWNER = Owner("orders", "benchmark")
_IDENTIFIER = "raw.orders"
_ROWS = 2500
_NOW = datetime(2026, 11, 22, tzinfo=UTC)
_SIZES = FileSizes(128 * 1024**2, 5)


def measure(files: int) -> None:
    """A table without and one with a sort order; one line of JSON each."""
    for sort_by in ("", "customer_id"):
        with tempfile.TemporaryDirectory() as folder:
            _build(Path(folder), files, sort_by)
            found = {"sorted": bool(sort_by), "before": _looked_at(folder)}
            found["compaction"] = _in_a_process("compact", folder)
            found["after"] = _looked_at(folder)
            found["expiry"] = _in_a_process("expire", folder)
            found["after_expiry"] = _looked_at(folder)
            print(json.dumps(found), flush=True)


def _looked_at(folder: str) -> dict[str, Any]:
    parts = ("table", "pyiceberg", "duckdb", "duckdb_one_column", "commit")
    return {part: _in_a_process(part, folder) for part in parts}


def _in_a_process(what: str, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.compaction", what, folder]
    done = run(command, {"PATH": "", "PYTHONPATH": str(Path(__file__).parent.parent)})
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "peak_mb": round(done.peak_mb)}


def _catalog(folder: Path) -> SqlCatalog:
    return SqlCatalog("lake", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")


def _build(folder: Path, files: int, sort_by: str) -> None:
    layout = TableLayout(sort_by=(SortTerm.parse(sort_by),) if sort_by else ())
    catalog = _catalog(folder)
    for number in range(files):
        target = open_target(catalog, _IDENTIFIER, layout, _OWNER, must_exist=False)
        _commit(target, f"batch-{number:05}", [number], 0)


def _commit(target: Target, batch_id: str, file_ids: list[int], version: int) -> None:
    target.evolve(tuple(Column(field.name, field.type) for field in sample_rows(0, 1).schema))
    writer = DataFileWriter(target, batch_id)
    for file_id in file_ids:
        writer.write(_file(file_id, version))
    commit(Prepared(batch_id, target, writer.finish(), "_file_id", file_ids), lambda: True)


def _file(file_id: int, version: int) -> pa.Table:
    rows = sample_rows(file_id * _ROWS, _ROWS)
    rows = rows.append_column("_source_row", pa.array(range(_ROWS), pa.int64()))
    rows = rows.append_column("_rescued_data", pa.nulls(_ROWS, pa.string()))
    content_id = 2 * file_id + version
    origin = Origin(f"s3://landing/orders/{file_id}.json", file_id, content_id, _ROWS)
    return with_lineage(rows, [origin], _NOW)


def _table(folder: Path) -> dict[str, Any]:
    table = _catalog(folder).load_table(_IDENTIFIER)
    tasks = list(table.scan().plan_files())
    return {
        "files": len(tasks),
        "megabytes": round(sum(task.file.file_size_in_bytes for task in tasks) / 1e6, 1),
        "snapshots": len(table.snapshots()),
        "manifests": plan_manifests(table).manifests,
        "metadata_kb": round(len(table.io.new_input(table.metadata_location)) / 1e3),
        "warehouse_files": sum(path.is_file() for path in (folder / "w").rglob("*")),
    }


def _by_pyiceberg(folder: Path) -> dict[str, Any]:
    def work() -> int:
        return _catalog(folder).load_table(_IDENTIFIER).scan().to_arrow().num_rows

    return _cost_of(work)


def _by_duckdb(folder: Path, selection: str = "*") -> dict[str, Any]:
    table = _catalog(folder).load_table(_IDENTIFIER)
    paths = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]

    def work() -> int:
        with duckdb.connect() as connection:
            query = f"SELECT {selection} FROM read_parquet($paths)"
            return len(connection.execute(query, {"paths": paths}).to_arrow_table())

    return _cost_of(work)


def _compact(folder: Path) -> dict[str, Any]:
    catalog = _catalog(folder)

    def work() -> dict[str, Any]:
        done = compact(catalog, _IDENTIFIER, _OWNER, _SIZES, folder / "spool")
        return vars(done)

    return _cost_of(work)


def _expire(folder: Path) -> dict[str, Any]:
    catalog = _catalog(folder)

    def work() -> dict[str, int]:
        rewrite_manifests(catalog, _IDENTIFIER, _OWNER)
        done = expire(
            catalog,
            _IDENTIFIER,
            _OWNER,
            Retention(1, timedelta(0)),
            datetime.now(UTC) + timedelta(hours=1),
            lambda in_main, abandoned: frozenset(),
            lambda uuid, positions: None,
        )
        return {"snapshots": len(done.snapshots), "files": len(done.files.paths)}

    return _cost_of(work)


def _replace(folder: Path) -> dict[str, Any]:
    """Ten of the files have new content; the cost of their commit alone."""
    target = open_target(_catalog(folder), _IDENTIFIER, TableLayout(), _OWNER, must_exist=True)
    writer = DataFileWriter(target, f"again-{time.time_ns()}")
    ids = list(range(0, 100, 10))
    for file_id in ids:
        writer.write(_file(file_id, 1))
    prepared = Prepared(f"again-{time.time_ns()}", target, writer.finish(), "_file_id", ids)

    def work() -> int:
        return commit(prepared, lambda: True).removed_rows

    return _cost_of(work)


def _cost_of(work: Callable[[], Any]) -> dict[str, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return {
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "wall_seconds": round(time.perf_counter() - wall, 2),
        "result": result,
    }


_PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "table": _table,
    "pyiceberg": _by_pyiceberg,
    "duckdb": _by_duckdb,
    "duckdb_one_column": lambda folder: _by_duckdb(folder, "sum(_file_id)"),
    "commit": _replace,
    "compact": _compact,
    "expire": _expire,
}

if __name__ == "__main__":
    _, what, folder = sys.argv
    print(json.dumps(_PARTS[what](Path(folder))))
