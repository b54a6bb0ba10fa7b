"""The grammar of values in text, and Arrow's casts held to it."""

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import example, given, settings

from ingest_assets.schema.text import text_parser
from ingest_assets.schema.text_arrays import fit_text, fits_wholly
from ingest_assets.schema.types import parse_type

_TYPES = [
    parse_type(words)
    for words in (
        "long",
        "int",
        "double",
        "boolean",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "decimal(10,2)",
    )
]
_SOUP = st.text("0123456789-+.:TZ eEaxn_", min_size=1, max_size=30)
_NUMBER = st.from_regex(
    r"[+-]?0{0,2}[0-9]{0,20}\.?[0-9]{0,5}([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
_TIME = st.from_regex(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9](:[0-5][0-9](:[0-6][0-9](\.[0-9]{1,9})?)?)?"
    r"(Z|[+-][0-2][0-9](:?[0-6][0-9])?)?)?",
    fullmatch=True,
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(_SOUP, _NUMBER.filter(bool), _TIME), st.sampled_from(_TYPES))
@example("007", pa.int64())
@example("0x1F", pa.int64())
@example("+1", pa.float64())
@example("nan", pa.float64())
@example("-inf", pa.float64())
@example("9007199254740993", pa.float64())
@example("9999-12-31T23:59:59-10:00", pa.timestamp("us", tz="UTC"))
@example("0000-01-01T00:00:00Z", pa.timestamp("us", tz="UTC"))
def test_arrow_casts_a_whole_array_only_as_the_grammar_would(text: str, type_: pa.DataType) -> None:
    value = text_parser(type_)(text)
    expected = pa.array([value], type_)
    if fits_wholly(pa.array([text]), type_):
        assert value is not None
    fitted, misfits = fit_text(pa.array([text]), type_)
    assert fitted.equals(expected)
    assert (misfits is None) == (value is not None)


@pytest.mark.parametrize("text", ["007", "+1", " 1", "1 ", "1.0", "0x1F", "1_000", "", "²"])
def test_a_long_is_written_in_plain_digits(text: str) -> None:
    assert text_parser(pa.int64())(text) is None


@pytest.mark.parametrize(
    ("text", "is_held"),
    [
        ("9007199254740992", True),
        ("9007199254740993", False),
        ("100000000000000000000", True),
        ("123456789012345680000", True),
        ("123456789012345678901", False),
    ],
)
def test_an_integer_fits_a_double_that_keeps_its_digits(text: str, is_held: bool) -> None:
    assert (text_parser(pa.float64())(text) is not None) is is_held


def test_texts_of_many_writings_are_one_instant() -> None:
    texts = [
        "2024-03-01T10:00:00Z",
        "2024-03-01 10:00",
        "2024-03-01T10",
        "2024-03-01T11:00:00.000000000+01:00",
        "2024-03-01T04:30:00-0530",
    ]
    fitted, misfits = fit_text(pa.array(texts), pa.timestamp("us", tz="UTC"))
    assert misfits is None
    assert len(fitted.unique()) == 1


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2024-03-01T10:00:00.0000001Z", "2024-03-01T25:00", "24-03-01", "20240301"],
)
def test_what_is_no_moment_down_to_the_microsecond_does_not_fit_a_timestamp(text: str) -> None:
    assert text_parser(pa.timestamp("us", tz="UTC"))(text) is None


def test_misfits_are_marked_and_nulls_are_not() -> None:
    texts = pa.array(["1", None, "x"] + ["2"] * 30 + ["007"])
    fitted, misfits = fit_text(texts, pa.int64())
    assert misfits is not None
    assert pa.compute.indices_nonzero(misfits).to_pylist() == [2, 33]
    assert fitted.to_pylist()[:3] == [1, None, None]


def test_leading_nulls_do_not_hide_the_zone() -> None:
    texts = pa.array([None] * 40 + ["2024-03-01T10:00:00Z"] * 2)
    assert fits_wholly(texts, pa.timestamp("us", tz="UTC"))
