"""What a column holds of a value, and what is left over."""

import datetime
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.schema.fit import FITS, fitter, says_nothing
from ingest_assets.schema.types import parse_type
from ingest_assets.schema.value_text import text_of


@pytest.mark.parametrize(
    ("words", "value", "held"),
    [
        ("long", 1.0, 1),
        ("long", Decimal("5.0"), 5),
        ("int", 2**31 - 1, 2**31 - 1),
        ("double", 3, 3.0),
        ("float", 1.5, 1.5),
        ("decimal(5,2)", 1.5, Decimal("1.5")),
        ("decimal(5,2)", "1.50", Decimal("1.50")),
        ("decimal(5,2)", 1000, None),
        ("decimal(5,2)", 1.125, None),
        ("int", 2**31, None),
        ("long", 2**63, None),
        ("long", 1.5, None),
        ("long", "1", None),
        ("long", True, None),
        ("double", 2**53 + 1, None),
        ("float", 1e39, None),
        ("boolean", 1, None),
        ("string", 1, None),
        ("date", "2024-01-01T00:00", None),
        ("date", datetime.date(2024, 1, 1), datetime.date(2024, 1, 1)),
        ("time", "10:30", 37_800_000_000),
        ("binary", "é", b"\xc3\xa9"),
        ("fixed(2)", "abc", None),
        ("struct<a: long>", [], None),
        ("list<long>", {}, None),
    ],
)
def test_a_value_fits_or_is_left_over_whole(words: str, value: Any, held: Any) -> None:
    fitted, left = fitter(parse_type(words))(value)
    assert fitted == held
    assert left is FITS if held is not None else left == value
    pa.array([fitted], type=parse_type(words))


def test_a_map_keeps_its_entries_and_leaves_those_that_do_not_fit() -> None:
    fit = fitter(parse_type("map<string, long>"))
    assert fit({"a": 1, "b": "x"}) == ([("a", 1), ("b", None)], {"b": "x"})
    assert fit([("a", 1)]) == ([("a", 1)], FITS)


def test_two_fields_for_one_column_in_a_record_lose_nothing() -> None:
    fit = fitter(parse_type("struct<order_id: long>"))
    assert fit({"orderId": 1, "OrderID": 2}) == ({"order_id": 1}, {"OrderID": 2})


@pytest.mark.parametrize("value", [None, [], {}, [None, []], {"a": {"b": None}}])
def test_nothing_is_said_by_nulls_alone(value: Any) -> None:
    assert says_nothing(value)
    assert not says_nothing([value, 0])


def test_what_is_left_over_is_written_as_json() -> None:
    left = {
        "n": 2**70,
        "d": Decimal("1.5"),
        "long": Decimal("1.2345678901234567890123"),
        "t": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        "b": b"\x01",
    }
    assert json.loads(text_of(left)) == {
        "n": 2**70,
        "d": 1.5,
        "long": "1.2345678901234567890123",
        "t": "2024-01-01T00:00:00+00:00",
        "b": "01",
    }
