"""Types in words and columns in JSON, to and fro."""

import json

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from ingest_assets.schema.column import Column, nested_field
from ingest_assets.schema.types import (
    columns_from_json,
    columns_to_json,
    fingerprint,
    format_type,
    parse_type,
)

_WORDS = st.recursive(
    st.sampled_from(
        [
            "boolean",
            "int",
            "long",
            "float",
            "double",
            "date",
            "time",
            "timestamp",
            "timestamptz",
            "string",
            "binary",
            "decimal(10,2)",
            "decimal(38,0)",
            "fixed(16)",
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda t: f"list<{t}>"),
        inner.map(lambda t: f"map<string, {t}>"),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda ts: f"struct<{', '.join(f'f{i}: {t}' for i, t in enumerate(ts))}>"
        ),
    ),
    max_leaves=5,
)


def test_the_fingerprint_of_a_deep_type_takes_no_more_than_its_levels() -> None:
    type_ = pa.int64()
    for _ in range(40):
        type_ = pa.struct([("n", pa.list_(type_))])
    deep, other = (fingerprint([Column("n", t)]) for t in (type_, pa.struct([("m", type_)])))
    assert deep != other


@given(_WORDS)
def test_words_become_a_type_and_the_type_becomes_the_words(words: str) -> None:
    assert format_type(parse_type(words)) == words


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("integer", "int, long"),
        ("decimal(39,0)", "from 1 to 38"),
        ("decimal(5,6)", "from 0 to 5"),
        ("list<string", "expected '>'"),
        ("struct<>", "expected ':'"),
        ("long long", "nothing may follow"),
        ("", "'the end' is no type"),
        ("long;", "';' has no meaning"),
    ],
)
def test_words_that_name_no_type_say_what_would_be_right(words: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint.replace("(", r"\(")):
        parse_type(words)


def test_a_type_that_iceberg_lacks_has_no_words() -> None:
    with pytest.raises(ValueError, match="duration"):
        format_type(pa.duration("s"))


def test_columns_come_back_from_json_with_their_nested_names() -> None:
    struct = pa.struct(
        [
            nested_field("zip_code", pa.string(), source_name="ZipCode"),
            nested_field("any", pa.string(), accepts_any=True),
        ]
    )
    columns = (
        Column("id", pa.int64(), is_required=True, source_name="ID", description="the key"),
        Column("address", struct),
        Column("items", pa.list_(nested_field("element", struct))),
        Column("labels", pa.map_(pa.string(), struct)),
        Column("note", pa.string(), accepts_any=True),
    )
    back = columns_from_json(json.loads(json.dumps(columns_to_json(columns))))
    assert back == columns
    assert back[1].type.field(0).metadata == struct.field(0).metadata
    assert back[1].type.field(1).metadata == struct.field(1).metadata
    assert back[2].type.value_type.field(0).metadata == struct.field(0).metadata
    assert back[3].type.item_type.field(0).metadata == struct.field(0).metadata


def test_the_fingerprint_is_of_names_types_and_requirement_and_not_of_order() -> None:
    a, b = Column("a", parse_type("struct<x: long, y: date>")), Column("b", pa.string())
    swapped = Column("a", parse_type("struct<y: date, x: long>"), description="other")
    assert fingerprint((a, b)) == fingerprint((b, swapped))
    others = [(a,), (a, Column("b", pa.binary())), (a, Column("b", pa.string(), True))]
    assert len({fingerprint(columns) for columns in [(a, b), *others]}) == 4
