"""JSON files in all shapes, with all that goes wrong in them."""

import json
import math
from typing import Any

import pytest

from ingest_assets.errors import ColumnNameError, CorruptFileError, WrongFormatError
from ingest_assets.files.reading import json_records
from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.files.reading.reader import reader_for, validate_options
from ingest_assets.schema.types import format_type
from ingest_assets_tests.files.reading.contents import (
    carefully,
    columns_of,
    content,
    fast,
    json_lines,
)

_ORDERS = json_lines(
    [
        {"orderId": 1, "amount": 2.5, "at": "2024-03-01T10:00:00Z", "to": {"Zip": "1"}},
        {"orderId": 2, "amount": 3, "at": "2024-03-02", "to": {"Zip": "2"}},
    ]
)


def test_values_that_do_not_fit_are_rescued_by_path_and_the_row_is_kept() -> None:
    table = columns_of("json", _ORDERS)
    record = {"orderId": "x", "amount": 1, "at": "soon", "to": {"Zip": 5}, "tags": [{"a": 1}]}
    reader = reader_for("json", {})
    data = content(json_lines([record]))
    [chunk] = reader.read_careful(data, table, ignored=frozenset())
    [row] = chunk.rows.to_pylist()
    assert (row["order_id"], row["amount"], row["at"], row["to"]) == (
        None,
        1.0,
        None,
        {"zip": None},
    )
    assert json.loads(row["_rescued_data"]) == {
        "orderId": "x",
        "at": "soon",
        "to": {"Zip": 5},
        "tags": [{"a": 1}],
    }


def test_list_elements_that_do_not_fit_are_rescued_at_their_place() -> None:
    table = columns_of("json", json_lines([{"items": [{"n": 1}, {"n": 2}]}] * 9))
    read = carefully("json", json_lines([{"items": [{"n": 1}, {"n": "x"}, {"n": 3}]}]), table)
    [row] = read.rows.to_pylist()
    assert row["items"] == [{"n": 1}, {"n": None}, {"n": 3}]
    assert json.loads(row["_rescued_data"]) == {"items": [None, {"n": "x"}, None]}


def test_fields_that_are_ignored_by_declaration_are_dropped_and_others_are_not() -> None:
    table = columns_of("json", _ORDERS)
    data = content(json_lines([{"orderId": 1, "newField": 1, "other": 2}]))
    [chunk] = reader_for("json", {}).read_careful(data, table, ignored=frozenset({"new_field"}))
    assert chunk.rows.column("_rescued_data").to_pylist() == ['{"other":2}']


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"orderId": 1, "orderId": 2}', "'orderId' stands twice"),
        (b'{"to": {"Zip": "1", "x" :1, "\\u005aip": "2"}}', "'Zip' stands twice"),
        (b'{"orderId": NaN}', "not valid JSON"),
        (b'{"amount": 1e999}', "not valid JSON"),
        (b'{"at": "\xff"}', "not valid UTF-8 at byte 8"),
        (b'{"at": "\\ud800"}', "not valid JSON"),
        (b'{"orderId": 1', "not valid JSON"),
        (b'{"orderId": 1} {"orderId": 2}', "not valid JSON"),
        (b"[1]", "an array, not an object"),
        (b'"x"', "a string, not an object"),
        (b"null", "null, not an object"),
        (b"7", "a number, not an object"),
    ],
)
def test_a_record_that_cannot_be_a_row_is_rejected_with_its_line_and_bytes(
    bad: bytes, reason: str
) -> None:
    table = columns_of("json", _ORDERS)
    data = b"\n" + _ORDERS + b"  \r\n" + bad + b"\r\n" + _ORDERS
    assert fast("json", data, table) is None
    read = carefully("json", data, table)
    assert read.rows.column("_source_row").to_pylist() == [2, 3, 6, 7]
    [rejected] = read.rejected.to_pylist()
    assert (rejected["source_row"], rejected["raw"]) == (5, bad)
    assert reason in rejected["reason"]


def test_integers_beyond_64_bits_keep_every_digit() -> None:
    numbers = [1, 2**63, -(10**37) - 1, 12345678901234567890123]
    read = carefully("json", json_lines({"n": n} for n in numbers))
    assert [int(n) for n in read.rows.column("n").to_pylist()] == numbers
    columns = columns_of("json", json_lines({"n": n} for n in numbers))
    assert format_type(columns[0].type) == "decimal(38,0)"


def test_a_field_of_mixed_kinds_holds_the_text_of_each() -> None:
    data = json_lines([{"v": 1}, {"v": "a"}, {"v": True}, {"v": {"x": [1, "é"]}}, {"v": 1.5}])
    read = carefully("json", data)
    texts = ["1", "a", "true", '{"x":[1,"é"]}', "1.5"]
    assert read.rows.column("v").to_pylist() == texts
    assert read.rows.column("_rescued_data").null_count == 5
    again = carefully("json", data, columns_of("json", data))
    assert again.rows.equals(read.rows)


def test_a_byte_order_mark_and_other_line_ends_change_nothing() -> None:
    table = columns_of("json", _ORDERS)
    plain = carefully("json", _ORDERS, table)
    for data in (b"\xef\xbb\xbf" + _ORDERS, _ORDERS.replace(b"\n", b"\r\n"), _ORDERS.rstrip()):
        assert carefully("json", data, table).rows.equals(plain.rows)
        quick = fast("json", data, table)
        assert quick is not None
        assert quick.rows.equals(plain.rows)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("piece_bytes", [1, 7, 1000])
def test_an_array_is_read_element_by_element(
    indent: int | None, piece_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"a": 'x],}{["\\', "b": [1, {"c": []}]}, {"a": "é\n", "b": []}, {"a": None}]
    data = json.dumps(records, indent=indent).encode()
    pieces = [data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)]
    found = list(json_records.raw_records(pieces, "array", "x"))
    assert [number for number, _ in found] == [1, 2, 3]
    assert [json.loads(raw) for _, raw in found] == records
    assert carefully("json", data).rows.num_rows == 3


def test_a_bad_element_of_an_array_is_rejected_alone() -> None:
    read = carefully("json", b'[{"a":1}, 5, {"a":}, {"a":2},]')
    assert read.rows.column("_source_row").to_pylist() == [1, 4]
    assert read.rejected.column("source_row").to_pylist() == [2, 3, 5]


def test_one_document_over_many_lines_is_one_row() -> None:
    read = carefully("json", json.dumps({"a": [1, 2], "b": {"c": "}"}}, indent=2).encode())
    assert read.rows.to_pylist() == [
        {"a": [1, 2], "b": {"c": "}"}, "_source_row": 1, "_rescued_data": None}
    ]


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.ndjson", "a.JSONL.gz", "b/a.ndjson.zst", "a.jsonl.bz2", "a.jsonl.snappy"]
)
@pytest.mark.parametrize("bad", [b'{"orderId": 1,', b"{broken", b'{"orderId": [{"a": 1}'])
def test_a_broken_first_line_of_a_file_named_for_lines_is_one_rejected_row(
    name: str, bad: bytes
) -> None:
    table = columns_of("json", _ORDERS)
    for others in (b"no json\n", b"", b"no json\n" + _ORDERS):
        data = bad + b"\n" + others
        assert fast("json", data, table, name=name) is None
        read = carefully("json", data, table, name=name)
        assert read.rejected.column("raw").to_pylist() == [bad] + [b"no json"] * bool(others)
        assert read.rows.num_rows == 2 * (_ORDERS in others)


def test_a_file_that_is_not_named_for_lines_may_be_a_document_or_an_array() -> None:
    document = json.dumps({"a": 1}, indent=2).encode()
    for name in ("a.json", "a.jsonl/b", "a.jsonlx", "ndjson"):
        assert json_records.shape_of(document, name) == "document"
    assert json_records.shape_of(b'[\n{"a": 1}\n]', "a.jsonl") == "array"


@pytest.mark.parametrize("data", [b'[{"a":1},{"a":', b'[{"a":1}', b'[{"a":1},', b'{\n"a": {\n'])
def test_json_that_is_never_closed_is_cut_short(data: bytes) -> None:
    with pytest.raises(CorruptFileError, match="cut short"):
        carefully("json", data)


def test_text_after_an_array_is_an_error() -> None:
    with pytest.raises(WrongFormatError, match="goes on after the end"):
        carefully("json", b'[\n{"a":1}\n]\n{"a":2}\n')


@pytest.mark.parametrize("data", [b"", b" \n\n", b"\xef\xbb\xbf", b"[]", b"[ ]\n"])
def test_an_empty_file_has_no_rows_and_is_fine(data: bytes) -> None:
    table = columns_of("json", _ORDERS)
    read = carefully("json", data, table)
    assert (read.rows.num_rows, read.rejected.num_rows) == (0, 0)
    assert reader_for("json", {}).observe(content(data), table).record_count == 0


def test_names_that_collide_in_a_file_are_an_error_even_across_records() -> None:
    with pytest.raises(ColumnNameError, match="'orderId' and 'order_id'"):
        carefully("json", json_lines([{"orderId": 1}, {"order_id": 2}]))


def test_a_field_spelled_otherwise_than_before_reaches_its_column() -> None:
    table = columns_of("json", _ORDERS)
    read = carefully("json", json_lines([{"OrderID": 7, "TO": {"ZIP": "9"}}]), table)
    assert read.rows.column("order_id").to_pylist() == [7]
    assert read.rows.column("to").to_pylist() == [{"zip": "9"}]


def test_the_fast_path_leaves_an_absent_required_column_to_the_careful_one() -> None:
    table = columns_of("json", _ORDERS)
    without = [{"orderId": 1, "amount": 1.0, "at": "2024-03-01", "to": None}]
    assert fast("json", json_lines(without), table) is None
    observed = reader_for("json", {}).observe(content(json_lines(without)), table)
    assert observed.always_present == {"order_id", "amount", "at", "to"}
    assert {c.name for c in observed.columns} == {c.name for c in table}


_EMPTY = [
    {"orderId": 3, "at": "2024-03-04", "to": {"Zip": "3", "geo": None}, "notes": [], "x": None},
    {"amount": 1.5, "lines": [{}, {"tax": None}], "notes": None},
]


def test_fields_that_say_nothing_keep_no_file_from_the_fast_path() -> None:
    table = columns_of("json", _ORDERS)
    quick = fast("json", json_lines(_EMPTY), table)
    assert quick is not None
    assert quick.rows.equals(carefully("json", json_lines(_EMPTY), table).rows)
    assert quick.rows.column("to").to_pylist() == [{"zip": "3"}, None]


@pytest.mark.parametrize(
    "says_more",
    [
        {"x": 0},
        {"notes": ["a"]},
        {"lines": [{"tax": 1}]},
        {"to": {"geo": {"lat": 1.5}}},
        {"order_id": None},
    ],
)
def test_a_field_that_said_nothing_is_heard_when_it_does(says_more: dict[str, Any]) -> None:
    table = columns_of("json", _ORDERS)
    reader = reader_for("json", {})
    list(reader.read_fast(content(json_lines(_EMPTY)), table))
    for data in ([*_EMPTY, says_more], [*_EMPTY * 1000, says_more]):
        with pytest.raises(Stumbled):
            list(reader.read_fast(content(json_lines(data)), table))


def test_a_deep_record_is_looked_at_again_in_no_more_time() -> None:
    for deep in (b'{"n":' * 45 + b"1" + b"}" * 45, b'{"n":' + b"[" * 45 + b"1" + b"]" * 45 + b"}"):
        table = columns_of("json", deep)
        assert columns_of("json", deep, table) == table
        assert carefully("json", deep, table).rows.column("_rescued_data").to_pylist() == [None]


def test_more_empty_fields_than_anybody_has_are_left_to_the_careful_path() -> None:
    table = columns_of("json", _ORDERS)
    for count, is_fast in ((90, True), (200, False)):
        record = _EMPTY[0] | _EMPTY[1] | {f"x{i}": None for i in range(count)}
        assert (fast("json", json_lines([record]), table) is not None) == is_fast


def test_large_doubles_and_small_ones_are_read_alike() -> None:
    values = [1e300, 5e-324, -0.0, 0.1, 123456789.123456789]
    data = json_lines({"v": v} for v in values)
    read = carefully("json", data).rows.column("v").to_pylist()
    assert read == values
    assert math.copysign(1, read[2]) == -1


def test_a_row_of_20_megabytes_is_read_by_both_paths() -> None:
    data = json_lines([{"a": "x" * 20_000_000}, {"a": "y"}])
    table = columns_of("json", data)
    read = carefully("json", data, table)
    assert read.rows.column("_source_row").to_pylist() == [1, 2]
    quick = fast("json", data, table)
    assert quick is not None
    assert quick.rows.equals(read.rows)


def test_unknown_options_are_refused_by_name() -> None:
    assert validate_options("json", {"shape": "lines"}) == []
    assert (
        "shapes: the format json has no such option" in validate_options("json", {"shapes": 1})[0]
    )
    assert "not one of lines, array, document" in validate_options("json", {"shape": "rows"})[0]


@pytest.mark.parametrize(("before", "after"), [(b'{"a":', b"}"), (b"[", b"]")])
@pytest.mark.parametrize("depth", [50, 1000, 100_000])
def test_what_is_nested_too_deeply_is_rejected(before: bytes, after: bytes, depth: int) -> None:
    deep = b'{"a":' + before * depth + b"1" + after * depth + b"}\n"
    data = b'{"b":1}\n' + deep
    read = carefully("json", data)
    assert read.rows["b"].to_pylist() == [1]
    [reason] = read.rejected["reason"].to_pylist()
    assert "more than 50 levels deep" in reason or "depth limit exceeded" in reason
    assert fast("json", data, columns_of("json", data)) is None
    [near] = carefully("json", b'{"a":' + before * 48 + b"1" + after * 48 + b"}\n").rows.to_pylist()
    assert near["a"] is not None
