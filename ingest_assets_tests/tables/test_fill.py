"""Rows in which a column is null have a value in it; all others have what they had."""

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.decision_errors import ReshapeRefusedError, ValuesDoNotConvertError
from ingest_assets.tables.operations import AddColumn, Constant, Expression, Fill
from ingest_assets_tests.tables.lake import Lake, layout
from ingest_assets_tests.tables.shapes import (
    AT,
    MIDNIGHT,
    PAIR,
    PRICE,
    change,
    fill_lake,
    values_of,
)

LIST = pa.list_(PAIR)
MAP = pa.map_(pa.string(), pa.int64())


@pytest.mark.parametrize(
    ("type_", "present", "value", "expected"),
    [
        (pa.int64(), 1, 0, 0),
        (pa.int32(), 1, 5.0, 5),
        (pa.float64(), 1.5, 2, 2.0),
        (PRICE, Decimal("1.50"), "0.10", Decimal("0.10")),
        (pa.bool_(), True, "false", False),
        (pa.date32(), date(2024, 5, 1), "2024-05-02", date(2024, 5, 2)),
        (AT, MIDNIGHT, "2024-05-02T00:00:00Z", MIDNIGHT.replace(day=2)),
        (AT, MIDNIGHT, MIDNIGHT.replace(day=3), MIDNIGHT.replace(day=3)),
        (pa.string(), "x", "", ""),
        (pa.binary(), b"x", b"\x00", b"\x00"),
        (PAIR, {"x": 1, "y": None}, {"x": 2}, {"x": 2, "y": None}),
        (LIST, [None], [{"y": "a"}], [{"x": None, "y": "a"}]),
        (MAP, [("k", None)], {"l": 2}, [("l", 2)]),
    ],
)
def test_a_constant_fills_what_is_null(
    lake: Lake, type_: pa.DataType, present: Any, value: Any, expected: Any
) -> None:
    fill_lake(lake, v=pa.array([None, present], type_))
    change(lake, Fill("v", Constant(value)))
    assert values_of(lake, "v") == [expected, present, expected]


@pytest.mark.parametrize(
    ("type_", "sql", "expected"),
    [
        (pa.string(), "client", ["a", "kept", None]),
        (pa.string(), "id + 0.5", ["0.5", "kept", "2.5"]),
        (pa.string(), "_source_file", ["s3://b/1", "kept", "s3://b/1"]),
        (pa.string(), "{'n': id}", ['{"n":0}', "kept", '{"n":2}']),
    ],
)
def test_an_expression_fills_what_is_null(
    lake: Lake, type_: pa.DataType, sql: str, expected: list[Any]
) -> None:
    fill_lake(
        lake,
        v=pa.array([None, "kept", None], type_),
        client=pa.array(["a", "b", None]),
    )
    change(lake, Fill("v", Expression(sql)))
    assert values_of(lake, "v")[:3] == expected


def test_a_new_column_is_filled_in_a_partitioned_and_sorted_table(lake: Lake) -> None:
    fill_lake(
        lake, layout("bucket(3, id)", sort_by=["client desc"]), client=pa.array(["1", "2", None])
    )
    change(
        lake,
        AddColumn(("customer_id",), pa.int64()),
        AddColumn(("origin",), LIST),
        Fill("customer_id", Expression("coalesce(customer_id, client::bigint)")),
        Fill("origin", Expression("[{'x': id, 'y': client}]")),
    )
    assert values_of(lake, "customer_id") == [1, 2, None, 1]
    assert values_of(lake, "origin")[1] == [{"x": 1, "y": "2"}]
    lake.write({3: pa.table({"id": [9], "customer_id": [7]})})
    assert values_of(lake, "customer_id")[-1] == 7


def test_a_value_that_does_not_fit_is_counted_only_where_it_would_be_used(lake: Lake) -> None:
    fill_lake(lake, v=pa.array([5, None, None, None]), t=pa.array(["x", "1", "y", None]))
    before = lake.table.metadata_location
    with pytest.raises(ValuesDoNotConvertError) as caught:
        change(lake, Fill("v", Expression("t")))
    assert (caught.value.column, caught.value.count, caught.value.example) == ("v", 1, "y")
    with pytest.raises(ReshapeRefusedError, match="Could not convert string 'x'"):
        change(lake, Fill("v", Expression("t::bigint")))
    assert lake.table.metadata_location == before
    change(lake, Fill("v", Expression("try_cast(t as bigint)")))
    assert values_of(lake, "v") == [5, 1, None, None, 5]


def test_a_moment_that_no_reader_knows_stops_the_rewrite(lake: Lake) -> None:
    off = layout(properties={"write.metadata.metrics.default": "none"})  # PyIceberg fails on them
    fill_lake(lake, off, v=pa.array([None, 1]), at=pa.array([0, 1], AT))
    table = lake.table
    rows = table.scan().to_arrow()
    odd = pa.array([2**62] * rows.num_rows, AT)
    table.append(rows.set_column(rows.column_names.index("at"), "at", odd))
    before = lake.table.metadata_location
    with pytest.raises(ReshapeRefusedError, match="at holds a moment outside of the years 1 to"):
        change(lake, Fill("v", Constant(1)))
    assert lake.table.metadata_location == before
