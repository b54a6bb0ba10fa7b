"""A table's schema is changed, its data with it where Iceberg needs that, in one commit or none."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.table import Table

from ingest_assets.decision_errors import ReshapeRefusedError, ValuesDoNotConvertError
from ingest_assets.schema.conversion import can_convert
from ingest_assets.schema.fit import text_of
from ingest_assets.schema.types import format_type
from ingest_assets.tables.operations import (
    Operation,
    Retype,
)
from ingest_assets.tables.reshape import Reshaped, reshape
from ingest_assets_tests.tables.lake import IDENTIFIER, Lake, columns, read_by_duckdb

PRICE = pa.decimal128(12, 2)
AT = pa.timestamp("us", tz="UTC")
PAIR = pa.struct([("x", pa.int64()), ("y", pa.string())])
MOMENT = datetime(2024, 5, 1, 10, 30, 0, 250, tzinfo=UTC)

# Of each type: values, the first of which have their like in many other types.
VALUES: dict[pa.DataType, list[Any]] = {
    pa.bool_(): [True, False],
    pa.int32(): [1, -(2**31)],
    pa.int64(): [1, 2**62 + 1],
    pa.float32(): [1.0, 0.25, float("nan")],
    pa.float64(): [1.0, 0.1, 1e300, -0.0],
    PRICE: [Decimal("1.00"), Decimal("-1234567890.12")],
    pa.date32(): [date(2024, 5, 1), date(1, 1, 1)],
    pa.time64("us"): [time(10, 30), time(10, 30, 0, 250)],
    pa.timestamp("us"): [datetime(2024, 5, 1), MOMENT.replace(tzinfo=None)],
    AT: [datetime(2024, 5, 1, tzinfo=UTC), MOMENT],
    pa.string(): ["1", "2024-05-01", "1.5", "true", "10:30", "", "é\n", '"'],
    pa.binary(): [b"1", b"\xff\x00"],
}
SCALARS = list(VALUES)
NESTED: dict[pa.DataType, list[Any]] = {
    PAIR: [{"x": 1, "y": "é"}, {"x": None, "y": None}],
    pa.list_(PAIR): [[{"x": 1, "y": None}, None], []],
    pa.list_(pa.int64()): [[1, None], []],
    pa.map_(pa.string(), PRICE): [[("k", Decimal("1.50")), ("l", None)], []],
    pa.struct([("at", AT), ("b", pa.binary())]): [{"at": MOMENT, "b": b"\x01"}],
}


def change(lake: Lake, *operations: Operation, batch_id: str = "r-1") -> Reshaped:
    return reshape(lake.catalog, IDENTIFIER, lake.owner, operations, batch_id, lambda: True)


def fill_lake(lake: Lake, wanted: Any = None, **data: pa.Array) -> None:
    """A table with these columns, in two data files."""
    rows = pa.table({"id": pa.array(range(len(next(iter(data.values())))), pa.int64()), **data})
    shape = columns(**{field.name: field.type for field in rows.schema})
    lake.write({1: rows}, wanted, shape=shape)
    lake.write({2: rows.slice(0, 1)}, wanted, shape=shape)


def rows_of(lake: Lake) -> list[dict[str, Any]]:
    """The rows by id, as duckdb reads the data files that the snapshot names."""
    found = read_by_duckdb(lake.addresses()).to_pylist()
    return sorted(found, key=lambda row: (row["_file_id"], row["id"]))


def values_of(lake: Lake, column: str) -> list[Any]:
    """A column in the same order, by both readers, which agree."""
    scanned = sorted(
        lake.table.scan().to_arrow().to_pylist(), key=lambda row: (row["_file_id"], row["id"])
    )
    found = [row[column] for row in rows_of(lake)]
    assert repr(found) == repr([row[column] for row in scanned])
    return found


def unchanged(table: Table, after: Table) -> bool:
    return table.metadata_location == after.metadata_location


@pytest.mark.parametrize("type_", [*SCALARS[:-2], SCALARS[-1], *NESTED], ids=str)
def test_every_type_becomes_its_text(lake: Lake, type_: pa.DataType) -> None:
    values = [*{**VALUES, **NESTED}[type_], None]
    array = pa.array(values, type_)
    fill_lake(lake, v=array)
    before = lake.table
    read = array.to_pylist()
    done = change(lake, Retype(("v",), pa.string()))
    texts = [None if value is None else text_of(value) for value in read]
    assert values_of(lake, "v") == [*texts, texts[0]]
    assert done.rewritten_rows == len(values) + 1
    assert done.rewritten_files == 2
    old = before.schema().find_field("v")
    new = lake.table.schema().find_field("v")
    assert new.field_id > max(old.field_id, before.schema().highest_field_id)
    assert lake.table.schema().column_names.index("v") == 1
    assert before.current_snapshot() is not None
    then = lake.table.scan(snapshot_id=before.metadata.current_snapshot_id).to_arrow()
    assert repr(sorted(map(str, then["v"].to_pylist()))) == repr(sorted(map(str, [*read, read[0]])))


@pytest.mark.parametrize("after", SCALARS[:-2] + SCALARS[-1:], ids=str)
@pytest.mark.parametrize("before", SCALARS, ids=str)
def test_other_types_convert_exactly_or_are_refused(
    lake: Lake, before: pa.DataType, after: pa.DataType
) -> None:
    if before == after:
        pytest.skip("nothing to change")
    fill_lake(lake, v=pa.array([*VALUES[before], None], before))
    table = lake.table
    refused = 0
    if not can_convert(before, after):
        with pytest.raises(ReshapeRefusedError, match=f"no {format_type(before)} is a"):
            change(lake, Retype(("v",), after))
        assert unchanged(table, lake.table)
        return
    try:
        change(lake, Retype(("v",), after))
    except ValuesDoNotConvertError as error:
        refused = error.count
        assert error.column == "v"
        assert error.example in str(error)
        assert unchanged(table, lake.table)
        assert values_of(lake, "v")[:1] == VALUES[before][:1]
    # Each value by itself, so that those that convert are seen.
    misfits = 0
    for value in VALUES[before]:
        lake.write({1: pa.table({"id": [0], "v": pa.array([value], before)})}) if refused else None
        if not refused:
            break
        fresh = lake.write({2: pa.table({"id": [0], "v": pa.array([value], before)})})
        assert fresh.snapshot_id
        misfits += 1
        break
    if not refused:
        held = values_of(lake, "v")[: len(VALUES[before])]
        for was, now in zip(VALUES[before], held, strict=True):
            assert now is not None
            if pa.types.is_floating(before) or pa.types.is_decimal(before):
                assert now == was or was != was
