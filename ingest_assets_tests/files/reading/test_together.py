"""Small files read together give the rows that each of them gives alone."""

import json
import string
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from ingest_assets.files.reading import together
from ingest_assets.files.reading.reader import FormatType, Stumbled, reader_for
from ingest_assets.schema.column import Columns
from ingest_assets_tests.files.reading.contents import (
    columns_of,
    content,
    fast,
    json_lines,
    parquet,
)

_LONG = st.integers(-(2**63), 2**63 - 1)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "amount": st.one_of(st.floats(-1e9, 1e9), st.integers(-9, 9)),
    "at": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01 10:00:00", "2026-02-03T04:05"]),
    "name": st.text(string.ascii_letters + 'é"\\\n', max_size=5),
    "where": st.fixed_dictionaries({}, optional={"city": st.text(max_size=3)}),
    "tags": st.lists(st.sampled_from(["a", "b"]), max_size=2),
}
_RECORDS = st.lists(st.fixed_dictionaries({"id": _LONG}, optional=_VALUES), min_size=0, max_size=4)
_ALL = {"id": 1, "amount": 0.5, "at": "2026-01-01T00:00:00Z", "name": "n"}
_COLUMNS = columns_of("json", json_lines([_ALL | {"where": {"city": "x"}, "tags": ["a"]}]))
_ONLY_ID_REQUIRED = tuple(replace(column, is_required=column.name == "id") for column in _COLUMNS)


def _together(
    format_type: FormatType, files: Sequence[bytes], columns: Columns
) -> tuple[pa.Table, list[int]] | None:
    try:
        read = reader_for(format_type, {}).read_together([content(f) for f in files], columns)
    except Stumbled:
        return None
    return read.rows, list(read.counts)


@st.composite
def _files(draw: st.DrawFn) -> list[bytes]:
    files = []
    for records in draw(st.lists(_RECORDS, min_size=1, max_size=4)):
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
        gaps = draw(st.lists(st.sampled_from(["", "", " "]), max_size=2))
        text = draw(st.sampled_from(["\n", "\r\n"])).join([*lines, *gaps])
        files.append(draw(st.sampled_from(["", "", "\ufeff"])).encode() + text.encode())
    return files


_READ = {"together": 0}


@settings(max_examples=200, deadline=None)
@given(_files())
def _check(files: list[bytes]) -> None:
    alone = [fast("json", data, _ONLY_ID_REQUIRED) for data in files]
    read = _together("json", files, _ONLY_ID_REQUIRED)
    if read is None:
        assert None in alone
        return
    rows, counts = read
    _READ["together"] += sum(count > 0 for count in counts) > 1
    expected = [chunk.rows for chunk in alone if chunk is not None]
    assert counts == [table.num_rows for table in expected]
    assert rows.equals(pa.concat_tables(expected))


def test_json_files_read_together_are_as_each_alone() -> None:
    _check()
    assert _READ["together"] > 20


@pytest.mark.parametrize(
    "bad",
    [
        b'{"id":1',  # cut short
        b'{"id":1}{"id":2}\n',
        b'{"id":1,"new":2}\n',
        b'{"id":"x"}\n',
        b"null\n",
        b'{"id":null}\n',  # the required column may be absent
        b'[{"id":1},]',
        b'[{"id":1}',
        b'{"id":\n1}\n',
        b'{"id":1,"name":"\xff"}\n',
    ],
)
def test_one_file_that_the_fast_path_does_not_take_makes_all_stumble(bad: bytes) -> None:
    good = b'{"id":1}\n'
    assert _together("json", [good, good], _ONLY_ID_REQUIRED) is not None
    for files in ([bad, good], [good, bad], [good, bad, good]):
        assert _together("json", files, _ONLY_ID_REQUIRED) is None


def test_arrays_and_lines_are_read_together() -> None:
    read = _together("json", [b'[{"id":1}, {"id":2}]', b'{"id":3}\n', b"[]"], _ONLY_ID_REQUIRED)
    assert read is not None
    rows, counts = read
    assert rows.column("id").to_pylist() == [1, 2, 3]
    assert (rows.column("_source_row").to_pylist(), counts) == ([1, 2, 1], [2, 1, 0])


def test_an_object_does_not_begin_in_one_file_and_end_in_the_next() -> None:
    halves = [b'{"where":{"city":"x"', b'}, "id":1}\n']
    assert _together("json", halves, _ONLY_ID_REQUIRED) is None
    balanced = [b'{"id":1,"tags":["a"]}\n{"id":2}', b'{"id":3}\n']
    read = _together("json", balanced, _ONLY_ID_REQUIRED)
    assert read is not None
    assert read[1] == [2, 1]


def test_what_unpacks_to_more_than_a_group_may_hold_is_read_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [json_lines([{"id": number}]) for number in range(3)]
    monkeypatch.setattr("ingest_assets.files.reading.json_reader.TOGETHER_BYTES", 20)
    assert _together("json", files, _ONLY_ID_REQUIRED) is None
    table = parquet(pa.table({"id": range(1000)}))
    assert _together("parquet", [table, table], _ONLY_ID_REQUIRED[:1]) is not None
    monkeypatch.setattr(together, "TOGETHER_BYTES", 10_000)
    assert _together("parquet", [table, table], _ONLY_ID_REQUIRED[:1]) is None


@pytest.mark.parametrize("format_type", ["csv", "parquet"])
def test_files_of_the_other_formats_follow_each_other(format_type: FormatType) -> None:
    tables = [pa.table({"id": [1, 2], "name": ["a", "b"]}), pa.table({"id": [3], "name": ["c"]})]
    files = [parquet(table) for table in tables]
    if format_type == "csv":
        files = [b"id,name\n1,a\n2,b\n", b"id,name\n3,c\n"]
    columns = columns_of(format_type, files[0])
    read = _together(format_type, files, columns)
    assert read is not None
    rows, counts = read
    assert counts == [2, 1]
    assert rows["name"].to_pylist() == ["a", "b", "c"]
    first = 2 if format_type == "csv" else 1
    assert rows["_source_row"].to_pylist() == [first, first + 1, first]
