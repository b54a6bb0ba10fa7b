"""What 100 scattered replacements cost in a table of 1000 files, beside a floor.

    python -m benchmarks replacements

The table is built twice, with 10 data files and with 1000. The commit that takes 100 files' earlier
rows out is measured in a process of its own; the new rows are staged before, because they cost what
any new file costs. The floor reads and writes, by pyarrow, the data files that had to be rewritten.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

from benchmarks.measure import run
from benchmarks.rewriting import sample_rows
from ingest_assets.schema.column import Column
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import Target, open_target

_OWNER = Owner("orders", "benchmark")
_IDENTIFIER = "raw.orders"
_FILES = 1000
_ROWS = 2500
_NOW = datetime(2026, 11, 21, tzinfo=UTC)


def measure() -> None:
    """Each table, with 10 and with 100 replacements; one line of JSON each."""
    for data_files in (10, _FILES):
        for replaced in (10, 100):
            with tempfile.TemporaryDirectory() as folder:
                _build(Path(folder), data_files)
                ours = _in_a_process("replace", folder, replaced)
                floor = _in_a_process("floor", folder, ours["rewritten_files"])
                print(
                    json.dumps(
                        {
                            "data_files": data_files,
                            "replaced": replaced,
                            "ours": ours,
                            "floor": floor,
                        }
                    )
                )


def _in_a_process(what: str, folder: str, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.replacements", what, folder, str(count)]
    cost = run(command, {"PATH": "", "PYTHONPATH": str(Path(__file__).parent.parent)})
    found: dict[str, Any] = json.loads(cost.stdout)
    return found


def _catalog(folder: Path) -> SqlCatalog:
    return SqlCatalog("lake", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")


def _build(folder: Path, data_files: int) -> None:
    target = _opened(_catalog(folder))
    each, made = _FILES // data_files, []
    for number in range(data_files):
        writer = DataFileWriter(target, f"first-{number:04}")
        for file_id in range(number * each, (number + 1) * each):
            writer.write(_file(file_id, version=0))
        made += writer.finish()
    assert len(made) == data_files
    commit(Prepared("first", target, made, "_file_id", []), lambda: True)


def _opened(catalog: SqlCatalog) -> Target:
    target = open_target(catalog, _IDENTIFIER, TableLayout(), _OWNER, must_exist=False)
    target.evolve(tuple(Column(field.name, field.type) for field in sample_rows(0, 1).schema))
    return target


def _file(file_id: int, version: int) -> pa.Table:
    rows = sample_rows(file_id * _ROWS, _ROWS)
    rows = rows.append_column("_source_row", pa.array(range(_ROWS), pa.int64()))
    rows = rows.append_column("_rescued_data", pa.nulls(_ROWS, pa.string()))
    content_id = file_id + version * _FILES
    origin = Origin(f"s3://landing/orders/{file_id}.json", file_id, content_id, _ROWS)
    return with_lineage(rows, [origin], _NOW)


def _replace(folder: Path, count: int) -> dict[str, Any]:
    """The cost of the commit that replaces `count` files, spread over the whole table."""
    target = _opened(_catalog(folder))
    ids = list(range(0, _FILES, _FILES // count))
    writer = DataFileWriter(target, "second")
    for file_id in ids:
        writer.write(_file(file_id, version=1))
    prepared = Prepared("second", target, writer.finish(), "_file_id", ids)
    committed: Any = None

    def work() -> None:
        nonlocal committed
        committed = commit(prepared, lambda: True)

    cost = _cost_of(work)
    assert committed.removed_rows == count * _ROWS
    return {**cost, "rewritten_files": committed.rewritten_files}


def _floor(folder: Path, count: int) -> dict[str, Any]:
    """As many of the data files read and written again, as a stream."""
    paths = sorted(folder.glob("w/**/first-*.parquet"))[:count]

    def work() -> None:
        for path in paths:
            source = pq.ParquetFile(path)
            with pq.ParquetWriter(
                folder / "copy.parquet", source.schema_arrow, compression="zstd"
            ) as writer:
                for batch in source.iter_batches(65_536):
                    writer.write_batch(batch, row_group_size=65_536)

    return _cost_of(work)


def _cost_of(work: Callable[[], None]) -> dict[str, Any]:
    """Seconds of CPU, megabytes through read and write, and by how much the peak memory grew."""
    memory, io, cpu = _peak_megabytes(), _megabytes(), time.process_time()
    work()
    cpu, after = time.process_time() - cpu, _megabytes()
    return {
        "cpu_seconds": round(cpu, 2),
        "read_mb": round(after["rchar"] - io["rchar"], 1),
        "written_mb": round(after["wchar"] - io["wchar"], 1),
        "peak_growth_mb": round(_peak_megabytes() - memory),
    }


def _megabytes() -> dict[str, float]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(value) / 1e6 for name, value in (line.split(": ") for line in lines)}


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    _, what, folder, count = sys.argv
    print(json.dumps({"replace": _replace, "floor": _floor}[what](Path(folder), int(count))))
