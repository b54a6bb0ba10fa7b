"""What the values of a file say about its types, alone and against the table's."""

from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.errors import ColumnNameError
from ingest_assets.schema.column import Column, accepts_any, as_struct, nested_field
from ingest_assets.schema.infer import Inference
from ingest_assets.schema.infer_text import TextInference
from ingest_assets.schema.types import format_type, parse_type


def _inferred(values: list[Any], expected: str | None = None) -> str | None:
    table = () if expected is None else (Column("v", parse_type(expected)),)
    root = Inference(nested_field("", as_struct(table)))
    for value in values:
        root.see({"v": value})
    fields = root.fields()
    if not fields:
        return None
    suffix = " of anything" if accepts_any(fields[0]) else ""
    return format_type(fields[0].type) + suffix


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, None, 2], "long"),
        ([1, 2**63], "decimal(38,0)"),
        ([1, 2.5], "double"),
        ([2**70, 2.5], "double"),
        ([1, 10**38], "string of anything"),
        ([True, False], "boolean"),
        ([True, 1], "string of anything"),
        (["2024-01-01", None], "date"),
        (["2024-01-01", "2024-01-01T10:00"], "timestamptz"),
        (["2024-01-01T10:00:00.123456Z"], "timestamptz"),
        (["2024-01-01T10:00:00.1234567Z"], "string"),
        (["2024-01-01", "soon"], "string"),
        (["007"], "string"),
        ([1, "a"], "string of anything"),
        ([{"a": 1}, "x"], "string of anything"),
        ([{"A": 1}, {"b": {"c": None, "d": True}}], "struct<a: long, b: struct<d: boolean>>"),
        ([[1], [], [2.5, None]], "list<double>"),
        ([[{"a": 1}], [{"b": "x"}]], "list<struct<a: long, b: string>>"),
        ([None, [], {}, [[]], {"a": None}], None),
        ([[], 1], "long"),
    ],
)
def test_all_values_of_a_new_field_make_its_type(values: list[Any], words: str | None) -> None:
    assert _inferred(values) == words


@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ("double", [1, 2], "double"),
        ("long", [1.0, 2.0], "long"),
        ("long", [1, 2, "x"], "long"),
        ("long", ["x", "y", 1], "string of anything"),
        ("long", ["x", "y"], "string"),
        ("long", ["x", 1], "long"),
        ("string", [1, 2], "long"),
        ("string", ["2024-01-01"], "string"),
        ("timestamptz", ["2024-01-01"], "timestamptz"),
        ("int", [1, 2], "int"),
        ("int", [1, 2, 3, 2**40], "long"),
        ("long", [None], "long"),
        ("long", [[]], "long"),
        ("struct<a: long, b: string>", [{}], "struct<a: long, b: string>"),
        ("struct<a: long, b: string>", [{"a": 1}], "struct<a: long>"),
        ("struct<a: long>", [{"a": "x"}, {"c": 1}], "struct<a: string, c: long>"),
        ("list<double>", [[1], [2]], "list<double>"),
        ("list<long>", [["x"], ["y"]], "list<string>"),
        ("list<long>", [5, 6, [1]], "string of anything"),
        ("map<string, long>", [{"a": 1}], "map<string, long>"),
        ("decimal(10,2)", [1.25, "3.50"], "decimal(10,2)"),
    ],
)
def test_the_table_decides_unless_most_values_do_not_fit(
    table: str, values: list[Any], words: str
) -> None:
    assert _inferred(values, table) == words


def test_fields_that_every_record_had_are_known_null_or_not() -> None:
    root = Inference(nested_field("", pa.struct([])))
    for record in ({"A": 1, "b": None}, {"A": 2, "b": 3}, {"A": 3, "b": 1, "c": 1}):
        root.see(record)
    assert root.always_present(3) == {"a", "b"}


def test_two_spellings_of_one_nested_name_in_a_file_are_an_error() -> None:
    root = Inference(nested_field("", pa.struct([])))
    root.see({"address": {"zipCode": 1}})
    with pytest.raises(ColumnNameError, match="'zipCode' and 'zip_code'"):
        root.see({"address": {"zip_code": 1}})


@pytest.mark.parametrize(
    ("texts", "table", "words"),
    [
        (["1", "-2", None, ""], None, "long"),
        (["1", "2.5", "1e3"], None, "double"),
        (["1", "99999999999999999999"], None, "decimal(38,0)"),
        (["00501", "12345"], None, "string"),
        (["true", "FALSE"], None, "boolean"),
        (["true", "1"], None, "string"),
        (["2024-01-01"], None, "date"),
        (["2024-01-01", "2024-01-01T00:00:00+02:00"], None, "timestamptz"),
        (["NaN", "1.5"], None, "string"),
        ([None, ""], None, None),
        ([None, ""], "long", "long"),
        (["007", "008", "1"], "long", "string"),
        (["007", "8", "9"], "long", "long"),
        (["1", "2"], "string", "string"),
        (["1", "2"], "double", "double"),
        (["3000000000", "1", "2"], "int", "long"),
    ],
)
def test_texts_of_a_csv_column_make_its_type(
    texts: list[str | None], table: str | None, words: str | None
) -> None:
    inference = TextInference(None if table is None else nested_field("v", parse_type(table)))
    for text in texts:
        inference.see(pa.array([text], pa.string()))
    one_by_one = inference.result("v")
    at_once = TextInference(None if table is None else nested_field("v", parse_type(table)))
    at_once.see(pa.array(texts, pa.string()))
    assert one_by_one == at_once.result("v")
    assert (None if one_by_one is None else format_type(one_by_one.type)) == words
