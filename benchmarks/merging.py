"""What merging 10,000 rows into a table of 1,000,000 costs, beside plain delete plus append.

    python -m benchmarks merge [--repeat 3]

Each variant begins with a copy of the same table and is a process of its own. Measured is the CPU
of the commit: ours finds the keys, and takes out and puts in, in one snapshot. The plain one is
PyIceberg's `delete` with the keys as its filter, and its `append`: two snapshots, and nobody asks
which row is newer. The keys that come are spread over all of the table, nine in ten are there.
"""

import json
import shutil
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import And, BooleanExpression, EqualTo, In, Or

from benchmarks.measure import run
from ingest_assets.declaration.table_terms import PartitionTerm
from ingest_assets.schema.column import Column
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import ORDERED_LINEAGE, Origin, with_lineage
from ingest_assets.tables.merging import Merge
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import Target, open_target

_OWNER = Owner("orders", "benchmark")
_IDENTIFIER = "raw.orders"
_ROWS, _COMING, _DAYS = 1_000_000, 10_000, 30
_STEP = 109
"""Every so manyth row comes again, of every day."""
_NOW = datetime(2026, 11, 22, tzinfo=UTC)
_FIRST = date(2026, 1, 1)
KEYS = {"id": ("id",), "code and day": ("code", "day")}
LAYOUTS = {"whole": TableLayout(), "by day": TableLayout((PartitionTerm.parse("day(day)"),))}


def measure(repeat: int) -> None:
    """Each key and layout, both variants by turns; one line of JSON each."""
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory() as made:
            _build(Path(made), layout)
            for key in KEYS:
                ours, plain = [], []
                for _ in range(repeat):
                    ours.append(_on_a_copy("ours", made, layout, key))
                    plain.append(_on_a_copy("plain", made, layout, key))
                best = min(o["cpu_seconds"] for o in ours), min(p["cpu_seconds"] for p in plain)
                said = {"layout": layout, "key": key, "ours": ours, "plain": plain}
                print(json.dumps(said | {"ratio": round(best[0] / best[1], 2)}), flush=True)


def _on_a_copy(what: str, made: str, layout: str, key: str) -> dict[str, Any]:
    """The catalog knows absolute addresses, so the copy takes the place of the original."""
    kept = f"{made}-kept"
    shutil.copytree(made, kept)
    try:
        command = [sys.executable, "-m", "benchmarks.merging", what, made, layout, key]
        cost = run(command, {"PATH": "", "PYTHONPATH": str(Path(__file__).parent.parent)})
        found: dict[str, Any] = json.loads(cost.stdout)
        return found | {"peak_mb": round(cost.peak_mb)}
    finally:
        shutil.rmtree(made)
        shutil.move(kept, made)


def _catalog(folder: Path) -> SqlCatalog:
    return SqlCatalog("lake", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")


def _opened(folder: Path, layout: str) -> Target:
    target = open_target(_catalog(folder), _IDENTIFIER, LAYOUTS[layout], _OWNER, must_exist=False)
    target.lineage = ORDERED_LINEAGE
    target.evolve(tuple(Column(field.name, field.type) for field in _rows(0, 1, 1).schema))
    return target


def _rows(start: int, count: int, step: int) -> pa.Table:
    numbers = pa.array(range(start, start + count * step, step), pa.int64())
    mixed = pc.bit_wise_and(pc.multiply(numbers, 2_654_435_761), 0xFFFFFF)
    days = pc.subtract(numbers, pc.multiply(pc.divide(numbers, _DAYS), _DAYS))
    first = (_FIRST - date(1970, 1, 1)).days
    return pa.table(
        {
            "id": numbers,
            "code": pc.binary_join_element_wise("order", numbers.cast(pa.string()), "-"),
            "day": pc.add(days, first).cast(pa.int32()).cast(pa.date32()),
            "customer_id": mixed,
            "status": pa.array(["new", "paid", "sent", "back"]).take(pc.bit_wise_and(mixed, 3)),
            "amount": pc.divide(mixed.cast(pa.float64()), 100.0),
            "ordered_at": pc.multiply(mixed, 1_000_003).cast(pa.timestamp("us", tz="UTC")),
        }
    )


def _of_file(rows: pa.Table, file_id: int) -> pa.Table:
    rows = rows.append_column("_source_row", pa.array(range(rows.num_rows), pa.int64()))
    rows = rows.append_column("_rescued_data", pa.nulls(rows.num_rows, pa.string()))
    moment = _NOW + timedelta(minutes=file_id)
    uri = f"s3://landing/orders/{file_id}.json"
    return with_lineage(rows, [Origin(uri, file_id, file_id, rows.num_rows, moment)], _NOW)


def _build(folder: Path, layout: str) -> None:
    """Ten files of 100,000 rows each, committed one after the other."""
    for number in range(10):
        target = _opened(folder, layout)
        writer = DataFileWriter(target, f"first-{number}")
        each = _ROWS // 10
        writer.write(_of_file(_rows(number * each, each, 1), number))
        commit(Prepared(f"first-{number}", target, writer.finish(), "_file_id", ()), _yes)


def _yes() -> bool:
    return True


def _coming() -> pa.Table:
    return _of_file(_rows(0, _COMING, _STEP), 99)


def _ours(folder: Path, layout: str, key: str) -> dict[str, Any]:
    target = _opened(folder, layout)
    writer = DataFileWriter(target, "second")
    started = time.process_time()
    writer.write(_coming())
    prepared = Prepared("second", target, writer.finish(), "_file_id", (), Merge(KEYS[key]))
    committed = commit(prepared, _yes)
    seconds = time.process_time() - started
    return {"cpu_seconds": round(seconds, 2), "removed": committed.removed_rows}


def _plain(folder: Path, layout: str, key: str) -> dict[str, Any]:
    table = _catalog(folder).load_table(_IDENTIFIER)
    rows = _coming()
    rows = rows.select(table.schema().column_names).cast(table.schema().as_arrow())
    started = time.process_time()
    table.delete(_filter(rows.select(KEYS[key])))
    deleted = time.process_time()
    removed = _ROWS - int(table.scan().count())
    counted = time.process_time()
    table.append(rows)
    seconds = time.process_time() - started - (counted - deleted)
    return {"cpu_seconds": round(seconds, 2), "removed": removed}


def _filter(keys: pa.Table) -> BooleanExpression:
    """Of a single key one `In`; of two columns one `In` for each value of the second."""
    if keys.num_columns == 1:
        return In(keys.column_names[0], keys[0].to_pylist())
    first, second = keys.column_names
    groups = keys.group_by(second).aggregate([(first, "list")]).to_pylist()
    parts = [And(EqualTo(second, g[second]), In(first, g[f"{first}_list"])) for g in groups]
    return reduce(Or, parts)


if __name__ == "__main__":
    _, what, folder, layout, key = sys.argv
    print(json.dumps({"ours": _ours, "plain": _plain}[what](Path(folder), layout, key)))
