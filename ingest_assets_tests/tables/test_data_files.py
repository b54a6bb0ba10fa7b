"""Rows in, data files out: every row once, in its partition, in the table's order."""

import math
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest_assets.errors import CatalogError, FileContentError, TableLayoutError
from ingest_assets.tables import data_files
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets_tests.tables.lake import Lake, columns, file_rows, layout, read_by_duckdb

INTEGERS = [-(2**31) + 8, -11, -10, -1, 0, 1, 9, 10, 2**31 - 1, None]
DATES = [date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29), None]
MOMENTS = [
    datetime(1, 1, 1),  # noqa: DTZ001 - a timestamp without a zone
    datetime(1969, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
    datetime(1970, 1, 1),  # noqa: DTZ001
    datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001
    None,
]
TYPED: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int": (pa.int32(), INTEGERS),
    "long": (pa.int64(), [-(2**63) + 8, *INTEGERS, 2**63 - 1]),
    "decimal": (pa.decimal128(9, 2), [Decimal("-10.65"), Decimal("0.00"), Decimal("10.65"), None]),
    "huge": (pa.decimal128(38, 0), [Decimal(-(10**37)), Decimal(10**37), None]),
    "string": (pa.string(), ["", "null", "a/b c=d&%?#", "..", "grün🌳", "x" * 300, None]),
    "date": (pa.date32(), DATES),
    "timestamp": (pa.timestamp("us"), MOMENTS),
    "timestamptz": (
        pa.timestamp("us", tz="UTC"),
        [moment and moment.replace(tzinfo=UTC) for moment in MOMENTS],
    ),
    "time": (pa.time64("us"), [time(0), time(23, 59, 59, 999999), None]),
    "boolean": (pa.bool_(), [True, False, None]),
    "binary": (pa.binary(), [b"", b"\x00\xff/", b"\xff\xff", None]),
    "fixed": (pa.binary(2), [b"\x00\xff", b"//", None]),
}
_DATED = ("date", "timestamp", "timestamptz")
CASES = [
    *(("identity({})", name) for name in TYPED),
    *((f"{transform}({{}})", name) for transform in ("year", "month", "day") for name in _DATED),
    *(("hour({})", name) for name in ("timestamp", "timestamptz")),
    *(("bucket(7, {})", name) for name in TYPED if name != "boolean"),
    *(("truncate(10, {})", n) for n in ("int", "long", "decimal", "huge", "string", "binary")),
]


def _rows(name: str, repeat: int = 2) -> pa.Table:
    type_, values = TYPED[name]
    values = values * repeat
    return pa.table({"value": pa.array(values, type_), "row": range(len(values))})


@pytest.mark.parametrize(("term", "name"), CASES, ids=[term.format(name) for term, name in CASES])
def test_rows_are_in_the_partition_that_iceberg_computes(lake: Lake, term: str, name: str) -> None:
    rows = _rows(name)
    lake.write({1: rows}, layout(term.format("value")))
    table = lake.table
    (field,) = table.spec().fields
    transform = field.transform.transform(table.schema().find_field("value").field_type)
    expected = Counter(_physical(transform(value)) for value in TYPED[name][1] for _ in range(2))
    tasks = list(table.scan().plan_files())
    assert {t.file.partition[0]: t.file.record_count for t in tasks} == dict(expected)
    for task in tasks:
        path = task.file.file_path.removeprefix("file://")
        values = pq.ParquetFile(path).read()["value"].to_pylist()
        assert {_physical(transform(value)) for value in values} == {task.file.partition[0]}
    in_order = sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["row"])
    assert [row["value"] for row in in_order] == rows["value"].to_pylist()
    by_duckdb = read_by_duckdb(lake.addresses(), '"row", "value"').sort_by("row")
    assert by_duckdb["value"].cast(TYPED[name][0]).to_pylist() == rows["value"].to_pylist()
    for value in TYPED[name][1]:
        if value is not None and name not in ("fixed", "time"):
            found = table.scan(row_filter=_equal(value)).to_arrow()
            assert found.num_rows == 2, value
    lake.write({1: rows.slice(0, 1)}, ids=[1])
    assert lake.table.scan().to_arrow().num_rows == 1


def _equal(value: Any) -> Any:
    from pyiceberg.expressions import EqualTo

    return EqualTo("value", value)


def _physical(value: Any) -> Any:
    """A partition value as manifests have it."""
    if isinstance(value, datetime):
        epoch = datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return (value - epoch) // (datetime.resolution)
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    if isinstance(value, time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 10**6 + value.microsecond
    return value


def test_null_and_the_word_null_are_two_partitions(lake: Lake) -> None:
    lake.write({1: pa.table({"value": ["null", None, "null", "a"]})}, layout("value"))
    counts = {t.file.partition[0]: t.file.record_count for t in lake.table.scan().plan_files()}
    assert counts == {"null": 2, None: 1, "a": 1}
    assert lake.table.scan(row_filter="value is null").to_arrow().num_rows == 1


def test_one_column_can_be_partitioned_twice(lake: Lake) -> None:
    rows = pa.table({"at": pa.array([0, 10**14, None], pa.timestamp("us")), "id": [1, 2, 3]})
    lake.write({1: rows}, layout("year(at)", "bucket(4, id)", "truncate(2, id)"))
    partitions = {tuple(t.file.partition) for t in lake.table.scan().plan_files()}
    assert {(year, truncated) for year, _, truncated in partitions} == {(0, 0), (3, 2), (None, 2)}
    lake.write({1: rows.slice(1)})
    assert lake.column("id") == [2, 3]


def test_a_number_with_a_fraction_is_no_partition(lake: Lake) -> None:
    rows = pa.table({"value": [math.nan, 1.5, None]})
    with pytest.raises(TableLayoutError, match=r"identity\(value\) does not go with"):
        lake.write({1: rows}, layout("value"))


def test_a_field_inside_of_a_struct_partitions_an_adopted_table(lake: Lake) -> None:
    from pyiceberg.transforms import IdentityTransform

    rows = pa.table({"inner": [{"a": 1}, {"a": 2}, None], "row": [1, 2, 3]})
    lake.catalog.create_namespace("raw")
    table = lake.catalog.create_table(lake.identifier, rows.schema)
    with table.update_spec() as update:
        update.add_field("inner.a", IdentityTransform(), "inner_a")
    lake.write({1: rows})
    found = {task.file.partition[0] for task in lake.table.scan().plan_files()}
    assert found == {1, 2, None}
    assert lake.column("row") == [1, 2, 3]


def test_more_partitions_than_open_files_are_all_written(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "OPEN_FILES", 4)
    monkeypatch.setattr(data_files, "FLUSH_BYTES", 1)
    rows = pa.table({"region": [f"r{number % 9}" for number in range(90)], "row": range(90)})
    lake.write({1: rows, 2: rows}, layout("region"))
    assert lake.column("row") == sorted([*range(90), *range(90)])
    assert len(lake.addresses()) == 18  # none stayed open until it came again
    assert len(list(lake.table.scan(row_filter="region = 'r3'").plan_files())) == 2


def test_odd_values_and_many_partitions_reach_the_s3_server(s3_lake: Lake) -> None:
    rows = _rows("string")
    s3_lake.write({1: rows}, layout("value"))
    found = sorted(s3_lake.table.scan().to_arrow().to_pylist(), key=lambda row: row["row"])
    assert [row["value"] for row in found] == rows["value"].to_pylist()
    s3_lake.write({1: rows.slice(1)})
    assert s3_lake.column("row") == list(range(1, rows.num_rows))


SORTED = pa.table(
    {
        "a": [2.0, math.nan, None, 1.0, 1.0, 2.0, None, -1.0],
        "b": ["x", "y", "z", None, "b", "a", "a", None],
    }
)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (["a"], [None, None, -1.0, 1.0, 1.0, 2.0, 2.0, "nan"]),
        (["a desc"], ["nan", 2.0, 2.0, 1.0, 1.0, -1.0, None, None]),
        (["a asc nulls last"], [-1.0, 1.0, 1.0, 2.0, 2.0, "nan", None, None]),
        (["a desc nulls first"], [None, None, "nan", 2.0, 2.0, 1.0, 1.0, -1.0]),
        (
            ["b desc nulls last", "a"],
            [None, "nan", 2.0, 1.0, None, 2.0, -1.0, 1.0],
        ),
        (["a nulls last", "b desc"], [-1.0, 1.0, 1.0, 2.0, 2.0, "nan", None, None]),
    ],
)
def test_each_data_file_is_in_the_order_that_it_claims(
    lake: Lake, terms: list[str], expected: list[Any]
) -> None:
    lake.write({1: SORTED}, layout(sort_by=terms))
    (task,) = lake.table.scan().plan_files()
    assert task.file.sort_order_id == lake.table.sort_order().order_id == 1
    values = pq.read_table(task.file.file_path.removeprefix("file://"))["a"].to_pylist()
    assert ["nan" if v is not None and math.isnan(v) else v for v in values] == expected


@pytest.mark.parametrize("name", list(TYPED))
def test_every_primitive_type_can_be_sorted_by(lake: Lake, name: str) -> None:
    lake.write({1: _rows(name)}, layout(sort_by=["value"]))
    values = pq.read_table(lake.addresses()[0].removeprefix("file://"))["value"].to_pylist()
    assert values[:2] == [None, None]
    assert values[2:] == sorted(values[2:])


def test_each_flush_of_a_sorted_table_is_a_file_of_its_own(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "FLUSH_BYTES", 1)
    lake.write({1: SORTED, 2: SORTED}, layout("truncate(1, b)", sort_by=["a"]))
    for address in lake.addresses():
        values = pq.read_table(address.removeprefix("file://"))["a"].to_pylist()
        numbers = [v for v in values if v is not None]
        assert numbers == sorted(numbers, key=lambda v: (math.isnan(v), v))
    assert lake.table.scan().to_arrow().num_rows == 16


def test_a_data_file_ends_at_the_tables_target_size(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "FLUSH_BYTES", 10_000)
    rows = pa.table({"row": range(1000)})
    files = dict.fromkeys(range(1, 21), rows)
    lake.write(files, layout(properties={"write.target-file-size-bytes": "200000"}))
    counts = [task.file.record_count for task in lake.table.scan().plan_files()]
    assert sum(counts) == 20_000
    assert 4 < len(counts) < 20


def test_rows_of_an_older_schema_are_null_in_the_newer_columns(lake: Lake) -> None:
    shape = columns(
        a=pa.int64(),
        inner=pa.struct([("x", pa.int64()), ("y", pa.struct([("z", pa.string())]))]),
        items=pa.list_(pa.field("element", pa.struct([("x", pa.int64()), ("y", pa.int64())]))),
        parts=pa.map_(pa.string(), pa.struct([("x", pa.int64()), ("y", pa.int64())])),
    )
    only_x = pa.struct([("x", pa.int32())])
    older = pa.table(
        {
            "inner": pa.array([{"x": 1}, None], only_x),
            "items": pa.array([[{"x": 1}, None], None], pa.list_(only_x)),
            "parts": pa.array([[("k", {"x": 1})], None], pa.map_(pa.string(), only_x)),
        }
    )
    lake.write({1: older}, shape=shape)
    first, second = lake.table.scan().to_arrow().to_pylist()
    assert first["a"] is None
    assert first["inner"] == {"x": 1, "y": None}
    assert first["items"] == [{"x": 1, "y": None}, None]
    assert first["parts"] == [("k", {"x": 1, "y": None})]
    assert second["inner"] is None
    written = pq.read_table(lake.addresses()[0].removeprefix("file://")).to_pylist()[1]
    assert (written["items"], written["parts"]) == (None, None)  # PyIceberg reads [] here


def test_fields_of_a_struct_in_another_order_keep_their_values(lake: Lake) -> None:
    shape = columns(inner=pa.struct([("a", pa.int64()), ("b", pa.int64())]))
    swapped = pa.table(
        {"inner": pa.array([{"b": 2, "a": 1}], pa.struct([("b", pa.int64()), ("a", pa.int64())]))}
    )
    lake.write({1: swapped}, shape=shape)
    assert lake.table.scan().to_arrow()["inner"].to_pylist() == [{"a": 1, "b": 2}]


NOT_UTF8 = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
FAR = 300_000_000_000_000_000


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (pa.int32(), [1, 2**40]),
        (pa.int32(), ["x"]),
        (pa.decimal128(4, 2), [Decimal("123.45")]),
        (pa.string(), NOT_UTF8),
        (pa.time64("us"), pa.array([86_400_000_000], pa.time64("us"))),
        (pa.date32(), pa.array([4_000_000], pa.date32())),
        (pa.timestamp("us"), pa.array([FAR, 0], pa.timestamp("us"))),
        (pa.timestamp("us"), pa.array([-FAR, 0], pa.timestamp("us"))),
        (pa.list_(pa.timestamp("us")), pa.array([[FAR]], pa.list_(pa.timestamp("us")))),
        (
            pa.struct([("a", pa.map_(pa.string(), pa.timestamp("us", tz="UTC")))]),
            pa.array(
                [{"a": [("k", FAR)]}],
                pa.struct([("a", pa.map_(pa.string(), pa.timestamp("us", tz="UTC")))]),
            ),
        ),
    ],
    ids=str,
)
def test_a_value_that_does_not_fit_is_refused_before_anything_is_kept(
    lake: Lake, type_: pa.DataType, values: Any
) -> None:
    target = lake.open()
    target.evolve(columns(value=type_))
    writer = DataFileWriter(target, "b")
    writer.write(file_rows(1, pa.table({"value": pa.array([None], type_)})))
    with pytest.raises(FileContentError, match=r"does not fit its column of raw\.orders"):
        writer.write(file_rows(2, pa.table({"value": values})))
    (data_file,) = writer.finish()
    assert data_file.record_count == 1


def test_a_column_that_the_table_lacks_is_refused_and_not_dropped(lake: Lake) -> None:
    target = lake.open()
    target.evolve(columns(value=pa.int64()))
    with pytest.raises(FileContentError, match="has no column unheard_of"):
        DataFileWriter(target, "b").write(pa.table({"value": [1], "unheard_of": [1]}))


def _parquet_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.parquet"))


def test_discard_deletes_open_and_closed_files(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "OPEN_FILES", 2)
    monkeypatch.setattr(data_files, "FLUSH_BYTES", 1)
    target = lake.open(layout("value"))
    target.evolve(columns(value=pa.int64()))
    writer = DataFileWriter(target, "b")
    writer.write(file_rows(1, pa.table({"value": range(5)})))
    assert len(writer.paths) == 5
    writer.discard()
    writer.discard()  # what is gone already is no error
    assert _parquet_files(tmp_path) == []


def test_a_warehouse_that_fails_is_a_catalog_error_and_discard_still_works(
    lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "warehouse").write_text("in the way of the folder")
    target = lake.open()
    target.evolve(columns(value=pa.int64()))
    writer = DataFileWriter(target, "b")
    writer.write(file_rows(1, pa.table({"value": range(5)})))
    with pytest.raises(CatalogError, match="the table is unchanged"):
        writer.finish()
    (tmp_path / "warehouse").unlink()
    writer.discard()


def test_memory_stays_bounded_whatever_streams_through(lake: Lake) -> None:
    target = lake.open(layout("bucket(4, value)"))
    target.evolve(columns(value=pa.int64(), text=pa.string()))
    writer = DataFileWriter(target, "b")
    before, peak, streamed = pa.total_allocated_bytes(), 0, 0
    for number in range(40):
        values = range(number * 20_000, (number + 1) * 20_000)
        rows = file_rows(
            number, pa.table({"value": values, "text": [f"{v:0>500}" for v in values]})
        )
        streamed += rows.nbytes
        writer.write(rows)
        peak = max(peak, pa.total_allocated_bytes() - before)
    writer.finish()
    assert streamed > 400e6
    assert peak < 4 * data_files.FLUSH_BYTES
