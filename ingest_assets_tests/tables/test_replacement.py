"""Rows of earlier contents leave, and everybody else's stay exactly as they were."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest_assets.tables import data_files
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.replacement import is_in, replace_rows
from ingest_assets_tests.tables.lake import Lake, columns, layout
from ingest_assets_tests.tables.position_deletes import delete_positions

PAIR = pa.struct([("x", pa.int64()), ("y", pa.string())])
SHAPE = columns(
    id=pa.int64(),
    region=pa.string(),
    price=pa.decimal128(10, 2),
    at=pa.timestamp("us", tz="UTC"),
    pairs=pa.list_(pa.field("element", PAIR)),
    parts=pa.map_(pa.string(), PAIR),
    inner=pa.struct([("pair", PAIR), ("tags", pa.list_(pa.string()))]),
)


def _rows(file_id: int, count: int = 6) -> pa.Table:
    """Rows with nulls and empties at every depth."""
    pair = {"x": file_id, "y": None}
    return pa.table(
        {
            "id": pa.array([file_id * 1000 + n for n in range(count)], pa.int64()),
            "region": [["eu", None, "null"][n % 3] for n in range(count)],
            "price": pa.array([Decimal(n) / 4 for n in range(count)], pa.decimal128(10, 2)),
            "at": pa.array([-n for n in range(count)], pa.timestamp("us", tz="UTC")),
            "pairs": pa.array(
                [[None, [], [pair, None]][n % 3] for n in range(count)], SHAPE[4].type
            ),
            "parts": pa.array(
                [[None, [], [("k", pair), ("l", None)]][n % 3] for n in range(count)],
                SHAPE[5].type,
            ),
            "inner": pa.array(
                [
                    [None, {"pair": None, "tags": None}, {"pair": pair, "tags": []}][n % 3]
                    for n in range(count)
                ],
                SHAPE[6].type,
            ),
        }
    )


def _written(lake: Lake) -> dict[int, dict[str, Any]]:
    """The rows by id as the Parquet files have them; PyIceberg's reader loses nulls."""
    rows: list[dict[str, Any]] = []
    for address in lake.addresses():
        rows += pq.ParquetFile(address.removeprefix("file://")).read().to_pylist()
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


LAYOUTS = [
    layout(),
    layout("region"),
    layout(sort_by=["id desc"]),
    layout("bucket(2, id)", sort_by=["region"]),
]


@pytest.mark.parametrize("wanted", LAYOUTS)
def test_rows_of_others_in_a_shared_data_file_are_kept_exactly(lake: Lake, wanted: Any) -> None:
    lake.write({n: _rows(n) for n in range(1, 6)}, wanted, shape=SHAPE)
    before = _written(lake)
    committed = lake.write({2: _rows(2, 3), 4: _rows(4, 3)}, wanted, shape=SHAPE)
    after = _written(lake)
    others = {key: row for key, row in before.items() if key // 1000 in (1, 3, 5)}
    assert {key: row for key, row in after.items() if key // 1000 in (1, 3, 5)} == others
    assert sorted(key for key in after if key // 1000 in (2, 4)) == [
        2000,
        2001,
        2002,
        4000,
        4001,
        4002,
    ]
    assert (committed.removed_rows, committed.rewritten_rows) == (12, 18)


def test_data_files_of_leaving_rows_alone_are_dropped_and_not_read_again(lake: Lake) -> None:
    lake.write({1: _rows(1)}, shape=SHAPE)
    lake.write({2: _rows(2)}, shape=SHAPE)
    kept = lake.addresses()
    committed = lake.write({1: _rows(1, 2)}, shape=SHAPE)
    assert (committed.removed_rows, committed.rewritten_files) == (6, 0)
    assert len(set(kept) & set(lake.addresses())) == 1


def test_ids_that_were_never_there_cost_no_data_file(lake: Lake) -> None:
    lake.write({n: _rows(n) for n in (1, 2000)}, shape=SHAPE)
    before = lake.addresses()
    committed = lake.write({1000: _rows(1000)}, ids=range(3, 1003), shape=SHAPE)
    assert (committed.removed_rows, committed.rewritten_files) == (0, 0)
    assert set(before) < set(lake.addresses())


def test_a_thousand_files_are_replaced_at_once(lake: Lake) -> None:
    for first in (1, 501):
        lake.write({n: _rows(n, 1) for n in range(first, first + 500)}, shape=SHAPE)
    lake.write({n: _rows(n, 1) for n in range(2001, 2003)}, shape=SHAPE)
    committed = lake.write({1: _rows(1, 1)}, ids=range(1, 1001), shape=SHAPE)
    assert committed.removed_rows == 1000
    assert lake.column("id") == [1000, 2001000, 2002000]


def test_a_filter_is_cut_into_parts_that_prune() -> None:
    assert str(is_in("a", [])) == "AlwaysFalse()"
    assert str(is_in("a", [2, 1])).startswith("In(")
    assert str(is_in("a", range(1000))).count("In(") == 5


def test_older_rows_are_moved_into_the_newer_schema(lake: Lake) -> None:
    lake.write({1: pa.table({"id": [1]}), 2: pa.table({"id": [2]})}, shape=columns(id=pa.int32()))
    wider = columns(id=pa.int64(), more=PAIR)
    lake.write({2: pa.table({"id": [2**40]})}, shape=wider)
    assert lake.column("id") == [1, 2**40]
    (moved,) = [row for row in _written(lake).values() if row["id"] == 1]
    assert moved["more"] is None


def test_a_column_renamed_by_another_engine_keeps_its_values(lake: Lake) -> None:
    lake.write({n: _rows(n) for n in (1, 2)}, shape=SHAPE)
    before = _written(lake)
    with lake.table.update_schema() as update:
        update.rename_column("price", "cost")
        update.rename_column("inner.tags", "labels")
        update.delete_column("region")
    with lake.table.update_schema() as update:
        update.add_column("region", lake.table.schema().find_field("id").field_type)
    lake.write({2: pa.table({"id": [7]})}, shape=columns(id=pa.int64()))
    found = {row["id"]: row for row in lake.table.scan().to_arrow().to_pylist()}
    assert sorted(found) == [7, *range(1000, 1006)]
    for key in range(1000, 1006):
        assert found[key]["cost"] == before[key]["price"]
        assert found[key]["region"] is None
        assert (found[key]["inner"] or {}).get("labels") == (before[key]["inner"] or {}).get("tags")


def test_rewriting_a_large_data_file_takes_bounded_memory(lake: Lake) -> None:
    target = lake.open()
    target.evolve(columns(id=pa.int64(), text=pa.string()))
    big = pa.table({"id": range(15_000), "text": [f"{n:0>1000}" for n in range(15_000)]})
    lake.write(dict.fromkeys(range(1, 21), big))
    (task,) = lake.table.scan().plan_files()
    assert task.file.record_count == 300_000
    peak, before = 0, pa.total_allocated_bytes()

    class Watched(DataFileWriter):
        def write(self, rows: pa.Table) -> None:
            nonlocal peak
            peak = max(peak, pa.total_allocated_bytes() - before)
            super().write(rows)

    target = lake.open()
    target.evolve(columns(id=pa.int64(), text=pa.string()))
    writer = Watched(target, "rewritten")
    replacement = replace_rows(lake.table, "_file_id", [3], writer)
    assert (replacement.removed_rows, replacement.rewritten_rows) == (15_000, 285_000)
    assert peak < 200e6  # of 300 MB of Arrow data


def test_rows_that_another_engine_deleted_do_not_come_back(lake: Lake, tmp_path: Path) -> None:
    lake.write({1: _rows(1), 2: _rows(2), 3: _rows(3)}, shape=SHAPE)
    lake.write({4: _rows(4)}, shape=SHAPE)
    shared, alone = sorted(lake.table.scan().plan_files(), key=lambda task: -task.file.record_count)
    delete_positions(lake.table, shared.file.file_path, [0, 7, 17], tmp_path)
    delete_positions(lake.table, shared.file.file_path, [1], tmp_path)
    delete_positions(lake.table, alone.file.file_path, [5], tmp_path)
    remaining = lake.column("id")
    assert len(remaining) == 19
    committed = lake.write({2: _rows(2, 1)}, shape=SHAPE)
    assert committed.removed_rows == 5  # one of the six was deleted already
    assert lake.column("id") == sorted([2000, *(n for n in remaining if n // 1000 != 2)])
    committed = lake.write({4: _rows(4, 1)}, shape=SHAPE)
    assert committed.removed_rows == 5
    assert lake.column("id")[-1] == 4000


def test_rewritten_rows_are_split_by_partition_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "FLUSH_BYTES", 1)
    lake.write({1: _rows(1), 2: _rows(2)}, layout("region"), shape=SHAPE)
    lake.write({1: _rows(1)}, layout("region"), shape=SHAPE)
    for task in lake.table.scan().plan_files():
        path = task.file.file_path.removeprefix("file://")
        assert set(pq.ParquetFile(path).read()["region"].to_pylist()) == {task.file.partition[0]}
    assert len(_written(lake)) == 12


def test_shared_data_files_in_s3_are_rewritten(s3_lake: Lake) -> None:
    s3_lake.write({n: _rows(n) for n in (1, 2, 3)}, layout("region"), shape=SHAPE)
    s3_lake.write({2: _rows(2, 2)}, layout("region"), shape=SHAPE)
    assert s3_lake.column("id") == [*range(1000, 1006), 2000, 2001, *range(3000, 3006)]
