"""Arrays on the fast path: the rows that the careful one reads, or none."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from ingest_assets.errors import IngestError
from ingest_assets.files.reading import blocks, json_arrays
from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets_tests.files.reading.contents import carefully, columns_of, fast, json_lines

_TABLE = columns_of("json", json_lines([{"a": 1, "b": 'x,"', "c": [{"d": [1]}, {"d": [2]}]}]))
_TEXT = st.text(st.sampled_from('ab,[]{}"\\\n é:'), max_size=6)
_RECORDS = st.lists(
    st.fixed_dictionaries(
        {"a": st.integers(-9, 9), "b": _TEXT},
        optional={"c": st.lists(st.fixed_dictionaries({"d": st.lists(st.integers(0, 9))}))},
    ),
    max_size=12,
)
_JUNK = st.sampled_from([b"", b" ", b"\n", b",", b"]", b"[", b"{", b"}", b'"', b"\\", b"1", b"{}"])
_FAST_READS: list[int] = []


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 50)


def _agree(data: bytes) -> None:
    quick = fast("json", data, _TABLE, {"shape": "array"})
    if quick is None:
        return
    read = carefully("json", data, _TABLE, {"shape": "array"})
    _FAST_READS.append(read.rows.num_rows)
    assert quick.rows.equals(read.rows)
    assert not read.rejected.num_rows


@settings(max_examples=200, deadline=None)
@given(_RECORDS, st.sampled_from([None, 0, 2]), st.sampled_from([(",", ":"), (" , ", ": ")]))
def _check_whole(records: list[Any], indent: int | None, separators: tuple[str, str]) -> None:
    _agree(json.dumps(records, indent=indent, separators=separators).encode())


def test_both_paths_read_equal_rows_from_arrays() -> None:
    _FAST_READS.clear()
    _check_whole()
    assert sum(count > 3 for count in _FAST_READS) > 20


@settings(max_examples=400, deadline=None)
@given(_RECORDS, st.integers(0, 400), st.integers(0, 2), _JUNK)
@example([{"a": 1, "b": "x y"}], 16, 1, b"\n")
@example([{"a": 1, "b": ""}, {"a": 2, "b": ""}], 16, 0, b",")
def test_a_byte_more_or_less_is_never_other_rows(
    records: list[Any], place: int, removed: int, junk: bytes
) -> None:
    data = json.dumps(records).encode()
    place %= len(data) + 1
    broken = data[:place] + junk + data[place + removed :]
    try:
        _agree(broken)
    except IngestError:
        pytest.fail("the careful path refuses what the fast one reads")


@pytest.mark.parametrize(
    "data",
    [
        b'[{"a":1}',
        b'[{"a":1},',
        b'[{"a":1},]',
        b'[,{"a":1}]',
        b'[{"a":1},,{"a":2}]',
        b'[{"a":1}]]',
        b'[{"a":1}] {"a":2}',
        b'[{"a":1}]' + b" " * 60 + b"1",
        b'[{"b":"x\ny"}]',
        b'{"a":1}',
        b"",
        b" " * 60,
        b'[{"b":"\\"}]',
    ],
)
def test_what_is_no_whole_array_is_left_to_the_careful_path(data: bytes) -> None:
    with pytest.raises(Stumbled):
        list(json_arrays.element_lines([data]))
    with pytest.raises(Stumbled):
        list(json_arrays.element_lines(data[i : i + 1] for i in range(len(data))))


def test_elements_come_a_line_each_in_blocks_of_whole_ones() -> None:
    data = (
        b'\xef\xbb\xbf [ {"a":\n1} ,\r\n {"b":"},{"}, 5\t,[1,\n2]' + b', {"c": 1}' * 20 + b"\n]\n"
    )
    found = list(json_arrays.element_lines(data[i : i + 7] for i in range(0, len(data), 7)))
    assert len(found) > 3
    assert b"\n".join(found).split(b"\n") == [
        *(b'{"a": 1}', b'{"b":"},{"}', b"5", b"[1, 2]"),
        *[b'{"c": 1}'] * 20,
    ]
    assert list(json_arrays.element_lines([b"[ \n ]"])) == []


def test_a_very_large_element_is_left_to_the_careful_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_arrays, "_LARGE_BYTES", 200)
    data = json.dumps([{"b": "x" * 150}]).encode()
    assert len(list(json_arrays.element_lines([data]))) == 1
    with pytest.raises(Stumbled):
        list(json_arrays.element_lines([data[:-20], b"x" * 200, data[-20:]]))
