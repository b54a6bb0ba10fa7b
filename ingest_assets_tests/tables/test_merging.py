"""Merging into a table: what is looked at, what is written again, and against which snapshot."""

import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.errors import CommitConflictError
from ingest_assets.tables import racing
from ingest_assets.tables.commit import Committed, Prepared, Steps, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.deleted_keys import BRANCH, deletions_at
from ingest_assets.tables.key_ranges import files_with
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import ORDERED_LINEAGE, Origin, with_lineage
from ingest_assets.tables.merging import Merge
from ingest_assets_tests.tables.lake import NOW, Lake, columns, file_rows, layout

BY_ID = Merge(("id",), delete_column="op", delete_values=frozenset({"D"}))
DAY = date(2026, 1, 1)


def _prepared(
    lake: Lake,
    file_id: int,
    rows: pa.Table,
    merge: Merge = BY_ID,
    wanted: TableLayout | None = None,
    leaving: Iterable[int] = (),
) -> Prepared:
    """A file that came `file_id` seconds after the first one."""
    target, batch_id = lake.open(wanted), uuid.uuid4().hex
    target.lineage = ORDERED_LINEAGE
    target.evolve(columns(**{field.name: field.type for field in rows.schema}))
    numbers = pa.array(range(rows.num_rows), pa.int64())
    rows = rows.append_column("_source_row", numbers)
    rows = rows.append_column("_rescued_data", pa.nulls(rows.num_rows, pa.string()))
    moment = NOW + timedelta(seconds=file_id)
    origin = Origin(f"s3://b/{file_id}", file_id, file_id * 10, rows.num_rows, moment)
    writer = DataFileWriter(target, batch_id)
    writer.write(with_lineage(rows, [origin], NOW))
    return Prepared(batch_id, target, writer.finish(), "_file_id", list(leaving), merge)


def _merge(lake: Lake, file_id: int, rows: pa.Table, *how: Any, **more: Any) -> Committed:
    return commit(_prepared(lake, file_id, rows, *how, **more), lambda: True)


def _rows(*ids: int, op: str | None = None, day: date = DAY) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "op": pa.array([op] * len(ids), pa.string()),
            "day": pa.array([day] * len(ids), pa.date32()),
        }
    )


def _found(lake: Lake) -> dict[int, int]:
    """Which file's row each id has."""
    rows = lake.table.scan().to_arrow().to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row["_file_id"] for row in rows}


@pytest.mark.parametrize(
    "values",
    [
        [1, 2**40, -3],
        ["a", "ä" * 40, "a" * 17],
        [date(1, 1, 1), date(2026, 2, 3), date(9999, 12, 31)],
        [NOW.replace(tzinfo=None), datetime.min, datetime.max],  # noqa: DTZ901
        [datetime(1969, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), NOW],
        [time(0, 0), time(12, 30, 0, 1), time(23, 59, 59, 999999)],
        [Decimal("-1.10"), Decimal("99999999999999999999.25"), Decimal("0.00")],
        [b"", b"\xff" * 20, b"\x00"],
        [True, False],
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_rows_are_found_again_by_a_key_of_any_type(lake: Lake, values: list[Any]) -> None:
    types = {Decimal: pa.decimal128(38, 2), date: pa.date32(), time: pa.time64("us")}
    kind = types.get(type(values[0]))
    if kind is None and isinstance(values[0], datetime):
        kind = pa.timestamp("us", tz=values[0].tzinfo and "UTC")
    keys = pa.array(values, kind)

    def table(what: str, some: pa.Array) -> pa.Table:
        return pa.table({"id": some, "what": pa.array([what] * len(some))})

    for layout_ in (layout(), layout("id")):
        lake.identifier = f"raw.t{uuid.uuid4().hex}"
        _merge(lake, 1, table("old", keys), Merge(("id",)), layout_)
        _merge(lake, 2, table("new", keys.slice(1)), Merge(("id",)), layout_)
        found = lake.table.scan().to_arrow()
        assert dict(zip(found["id"].to_pylist(), found["what"].to_pylist(), strict=True)) == {
            value: "new" if number else "old" for number, value in enumerate(values)
        }


def test_data_files_that_cannot_hold_a_key_are_neither_read_nor_written_again(lake: Lake) -> None:
    for number in range(5):
        day = DAY + timedelta(days=number)
        _merge(lake, number, _rows(*range(number * 10, number * 10 + 10), day=day), BY_ID, layout())
    before = set(lake.addresses())
    table = lake.table
    keys = _rows(3, 47).select(["id"])
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert len(list(files_with(table, snapshot.snapshot_id, keys))) == 2
    done = _merge(lake, 9, _rows(3, 47))
    assert (done.removed_rows, done.rewritten_rows, done.rewritten_files) == (2, 18, 2)
    assert len(before & set(lake.addresses())) == 3


def test_the_partitions_of_a_composite_key_are_looked_at_alone(lake: Lake) -> None:
    merge, wanted = Merge(("id", "day")), layout("day(day)")
    for number in range(4):
        _merge(lake, number, _rows(1, 2, day=DAY + timedelta(days=number)), merge, wanted)
    table, keys = lake.table, _rows(1, day=DAY).select(["id", "day"])
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert len(list(files_with(table, snapshot.snapshot_id, keys))) == 1


def test_a_row_whose_partition_changes_moves(lake: Lake) -> None:
    wanted = layout("day(day)")
    _merge(lake, 1, _rows(1, 2), BY_ID, wanted)
    _merge(lake, 2, _rows(1, day=DAY + timedelta(days=1)), BY_ID, wanted)
    rows = lake.table.scan().to_arrow().sort_by("id").to_pylist()
    assert [(row["id"], row["day"]) for row in rows] == [(1, DAY + timedelta(days=1)), (2, DAY)]


def test_a_commit_that_loses_a_race_looks_again_at_what_the_winner_brought(lake: Lake) -> None:
    _merge(lake, 1, _rows(1, 2))
    prepared = _prepared(lake, 5, _rows(1, 3))
    others = iter([_prepared(lake, 9, _rows(3)), _prepared(lake, 8, _rows(4, op="D"))])

    def somebody_is_faster() -> None:
        other = next(others, None)
        if other is not None:
            commit(other, lambda: True)

    done = commit(prepared, lambda: True, Steps(lease_checked=somebody_is_faster))
    assert done.removed_rows == 1
    assert _found(lake) == {1: 5, 2: 1, 3: 9}
    assert lake.table.scan(snapshot_id=deletions_at(lake.table)).count() == 1


def test_what_a_lost_race_wrote_is_deleted(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    _merge(lake, 1, _rows(1, 2, 3))
    monkeypatch.setattr(racing, "TRIES", 1)
    prepared = _prepared(lake, 5, _rows(1, 1), BY_ID)

    def somebody_is_faster() -> None:
        commit(_prepared(lake, 9, _rows(7)), lambda: True)

    with pytest.raises(CommitConflictError):
        commit(prepared, lambda: True, Steps(lease_checked=somebody_is_faster))
    staged = [file.file_path for file in prepared.data_files]
    assert _data_files(lake) == _names([*staged, *lake.addresses()])


def _data_files(lake: Lake) -> set[str]:
    """The names of all that lie there, whether the table has them or not."""
    folder = Path(lake.table.location().removeprefix("file://"))
    return {path.name for path in folder.rglob("*.parquet")}


def _names(addresses: Iterable[str]) -> set[str]:
    return {Path(address).name for address in addresses}


def test_staged_rows_that_lose_leave_no_data_file_behind(lake: Lake) -> None:
    _merge(lake, 9, _rows(1))
    _merge(lake, 5, _rows(1, 1, 2))
    assert _found(lake) == {1: 9, 2: 5}
    assert _data_files(lake) == _names(lake.addresses())


def test_many_small_files_of_deletions_become_one_and_are_remembered(lake: Lake) -> None:
    _merge(lake, 1, _rows(0))
    for number in range(1, 20):
        _merge(lake, 100 + number, _rows(number, op="D"))
    _merge(lake, 50, _rows(*range(20)))
    assert _found(lake) == {0: 50}
    scan = lake.table.scan(snapshot_id=deletions_at(lake.table))
    assert scan.count() == 19
    assert len(list(scan.plan_files())) < 16
    assert set(lake.table.refs()) == {"main", BRANCH}


def test_rows_from_before_the_mode_are_older_than_any_and_one_of_each_key_is_left(
    lake: Lake,
) -> None:
    lake.write({1: _rows(1, 2), 2: _rows(1, 3)})
    _merge(lake, 0, _rows(1))
    assert _found(lake) == {1: 0, 2: 1, 3: 2}


def test_rows_of_files_that_belong_elsewhere_leave_with_the_others(lake: Lake) -> None:
    _merge(lake, 1, _rows(1, 2))
    _merge(lake, 2, _rows(3, 4))
    _merge(lake, 3, _rows(4, 5), leaving=[2])
    assert _found(lake) == {1: 1, 2: 1, 4: 3, 5: 3}
    _merge(lake, 9, _rows(5, 7))
    _merge(lake, 4, _rows(7), leaving=[9])
    assert _found(lake) == {1: 1, 2: 1, 4: 3, 7: 4}, "a row that leaves overtakes none"
    gone = Prepared("only", lake.open(), [], "_file_id", [1], BY_ID)
    commit(gone, lambda: True)
    assert _found(lake) == {4: 3, 7: 4}


def test_the_branch_of_deletions_is_none_of_the_readers_business(lake: Lake) -> None:
    _merge(lake, 1, _rows(1, 2))
    _merge(lake, 2, _rows(1, op="D"))
    assert lake.table.scan().to_arrow()["id"].to_pylist() == [2]
    main = lake.table.current_snapshot()
    assert main is not None
    assert main.summary is not None
    assert main.summary["total-records"] == "1"


def test_a_rolled_back_table_still_knows_what_was_deleted(lake: Lake) -> None:
    _merge(lake, 1, _rows(1, 2))
    before = lake.table.current_snapshot()
    assert before is not None
    _merge(lake, 5, _rows(1, op="D"))
    with lake.table.manage_snapshots() as snapshots:
        snapshots.rollback_to_snapshot(before.snapshot_id)
    assert _found(lake) == {1: 1, 2: 1}
    _merge(lake, 5, _rows(1, op="D"))
    _merge(lake, 4, _rows(1))
    assert _found(lake) == {2: 1}


def test_file_rows_of_an_appended_table_have_no_moment(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    assert "_modified_at" not in lake.table.schema().column_names
    assert "_modified_at" not in file_rows(1, _rows(1)).column_names
