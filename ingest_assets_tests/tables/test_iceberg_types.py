"""Types there and back, and what the Parquet files say of them."""

import itertools
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import NestedField, TimestampNanoType, UUIDType

from ingest_assets.errors import UnsupportedTypeError
from ingest_assets.tables.iceberg_types import arrow_file_schema, columns_of, to_arrow, to_iceberg
from ingest_assets_tests.tables.lake import Lake, columns, read_by_duckdb

PRIMITIVES = [
    pa.bool_(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.decimal128(38, 0),
    pa.decimal128(9, 9),
    pa.date32(),
    pa.time64("us"),
    pa.timestamp("us"),
    pa.timestamp("us", tz="UTC"),
    pa.string(),
    pa.binary(),
    pa.binary(16),
]
NESTED = pa.struct(
    [
        (
            "list",
            pa.list_(pa.field("element", pa.struct([("a", pa.int64()), ("key", pa.string())]))),
        ),
        ("map", pa.map_(pa.string(), pa.list_(pa.field("element", pa.decimal128(10, 2))))),
        ("struct", pa.struct([("deep", pa.struct([("value", pa.timestamp("us"))]))])),
    ]
)


@pytest.mark.parametrize("type_", [*PRIMITIVES, NESTED], ids=str)
def test_a_type_is_the_same_after_a_round_trip(type_: pa.DataType) -> None:
    for wrapped in (type_, pa.list_(pa.field("element", type_)), pa.map_(pa.string(), type_)):
        counter = itertools.count(1)
        assert to_arrow(to_iceberg(wrapped, lambda: next(counter))) == wrapped  # noqa: B023


@pytest.mark.parametrize(
    "type_",
    [
        pa.uint8(),
        pa.uint64(),
        pa.int16(),
        pa.float16(),
        pa.timestamp("ns"),
        pa.timestamp("ms"),
        pa.timestamp("us", tz="Europe/Berlin"),
        pa.time32("s"),
        pa.date64(),
        pa.duration("us"),
        pa.null(),
        pa.struct([]),
        pa.decimal256(50, 2),
        pa.decimal128(5, -2),
        pa.decimal128(5, 6),
        pa.large_string(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
    ids=str,
)
def test_a_type_that_iceberg_lacks_is_refused_by_name(type_: pa.DataType) -> None:
    for wrapped in (type_, pa.list_(type_), pa.struct([("a", type_)]), pa.map_(pa.string(), type_)):
        with pytest.raises(UnsupportedTypeError) as refused:
            to_iceberg(wrapped, lambda: 1)
        assert str(type_) in str(refused.value)


def test_a_uuid_of_an_adopted_table_is_sixteen_bytes() -> None:
    assert to_arrow(UUIDType()) == pa.binary(16)


def test_a_type_of_a_later_format_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedTypeError, match="timestamp_ns"):
        to_arrow(TimestampNanoType())


def test_the_columns_of_a_table_leave_out_the_lineage() -> None:
    schema = Schema(
        NestedField(1, "a", to_iceberg(pa.int64(), lambda: 1), required=True, doc="the a"),
        NestedField(2, "_file_id", to_iceberg(pa.int64(), lambda: 1)),
    )
    (column,) = columns_of(schema, frozenset({"_file_id"}))
    assert (column.name, column.type, column.is_required, column.description) == (
        "a",
        pa.int64(),
        True,
        "the a",
    )


def _ids(field: Any, path: str) -> dict[str, int]:
    """The field ids of an Arrow field and all inside of it, by path."""
    found = {path: int((field.metadata or {})[b"PARQUET:field_id"])}
    type_ = field.type
    if pa.types.is_struct(type_):
        for child in type_:
            found |= _ids(child, f"{path}.{child.name}")
    elif pa.types.is_list(type_):
        found |= _ids(type_.value_field, f"{path}.element")
    elif pa.types.is_map(type_):
        found |= _ids(type_.key_field, f"{path}.key") | _ids(type_.item_field, f"{path}.value")
    return found


def test_the_parquet_footer_has_the_tables_field_ids_at_every_depth(lake: Lake) -> None:
    rows = pa.table({"id": pa.array([1]), "nested": pa.array([None], NESTED)})
    lake.write({1: rows})
    footer = pq.read_schema(lake.addresses()[0].removeprefix("file://"))
    found: dict[str, int] = {}
    for field in footer:
        found |= _ids(field, field.name)
    schema = lake.table.schema()
    assert found == {path: schema.find_field(path).field_id for path in found}
    assert len(found) == len(schema.field_ids)
    assert len(set(found.values())) == len(found)


VALUES = pa.table(
    {
        "boolean": pa.array([True, None]),
        "int": pa.array([-(2**31), None], pa.int32()),
        "long": pa.array([2**63 - 1, None], pa.int64()),
        "float": pa.array([0.5, None], pa.float32()),
        "double": pa.array([float("inf"), None]),
        "decimal": pa.array([Decimal("-12345678.91"), None], pa.decimal128(10, 2)),
        "huge": pa.array([Decimal(10**38 - 1), None], pa.decimal128(38, 0)),
        "date": pa.array([-1, None], pa.date32()),
        "time": pa.array([86399999999, None], pa.time64("us")),
        "timestamp": pa.array([-1, None], pa.timestamp("us")),
        "timestamptz": pa.array([1714557600123456, None], pa.timestamp("us", tz="UTC")),
        "string": pa.array(["grün 🌳", None]),
        "binary": pa.array([b"\xff\x00", None]),
        "fixed": pa.array([b"0123456789abcdef", None], pa.binary(16)),
        "nested": pa.array(
            [
                {
                    "list": [{"a": 1, "key": "k"}, None],
                    "map": [("x", [Decimal("1.50"), None]), ("y", None)],
                    "struct": {"deep": {"value": None}},
                },
                None,
            ],
            NESTED,
        ),
    }
)


def test_every_type_is_read_back_by_pyiceberg_and_by_duckdb(lake: Lake) -> None:
    lake.write({1: VALUES})
    expected = VALUES.to_pylist()
    names = list(VALUES.column_names)
    by_iceberg = lake.table.scan().to_arrow().select(names)
    assert by_iceberg.to_pylist() == expected
    by_duckdb = read_by_duckdb(lake.addresses()).select(names)
    as_lists = by_duckdb.cast(VALUES.schema.set(0, VALUES.schema.field(0)))
    assert as_lists.to_pylist() == expected


def test_the_arrow_file_schema_names_its_columns_in_the_tables_order(lake: Lake) -> None:
    target = lake.open()
    target.evolve(columns(b=pa.int64(), a=pa.string()))
    names = arrow_file_schema(target.metadata.schema()).names
    assert names[:2] == ["b", "a"]
    assert names[2:] == [column.name for column in target.lineage]
