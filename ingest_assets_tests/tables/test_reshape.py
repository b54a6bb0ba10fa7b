"""A table's schema is changed, its data with it where Iceberg needs that, in one commit or none."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest_assets.decision_errors import ReshapeRefusedError, ValuesDoNotConvertError
from ingest_assets.schema.column import nested_field
from ingest_assets.schema.conversion import can_convert, convert
from ingest_assets.schema.types import format_type
from ingest_assets.schema.value_text import text_of
from ingest_assets.tables import data_files, rewriting
from ingest_assets.tables.operations import (
    AddColumn,
    Constant,
    Drop,
    Expression,
    Fill,
    Promote,
    Rename,
    Retype,
)
from ingest_assets_tests.tables.lake import Lake, columns, layout, read_by_duckdb
from ingest_assets_tests.tables.position_deletes import delete_positions
from ingest_assets_tests.tables.shapes import (
    AT,
    NESTED,
    PAIR,
    PRICE,
    VALUES,
    change,
    fill_lake,
    rows_at,
    values_of,
)

TEXTS = {
    pa.bool_(): "true",
    pa.date32(): "2024-05-01",
    pa.timestamp("us"): "2024-05-01",
    AT: "2024-05-01",
    pa.time64("us"): "10:30",
}


@pytest.mark.parametrize(
    "type_", [type_ for type_ in (*VALUES, *NESTED) if type_ != pa.string()], ids=str
)
def test_every_type_becomes_its_text(lake: Lake, type_: pa.DataType) -> None:
    array = pa.array([*{**VALUES, **NESTED}[type_], None], type_)
    fill_lake(lake, v=array)
    before = lake.table
    done = change(lake, Retype(("v",), pa.string()))
    texts = [None if value is None else text_of(value) for value in array.to_pylist()]
    assert values_of(lake, "v") == [*texts, texts[0]]
    assert (done.rewritten_files, done.rewritten_rows) == (2, len(array) + 1)
    after = lake.table
    assert after.schema().column_names.index("v") == 1
    assert after.schema().find_field("v").field_id > before.schema().highest_field_id
    snapshot = after.current_snapshot()
    assert snapshot is not None
    assert snapshot.snapshot_id == done.snapshot_id
    assert snapshot.schema_id == after.schema().schema_id != before.schema().schema_id
    assert snapshot.summary is not None
    assert snapshot.summary.additional_properties["ingest.batch-id"] == "r-1"
    then = [row["v"] for row in rows_at(after, before.metadata.current_snapshot_id)]
    assert repr(then) == repr([*array.to_pylist(), array[0].as_py()])


@pytest.mark.parametrize("before", VALUES, ids=str)
def test_another_type_holds_each_value_exactly_or_is_refused(
    lake: Lake, before: pa.DataType
) -> None:
    others = {f"v{n}": type_ for n, type_ in enumerate(VALUES) if type_ != before}
    likes = {
        name: [TEXTS.get(type_, "1")] if before == pa.string() else VALUES[before][:1]
        for name, type_ in others.items()
    }
    data = {name: pa.array([*like, None], before) for name, like in likes.items()}
    whole = pa.array([*VALUES[before], None], before)
    rest = {f"w{name}": whole for name in others}
    padded = {n: pa.concat_arrays([a, pa.nulls(len(whole) - 2, before)]) for n, a in data.items()}
    fill_lake(lake, **padded, **rest)
    for name, type_ in others.items():
        location = lake.table.metadata_location
        if not can_convert(before, type_):
            with pytest.raises(ReshapeRefusedError, match=f"no {format_type(before)[:7]}.* is a"):
                change(lake, Retype((name,), type_))
            assert lake.table.metadata_location == location
            continue
        change(lake, Retype((name,), type_))
        like = text_of(likes[name][0]) if type_ == pa.string() else VALUES[type_][0]
        found = [row[name] for row in rows_at(lake.table)]
        assert found == [like, *[None] * (len(whole) - 1), like]
        converted, misfits = convert(whole, type_)
        if misfits.count:
            with pytest.raises(ValuesDoNotConvertError) as caught:
                change(lake, Retype((f"w{name}",), type_))
            first_again = int(converted[0].as_py() is None)
            assert caught.value.count == misfits.count + first_again
            assert caught.value.column == f"w{name}"
            assert caught.value.example == misfits.example
            assert lake.table.schema().find_type(f"w{name}") != lake.table.schema().find_type(name)
        else:
            change(lake, Retype((f"w{name}",), type_))
            held = [row[f"w{name}"] for row in rows_at(lake.table)][:-1]
            assert repr(held) == repr(converted.to_pylist())


def test_a_value_that_does_not_convert_changes_nothing_and_leaves_no_file(
    lake: Lake, tmp_path: Path
) -> None:
    fill_lake(lake, v=pa.array(["1", "x", None, "zwölf"]))
    before, files = lake.table.metadata_location, sorted(tmp_path.rglob("*.parquet"))
    with pytest.raises(ValuesDoNotConvertError) as caught:
        change(lake, Rename(("id",), "key"), Retype(("v",), pa.int64()))
    assert str(caught.value).startswith("2 values do not convert to the type of v, 'x' for one.")
    assert lake.table.metadata_location == before
    assert sorted(tmp_path.rglob("*.parquet")) == files


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        (pa.int32(), pa.int64(), 7),
        (pa.float32(), pa.float64(), 0.5),
        (PRICE, pa.decimal128(20, 2), Decimal("1.50")),
    ],
)
def test_what_iceberg_promotes_is_not_rewritten(
    lake: Lake, before: pa.DataType, after: pa.DataType, value: Any
) -> None:
    struct = pa.struct([("a", before)])
    fill_lake(lake, v=pa.array([value, None], before), s=pa.array([{"a": value}, None], struct))
    files = lake.addresses()
    done = change(lake, Promote(("v",), after), Promote(("s", "a"), after))
    assert lake.addresses() == files
    assert (done.rewritten_files, done.rewritten_rows) == (0, 0)
    rows = lake.table.scan().to_arrow()
    assert rows.schema.field("v").type == after
    assert sorted(rows["v"].to_pylist(), key=str) == sorted([value, value, None], key=str)
    assert ("r-1", done.snapshot_id) == _last_batch(lake)


def _last_batch(lake: Lake) -> tuple[str, int]:
    snapshot = lake.table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    return snapshot.summary.additional_properties["ingest.batch-id"], snapshot.snapshot_id


def test_names_come_and_go_without_a_look_at_the_data(lake: Lake) -> None:
    fill_lake(
        lake, a=pa.array([1, 2]), b=pa.array(["x", "y"]), s=pa.array([{"x": 1, "y": "z"}] * 2)
    )
    files = lake.addresses()
    change(
        lake,
        Rename(("a",), "amount"),
        Drop(("b",)),
        AddColumn(("b",), pa.float64(), "Anew."),
        Rename(("s", "y"), "z"),
        AddColumn(("s", "new"), pa.list_(PAIR)),
        Drop(("s", "x")),
    )
    assert lake.addresses() == files
    (row, *_) = lake.table.scan(row_filter="id = 0").to_arrow().to_pylist()
    assert (row["amount"], row["b"], row["s"]) == (1, None, {"z": "z", "new": None})
    assert lake.table.schema().find_field("b").doc == "Anew."
    assert len(lake.table.metadata.schemas) == 2  # none in between


def test_a_renamed_column_and_back_has_the_first_schema_again(lake: Lake) -> None:
    fill_lake(lake, a=pa.array([1]))
    first = lake.table.schema()
    change(lake, Rename(("a",), "b"))
    change(lake, Rename(("b",), "a"), batch_id="r-2")
    assert lake.table.schema() == first
    assert lake.table.schema().schema_id == first.schema_id
    assert values_of(lake, "a") == [1, 1]


DEEP = pa.struct(
    [
        ("n", pa.int64()),
        ("items", pa.list_(pa.struct([("price", pa.int64()), ("at", pa.date32())]))),
        ("tags", pa.list_(pa.int64())),
        ("by", pa.map_(pa.string(), pa.struct([("q", pa.int64())]))),
        ("counts", pa.map_(pa.string(), pa.int64())),
    ]
)
DEEP_ROWS = [
    {
        "n": 1,
        "items": [{"price": 5, "at": date(2024, 5, 1)}, None, {"price": None, "at": None}],
        "tags": [1, None],
        "by": [("k", {"q": 2}), ("l", None)],
        "counts": [("k", 3), ("l", None)],
    },
    {"n": None, "items": None, "tags": None, "by": None, "counts": None},
    {"n": 2, "items": [], "tags": [], "by": [], "counts": []},
    None,
]


@pytest.mark.parametrize(
    ("path", "replace"),
    [
        (("n",), lambda row: row.update(n="1" if row["n"] == 1 else row["n"] and "2")),
        (("items", "element", "price"), lambda row: _price(row["items"])),
        (("items", "element"), lambda row: _element(row["items"])),
        (("tags", "element"), lambda row: row.update(tags=row["tags"] and ["1", None])),
        (("by", "value", "q"), lambda row: _by(row)),
        (("counts", "value"), lambda row: _counts(row)),
    ],
)
def test_a_field_inside_of_others_becomes_its_text(lake: Lake, path: Any, replace: Any) -> None:
    array = pa.array(DEEP_ROWS, DEEP)
    fill_lake(lake, deep=array)
    schema = lake.table.schema()
    change(lake, Retype(("deep", *path), pa.string()))
    expected = pa.array(DEEP_ROWS, DEEP).to_pylist()
    for row in expected:
        if row is not None:
            replace(row)
    assert values_of(lake, "deep") == [*expected, expected[0]]
    changed = ".".join(("deep", *path))
    for name in ("id", "deep", "deep.n", "deep.items.element.at", "_file_id"):
        is_kept = not f"{name}.".startswith(f"{changed}.") and not (
            path == ("items", "element") and name.startswith("deep.items")
        )
        if is_kept:
            assert lake.table.schema().find_field(name).field_id == schema.find_field(name).field_id


def _price(items: Any) -> None:
    for item in items or []:
        if item is not None:
            item["price"] = item["price"] and str(item["price"])


def _element(items: Any) -> None:
    for index, item in enumerate(items or []):
        items[index] = None if item is None else text_of(item)


def _by(row: Any) -> None:
    row["by"] = row["by"] and [("k", {"q": "2"}), ("l", None)]


def _counts(row: Any) -> None:
    row["counts"] = row["counts"] and [("k", "3"), ("l", None)]


def test_the_only_field_of_a_struct_and_the_first_column_keep_their_places(lake: Lake) -> None:
    struct = pa.struct([("x", pa.int64())])
    fill_lake(
        lake, s=pa.array([{"x": 1}, None], struct), l=pa.array([[{"x": 2}], None], pa.list_(struct))
    )
    change(
        lake,
        Retype(("id",), pa.int32()),
        Retype(("s", "x"), pa.string()),
        Retype(("l", "element", "x"), pa.float64()),
    )
    assert [field.name for field in lake.table.schema().fields[:3]] == ["id", "s", "l"]
    assert values_of(lake, "id") == [0, 1, 0]
    assert values_of(lake, "s") == [{"x": "1"}, None, {"x": "1"}]
    assert values_of(lake, "l") == [[{"x": 2.0}], None, [{"x": 2.0}]]


def test_operations_see_what_the_ones_before_them_leave(lake: Lake) -> None:
    fill_lake(
        lake,
        client=pa.array(["7", None, "9"]),
        customer_id=pa.array([None, None, 3], pa.int64()),
    )
    change(
        lake,
        Retype(("client",), pa.int32()),
        Rename(("client",), "old"),
        AddColumn(("both",), pa.string()),
        Fill("customer_id", Expression("old + 1")),
        Fill("both", Expression("customer_id || '/' || old")),
        Fill("both", Constant("none")),
        Drop(("old",)),
        Retype(("customer_id",), pa.string()),
        Rename(("customer_id",), "customer"),
    )
    assert values_of(lake, "customer") == ["8", None, "3", "8"]
    assert values_of(lake, "both") == ["8/7", "none", "3/9", "8/7"]
    names = lake.table.schema().column_names
    assert names[:2] + names[-1:] == ["id", "customer", "both"]


LAYOUTS = [
    layout("bucket(4, id)"),
    layout("day(at)"),
    layout("region"),
    layout(sort_by=["region desc", "id"]),
    layout("bucket(2, id)", sort_by=["region"]),
]


@pytest.mark.parametrize("wanted", LAYOUTS)
def test_partitions_and_order_stay(
    lake: Lake, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "FLUSH_BYTES", 1)
    fill_lake(
        lake,
        wanted,
        at=pa.array([10**15, None, 10**14], AT),
        region=pa.array(["eu", "us", None]),
        v=pa.array([3, None, 1], pa.int64()),
    )
    before = {task.file.partition for task in lake.table.scan().plan_files()}
    change(lake, Retype(("v",), pa.string()), Rename(("region",), "area"))
    assert values_of(lake, "v") == ["3", None, "1", "3"]
    tasks = list(lake.table.scan().plan_files())
    assert {task.file.partition for task in tasks} == before
    assert {task.file.spec_id for task in tasks} == {lake.table.spec().spec_id}
    for task in tasks:
        assert task.file.sort_order_id == (lake.table.sort_order().order_id or None)
    found = lake.table.scan(row_filter="area = 'eu'").to_arrow()
    assert found["v"].to_pylist() == ["3", "3"]
    lake.write(
        {3: pa.table({"id": [9], "area": ["eu"], "v": ["x"]})},
        shape=columns(id=pa.int64(), area=pa.string(), v=pa.string()),
    )
    assert values_of(lake, "v")[-1] == "x"


def test_rows_that_another_engine_deleted_do_not_come_back(lake: Lake, tmp_path: Path) -> None:
    fill_lake(lake, v=pa.array([1, 2, 3, 4]))
    (large, _) = sorted(lake.table.scan().plan_files(), key=lambda task: -task.file.record_count)
    delete_positions(lake.table, large.file.file_path, [0, 2], tmp_path)
    done = change(lake, Retype(("v",), pa.string()))
    assert values_of(lake, "v") == ["2", "4", "1"]
    assert done.rewritten_rows == 3


def test_the_column_may_be_changed_again_and_written_to(lake: Lake) -> None:
    fill_lake(lake, v=pa.array([1, None]))
    change(lake, Retype(("v",), pa.string()))
    change(lake, Retype(("v",), PRICE), batch_id="r-2")
    change(lake, Retype(("v",), pa.int64()), batch_id="r-3")
    assert values_of(lake, "v") == [1, None, 1]
    lake.write({1: pa.table({"id": [5], "v": [6]})})
    assert values_of(lake, "v") == [6, 1]
    ids = {
        pq.ParquetFile(path.removeprefix("file://"))
        .schema_arrow.field("v")
        .metadata[b"PARQUET:field_id"]
        for path in lake.addresses()
    }
    assert ids == {str(lake.table.schema().find_field("v").field_id).encode()}


def test_a_rewrite_from_the_s3_server(s3_lake: Lake) -> None:
    fill_lake(s3_lake, layout("region"), region=pa.array(["a", "b"]), v=pa.array([1, 2]))
    change(s3_lake, Retype(("v",), pa.string()))
    assert sorted(s3_lake.table.scan().to_arrow()["v"].to_pylist()) == ["1", "1", "2"]


def test_the_text_of_a_struct_has_the_names_that_files_spell(lake: Lake) -> None:
    inner = pa.struct([nested_field("zip_code", pa.string(), source_name="zipCode")])
    known = pa.struct(
        [
            nested_field("order_id", pa.int64(), source_name="orderId"),
            nested_field("to", pa.list_(nested_field("element", inner))),
            nested_field("by", pa.map_(pa.string(), inner)),
        ]
    )
    value = {"order_id": 1, "to": [{"zip_code": "a"}, None], "by": [("k", {"zip_code": None})]}
    plain = pa.array([value, None], known)
    fill_lake(lake, v=plain, w=plain)
    change(
        lake,
        Retype(("v",), pa.string(), known),
        Retype(("w", "to", "element"), pa.string(), inner),
    )
    text = '{"orderId":1,"to":[{"zipCode":"a"},null],"by":[["k",{"zipCode":null}]]}'
    assert values_of(lake, "v") == [text, None, text]
    assert values_of(lake, "w")[0] == {**value, "to": ['{"zipCode":"a"}', None]}


def test_wide_rows_go_through_a_few_at_a_time(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "_BATCH_BYTES", 1)
    fill_lake(lake, v=pa.array([1, None, 3]), s=pa.array([{"x": 1, "y": "a"}, None, None], PAIR))
    change(lake, Retype(("v",), pa.string()), Retype(("s",), pa.string()))
    assert values_of(lake, "v") == ["1", None, "3", "1"]
    assert values_of(lake, "s") == ['{"x":1,"y":"a"}', None, None, '{"x":1,"y":"a"}']


def test_a_table_without_rows_changes_its_schema_alone(lake: Lake) -> None:
    target = lake.open()
    target.evolve(columns(v=pa.int64()))
    transaction, _ = target.begin_commit()
    transaction.commit_transaction()
    done = change(lake, Retype(("v",), pa.string()))
    assert done.rewritten_files == 0
    assert str(lake.table.schema().find_type("v")) == "string"
    assert ("r-1", done.snapshot_id) == _last_batch(lake)


def test_files_that_name_no_fields_are_read_by_the_tables_mapping(
    lake: Lake, tmp_path: Path
) -> None:
    fill_lake(lake, v=pa.array([1]))
    plain = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"id": [5], "v": [6], "_file_id": [3]}), plain)
    lake.table.add_files([f"file://{plain}"])
    change(lake, Rename(("id",), "key"), Retype(("v",), pa.string()))
    rows = lake.table.scan().to_arrow().to_pylist()
    assert sorted((row["key"], row["v"]) for row in rows) == [(0, "1"), (0, "1"), (5, "6")]
    change(lake, Rename(("key",), "id"), batch_id="r-2")
    assert [(row["id"], row["v"]) for row in rows_at(lake.table)] == [(0, "1"), (0, "1"), (5, "6")]


@pytest.mark.slow
def test_a_large_table_takes_bounded_memory(lake: Lake) -> None:
    count = 2_000_000
    fill_lake(
        lake,
        v=pa.array(range(count), pa.int64()),
        text=pa.array([f"{n % 997:0>40}" for n in range(1000)] * (count // 1000)),
    )
    size = sum(rows.nbytes for rows in [lake.table.scan().to_arrow()])
    before = pa.total_allocated_bytes()
    pool, peak = pa.default_memory_pool(), 0
    original = data_files.DataFileWriter.write

    def watched(self: Any, *tables: pa.Table) -> None:
        nonlocal peak
        peak = max(peak, pool.bytes_allocated() - before)
        original(self, *tables)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_files.DataFileWriter, "write", watched)
        done = change(lake, Retype(("v",), pa.string()))
    assert done.rewritten_rows == count + 1
    assert peak < 80e6 < size / 2, peak
    total = read_by_duckdb(lake.addresses(), "sum(v::BIGINT) AS total, count(*) AS n")
    assert total.to_pylist() == [{"total": count * (count - 1) // 2, "n": count + 1}]
