"""JSON documents with the records in an array inside of them."""

import json
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.json_path import RecordPath
from ingest_assets.files.reading.json_records import raw_records
from ingest_assets.files.reading.reader import reader_for, validate_options
from ingest_assets.schema.column import Column
from ingest_assets_tests.files.reading.contents import carefully, columns_of, content, fast


def _at(path: Any, data: bytes) -> list[dict[str, Any]]:
    read = carefully("json", data, None, {"record_path": path})
    assert read.rejected.num_rows == 0
    return read.rows.drop_columns(["_rescued_data"]).to_pylist()


_TRAIL = {
    "version": {"Records": [{"not": "this"}]},
    "Records": [{"id": 1, "s": 'a,"]}'}, {"id": 2, "s": None}],
    "last": [1, [2], {"Records": []}],
}


@pytest.mark.parametrize("indent", [None, 2])
def test_records_inside_of_a_document_are_found_by_their_path(indent: int | None) -> None:
    data = json.dumps(_TRAIL, indent=indent).encode()
    rows = [{"id": 1, "s": 'a,"]}', "_source_row": 1}, {"id": 2, "s": None, "_source_row": 2}]
    assert _at("Records", data) == rows
    assert _at(["Records"], b"\xef\xbb\xbf" + data + b"\n") == rows
    options = {"record_path": "Records"}
    assert fast("json", data, columns_of("json", data, options=options), options) is None
    reader = reader_for("json", options)
    detected = reader.observe(content(data), None).detected
    assert detected["record_path"] == "Records"
    assert detected["outside_records"] == "version, last"


def test_a_path_may_be_deep_and_documents_several() -> None:
    data = b'{"a":{"x":0,"b.c":[{"n":1}]}}\n{"a":{"b.c":[]}} {"a":{"b.c":[{"n":2},{"n":3}],"y":1}}'
    assert _at(["a", "b.c"], data) == [{"n": n, "_source_row": n} for n in (1, 2, 3)]
    reader = reader_for("json", {"record_path": ["a", "b.c"]})
    assert reader.observe(content(data), None).detected["outside_records"] == "a.x, a.y"


def test_an_element_that_is_no_object_is_rejected_by_its_number() -> None:
    data = b'{"Records":[{"a":1},7,,{"a":2}]}'
    read = carefully("json", data, None, {"record_path": "Records"})
    assert read.rows["_source_row"].to_pylist() == [1, 4]
    assert read.rejected["source_row"].to_pylist() == [2, 3]


def test_no_records_is_fine() -> None:
    table = (Column("a", pa.int64()),)
    for data in (b"", b" \n", b'{"Records":[]}', b'{"Records": [ ]}'):
        assert carefully("json", data, table, {"record_path": "Records"}).rows.num_rows == 0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"records":[{"a":1}]}', "without an array at 'Records'.*beside it there are records"),
        (b'{"Records":{"a":1}}', "without an array at 'Records'"),
        (b'{"Records":[]}{"x":1}', "without an array at 'Records'.*there are x"),
        (b'[{"Records":[]}]', "without an array at 'Records'"),
        (b'{"Records":[]} oops', "without an array"),
        (b'{"Records":[]} "oops" {"Records":[]}', "without an array"),
        (b'{"Records":[{"a":1}', "cut short"),
        (b'{"Records":[{"a":1}]', "cut short"),
        (b'{"x": {"y": "Records', "cut short|array"),
    ],
)
def test_a_document_without_the_array_fails_the_file(data: bytes, says: str) -> None:
    with pytest.raises(FileContentError, match=says):
        carefully("json", data, (Column("a", pa.int64()),), {"record_path": "Records"})


@given(
    st.lists(st.fixed_dictionaries({"n": st.integers(0, 9), "t": st.text('{}[]",:\\ é')})),
    st.integers(1, 40),
)
def test_records_are_found_wherever_the_pieces_of_the_file_end(
    records: list[dict[str, Any]], size: int
) -> None:
    data = json.dumps({"x": [records[:1]], "Records": records, "y": "]"}).encode()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = raw_records(pieces, "document", "a.json", RecordPath(("Records",)))
    assert [(row, json.loads(raw)) for row, raw in found] == list(enumerate(records, 1))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"record_path": ""}, "record_path: expected keys"),
        ({"record_path": []}, "record_path: expected keys"),
        ({"record_path": 7}, "record_path: expected keys"),
        ({"record_path": "a..b"}, "record_path: expected keys"),
        ({"record_path": "a", "shape": "lines"}, "shape: with record_path"),
    ],
)
def test_a_wrong_record_path_is_named(options: dict[str, Any], says: str) -> None:
    [problem] = validate_options("json", options)
    assert problem.startswith(says)
