"""Values of one type are values of another exactly, or are counted; the nulls stay."""

import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.schema.conversion import can_convert, convert, texts
from ingest_assets.schema.value_text import raw_row, text_of

AT = pa.timestamp("us", tz="UTC")
WALL = pa.timestamp("us")
MOMENT = datetime(2024, 5, 1, 10, 30, 0, 250, tzinfo=UTC)
NUMBERS: dict[pa.DataType, list[Any]] = {
    pa.int32(): [0, 1, -(2**31), 2**31 - 1],
    pa.int64(): [0, 2**24 + 1, 2**53 + 1, -(2**63), 2**63 - 1],
    pa.float32(): [0.0, 0.25, 2.0**31, 2.0**100, math.inf],
    pa.float64(): [0.1, 0.5, 1e300, -(2.0**63), 2.0**63, math.inf, 12345678901.0],
    pa.decimal128(12, 2): [Decimal("0.10"), Decimal("3.00"), Decimal("9999999999.99")],
    pa.decimal128(38, 0): [Decimal(10**37 + 1), Decimal(2**53 + 1), Decimal(-3)],
}


def _is_held(value: Any, type_: pa.DataType) -> bool:
    """The type has a value that is the same number; a double is what its shortest digits say."""
    if isinstance(value, float) and not math.isfinite(value):
        return pa.types.is_floating(type_)
    if pa.types.is_integer(type_):
        number, limit = Fraction(value), 2 ** (type_.bit_width - 1)
        return number.denominator == 1 and -limit <= number < limit
    if pa.types.is_decimal(type_):
        digits = Fraction(str(value)) * 10**type_.scale
        return digits.denominator == 1 and abs(digits) < 10**type_.precision
    held = pa.scalar(float(value), pa.float64()).cast(type_).as_py()
    if held != float(value):
        return False
    return isinstance(value, float) or Fraction(str(float(value))) == Fraction(value)


@pytest.mark.parametrize("after", NUMBERS, ids=str)
@pytest.mark.parametrize("before", NUMBERS, ids=str)
def test_a_number_is_the_same_number_or_none(before: pa.DataType, after: pa.DataType) -> None:
    values = pa.array([*NUMBERS[before], None], before)
    converted, misfits = convert(values, after)
    held = [value is None or _is_held(value, after) for value in values.to_pylist()]
    assert [v is None for v in converted.to_pylist()] == [not is_held for is_held in held[:-1]] + [
        True
    ]
    assert misfits.count == held.count(False)
    if misfits.count:
        assert misfits.example == text_of(values[held.index(False)].as_py())
    for was, now in zip(values.to_pylist(), converted.to_pylist(), strict=True):
        assert now is None or now == was or Fraction(str(was)) == Fraction(str(now))


@pytest.mark.parametrize(
    ("before", "value", "after", "expected"),
    [
        (pa.date32(), date(1950, 1, 2), WALL, datetime.fromisoformat("1950-01-02")),
        (pa.date32(), date(1950, 1, 2), AT, datetime(1950, 1, 2, tzinfo=UTC)),
        (AT, datetime(1950, 1, 2, tzinfo=UTC), pa.date32(), date(1950, 1, 2)),
        (AT, MOMENT, pa.date32(), None),
        (AT, MOMENT, WALL, MOMENT.replace(tzinfo=None)),
        (WALL, MOMENT.replace(tzinfo=None), AT, MOMENT),
        (pa.string(), "12", pa.int64(), 12),
        (pa.string(), "012", pa.int64(), None),
        (pa.string(), "1.5", pa.decimal128(4, 2), Decimal("1.50")),
        (pa.string(), "1.555", pa.decimal128(4, 2), None),
        (pa.string(), "True", pa.bool_(), True),
        (pa.string(), "2024-05-01T10:30:00.00025Z", AT, MOMENT),
        (pa.string(), "10:30", pa.time64("us"), time(10, 30)),
        (pa.string(), "é", pa.binary(), "é".encode()),
        (pa.binary(), b"ab", pa.binary(2), b"ab"),
        (pa.binary(), b"abc", pa.binary(2), None),
        (pa.binary(2), b"ab", pa.binary(), b"ab"),
    ],
)
def test_other_values_convert_as_the_table_says(
    before: pa.DataType, value: Any, after: pa.DataType, expected: Any
) -> None:
    converted, misfits = convert(pa.array([None, value, value], before), after)
    assert converted.to_pylist() == [None, expected, expected]
    assert misfits.count == 2 * (expected is None)


@pytest.mark.parametrize(
    ("value", "before", "after"),
    [
        (True, pa.bool_(), pa.int64()),
        (1, pa.int64(), pa.date32()),
        ("x", pa.string(), pa.list_(pa.string())),
        (["x"], pa.list_(pa.string()), pa.struct([("a", pa.string())])),
        ({}, pa.struct([("a", pa.string()), ("b", WALL)]), pa.struct([("a", pa.string())])),
        ([], pa.map_(pa.int64(), pa.string()), pa.map_(pa.string(), pa.string())),
    ],
)
def test_what_has_no_like_is_refused_by_its_type(
    value: Any, before: pa.DataType, after: pa.DataType
) -> None:
    assert not can_convert(before, after)
    with pytest.raises(ValueError, match="no value of"):
        convert(pa.array([value], before), after)
    assert convert(pa.array([None], before), after)[0].to_pylist() == [None]


def test_values_inside_of_nested_ones_convert_and_nulls_stay_at_every_depth() -> None:
    before = pa.list_(pa.struct([("n", pa.string()), ("m", pa.map_(pa.string(), pa.int64()))]))
    after = pa.list_(
        pa.struct([("m", pa.map_(pa.string(), pa.string())), ("n", pa.int32()), ("new", AT)])
    )
    values = pa.array(
        [
            [{"n": "9", "m": []}],
            None,
            [],
            [None, {"n": None, "m": None}, {"n": "1", "m": [("k", 1), ("l", None)]}],
            [{"n": "x", "m": []}],
        ],
        before,
    )
    converted, misfits = convert(values.slice(1), after)
    converted.validate(full=True)
    assert converted.to_pylist() == [
        None,
        [],
        [
            None,
            {"m": None, "n": None, "new": None},
            {"m": [("k", "1"), ("l", None)], "n": 1, "new": None},
        ],
        [{"m": [], "n": None, "new": None}],
    ]
    assert (misfits.count, misfits.example) == (1, "x")


def test_what_lies_under_a_null_is_not_looked_at() -> None:
    hidden = pa.StructArray.from_arrays([pa.array(["x", "1"])], ["n"], mask=pa.array([True, False]))
    converted, misfits = convert(hidden, pa.struct([("n", pa.int64())]))
    assert converted.to_pylist() == [None, {"n": 1}]
    assert misfits.count == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (pa.scalar(True), "true"),
        (pa.scalar(-0.0), "-0.0"),
        (pa.scalar(1e20), "1e+20"),
        (pa.scalar(Decimal("12.50"), pa.decimal128(10, 2)), "12.5"),
        (pa.scalar(Decimal(10**30), pa.decimal128(38, 0)), "1" + "0" * 30),
        (pa.scalar(Decimal("12345678901234567890.12")), "12345678901234567890.12"),
        (pa.scalar(date(2024, 5, 1)), "2024-05-01"),
        (pa.scalar(time(10, 30)), "10:30:00"),
        (pa.scalar(MOMENT, AT), "2024-05-01T10:30:00.000250+00:00"),
        (pa.scalar(b"\x01\xff"), "01ff"),
        (pa.scalar([date(2024, 5, 1), None]), '["2024-05-01",null]'),
        (pa.scalar({"é": 1.0}), '{"é":1.0}'),
    ],
)
def test_a_value_has_one_text(value: pa.Scalar, text: str) -> None:
    assert text_of(value.as_py()) == text
    array = pa.array([None, value.as_py(), value.as_py()], value.type)
    assert texts(array).to_pylist() == [None, text, text]


@given(st.lists(st.none() | st.floats(width=64)))
def test_the_text_of_a_double_is_the_double_again(values: list[float | None]) -> None:
    found = texts(pa.array(values, pa.float64())).to_pylist()
    assert [None if text is None else repr(float(text)) for text in found] == [
        None if value is None else repr(value) for value in values
    ]


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_the_text_of_a_long_is_the_long_again(values: list[int | None]) -> None:
    there = texts(pa.array(values, pa.int64()))
    back, misfits = convert(there, pa.int64())
    assert back.to_pylist() == values
    assert misfits.count == 0


@pytest.mark.parametrize("type_", [pa.date32(), WALL, AT])
@given(values=st.lists(st.none() | st.datetimes()))
def test_the_text_of_a_moment_is_pythons(type_: pa.DataType, values: list[datetime | None]) -> None:
    whole = [None if value is None else value.replace(microsecond=0) for value in values]
    array = pa.array([*values, *whole], WALL)
    array = array.cast(pa.date32(), safe=False) if type_ == pa.date32() else array.view(type_)
    assert texts(array).to_pylist() == [
        None if value is None else text_of(value) for value in array.to_pylist()
    ]


def test_a_row_that_is_kept_as_text_is_json_whatever_it_holds() -> None:
    row = {"a": float("nan"), "b": [{"c": float("-inf")}], "d": Decimal("1.10"), "e": None}
    row |= {"day": date(2026, 1, 31), "blob": b"\x00\xff", "n": 1.5, "word": "é"}

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(raw_row(row), parse_constant=refused) == {
        "a": "nan",
        "b": [{"c": "-inf"}],
        "d": 1.1,
        "day": "2026-01-31",
        "blob": "00ff",
        "n": 1.5,
        "word": "é",
    }
