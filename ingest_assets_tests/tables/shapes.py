"""Tables to change the shape of, and how tests look at them before and after."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from ingest_assets.tables.live_rows import live_rows
from ingest_assets.tables.operations import Operation
from ingest_assets.tables.reshape import Reshaped, reshape
from ingest_assets_tests.tables.lake import IDENTIFIER, Lake, columns, read_by_duckdb

PRICE = pa.decimal128(12, 2)
WALL = pa.timestamp("us")
AT = pa.timestamp("us", tz="UTC")
PAIR = pa.struct([("x", pa.int64()), ("y", pa.string())])
MIDNIGHT = datetime(2024, 5, 1, tzinfo=UTC)
MOMENT = datetime(2024, 5, 1, 10, 30, 0, 250, tzinfo=UTC)

# Of each scalar type: first a value that has its like in other types, then ones that may not.
VALUES: dict[pa.DataType, list[Any]] = {
    pa.bool_(): [True, False],
    pa.int32(): [1, -(2**31)],
    pa.int64(): [1, 2**62 + 1],
    pa.float32(): [1.0, 1e30, float("nan")],
    pa.float64(): [1.0, 0.1, 1e300, -0.0],
    PRICE: [Decimal("1.00"), Decimal("-1234567890.12")],
    pa.date32(): [date(2024, 5, 1), date(1, 1, 1)],
    pa.time64("us"): [time(10, 30), time(10, 30, 0, 250)],
    WALL: [MIDNIGHT.replace(tzinfo=None), MOMENT.replace(tzinfo=None)],
    AT: [MIDNIGHT, MOMENT],
    pa.string(): ["1", "é\n", "", '"'],
    pa.binary(): [b"1", b"\xff\x00"],
}
NESTED: dict[pa.DataType, list[Any]] = {
    PAIR: [{"x": 1, "y": "é"}, {"x": None, "y": None}],
    pa.list_(PAIR): [[{"x": 1, "y": None}, None], []],
    pa.list_(pa.int64()): [[1, None], []],
    pa.map_(pa.string(), PRICE): [[("k", Decimal("1.50")), ("l", None)], []],
    pa.struct([("at", AT), ("b", pa.binary())]): [{"at": MOMENT, "b": b"\x01"}],
}


def change(lake: Lake, *operations: Operation, batch_id: str = "r-1") -> Reshaped:
    """The operations are done."""
    return reshape(lake.catalog, IDENTIFIER, lake.owner, operations, batch_id, lambda: True)


def fill_lake(lake: Lake, wanted: Any = None, **data: pa.Array) -> None:
    """A table with these columns and `id`, in two data files: all rows, and the first once more."""
    count = len(next(iter(data.values())))
    rows = pa.table({"id": pa.array(range(count), pa.int64()), **data})
    shape = columns(**{field.name: field.type for field in rows.schema})
    lake.write({1: rows}, wanted, shape=shape)
    lake.write({2: rows.slice(0, 1)}, wanted, shape=shape)


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows by file and id."""
    return sorted(rows, key=lambda row: (row["_file_id"], row["id"]))


def values_of(lake: Lake, column: str) -> list[Any]:
    """The column of all rows in order; PyIceberg and duckdb find the same."""
    ours = [row[column] for row in rows_at(lake.table)]
    theirs = [row[column] for row in in_order(read_by_duckdb(lake.addresses()).to_pylist())]
    assert repr(ours) == repr(theirs)
    if not any(isinstance(value, list | dict) for value in ours):  # see `tables.live_rows`
        scanned = [row[column] for row in in_order(lake.table.scan().to_arrow().to_pylist())]
        assert repr(ours) == repr(scanned)
    return ours


def rows_at(table: Table, snapshot_id: int | None = None) -> list[dict[str, Any]]:
    """The rows of the snapshot (by default the current one) under the schema it was made with."""
    scan = table.scan(snapshot_id=snapshot_id)
    return in_order(
        [
            row
            for task in scan.plan_files()
            for rows in live_rows(table, task, scan.projection())
            for row in rows.to_pylist()
        ]
    )
