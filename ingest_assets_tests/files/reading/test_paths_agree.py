"""The fast and the careful path give equal rows, and no value of a file is lost."""

import csv
import datetime
import io
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest_assets.schema.fit import says_nothing
from ingest_assets.schema.names import column_name
from ingest_assets_tests.files.reading.contents import (
    carefully,
    columns_of,
    fast,
    json_lines,
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_TIMES = st.datetimes().filter(lambda t: 1 < t.year < 9999)
_TIMESTAMP = st.one_of(
    _TIMES.map(datetime.datetime.isoformat),
    _TIMES.map(lambda t: t.isoformat() + "Z"),
    _TIMES.map(lambda t: t.isoformat(" ", "milliseconds") + "+05:30"),
    _TIMES.map(lambda t: t.isoformat(timespec="minutes")),
)
_DATE = st.dates().map(datetime.date.isoformat)
_LONG = st.integers(-(2**63), 2**63 - 1)
_DOUBLE = st.floats(allow_nan=False, allow_infinity=False)
_SCALARS: list[st.SearchStrategy[Any]] = [
    st.integers(-1000, 1000),
    st.floats(-1e15, 1e15),
    st.sampled_from(["new", "paid", "é"]),
    _LONG,
    st.integers(-(10**40), 10**40),
    _DOUBLE,
    st.one_of(_DOUBLE, _LONG),
    st.booleans(),
    _TEXT,
    _TIMESTAMP,
    _DATE,
    st.one_of(_DATE, _TIMESTAMP),
    st.one_of(_TEXT, st.integers(), st.booleans()),
]
_KEYS = st.sampled_from(["id", "orderId", "HTTPStatus", "_file_id", "é", "a b", "2nd"])


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(st.one_of(st.none(), inner), max_size=3),
        st.fixed_dictionaries({}, optional={"X": inner, "y": _TEXT, "z": st.none()}),
        st.lists(st.fixed_dictionaries({"k": inner}, optional={"V": _TEXT}), max_size=2),
    )


def _shape(draw: st.DrawFn) -> st.SearchStrategy[dict[str, Any]]:
    """Records whose fields are each of one kind, so that the fast path often gets through."""
    keys = draw(st.lists(_KEYS, unique=True, max_size=4))
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for key in keys:
        scalar = draw(st.sampled_from(_SCALARS))
        fields[key] = draw(st.sampled_from([scalar, scalar, _nested(scalar)]))
    return st.fixed_dictionaries(
        {}, optional={key: st.one_of(value, value, st.none()) for key, value in fields.items()}
    )


@st.composite
def _json_files(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two files of one shape, or now and then of two."""
    shape = _shape(draw)
    other = draw(st.sampled_from([shape, shape, shape, _shape(draw)]))
    records = st.lists(shape, max_size=6)
    return draw(records), draw(st.lists(other, max_size=6))


_FAST_READS = {"json": 0, "csv": 0}


@settings(max_examples=150, deadline=None)
@given(_json_files())
def _check_json(files: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    first, second = (json_lines(records) for records in files)
    table = columns_of("json", first)
    for data, known in ((first, None), (second, table)):
        columns = columns_of("json", data, known)
        read = carefully("json", data, known)
        quick = fast("json", data, columns)
        if quick is not None:
            _FAST_READS["json"] += quick.rows.num_rows > 0 and quick.rows.num_columns > 2
            assert quick.rows.equals(read.rows)
            assert not read.rejected.num_rows


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ['{"a": 1}', '{"a":', '{"a": [', "}", "{", "[", '["x"]', "5", "", '"a": 2}']
        ),
        max_size=4,
    )
)
def test_both_paths_read_the_same_lines_of_a_file_that_is_named_for_them(lines: list[str]) -> None:
    columns = columns_of("json", b'{"a":1}\n')
    data = "\n".join(["{", *lines]).encode()
    read = carefully("json", data, columns, name="a.jsonl")
    quick = fast("json", data, columns, name="a.jsonl")
    assert quick is None or quick.rows.equals(read.rows)
    good = [number for number, line in enumerate(lines, start=2) if line == '{"a": 1}']
    assert read.rows.column("_source_row").to_pylist() == good
    assert read.rejected.num_rows == 1 + sum(bool(line) for line in lines) - len(good)


def test_both_paths_read_equal_rows_from_json() -> None:
    _check_json()
    assert _FAST_READS["json"] > 10


@settings(max_examples=80, deadline=None)
@given(_json_files())
def test_every_value_of_a_json_file_is_in_a_column_or_rescued(
    files: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    table = columns_of("json", json_lines(files[0]))
    read = carefully("json", json_lines(files[1]), table)
    assert read.rows.num_rows == len(files[1])
    for record, row in zip(files[1], read.rows.to_pylist(), strict=True):
        rescued = json.loads(row["_rescued_data"] or "{}")
        for key, value in record.items():
            held = row.get(column_name(key)) is not None
            assert held or key in rescued or says_nothing(value)


@st.composite
def _csv_files(draw: st.DrawFn) -> tuple[bytes, int]:
    keys = draw(st.lists(_KEYS, unique=True, min_size=1, max_size=4))
    cells = [draw(st.sampled_from([*_SCALARS, st.just("007"), st.just("TRUE")])) for _ in keys]
    row = st.tuples(*(st.one_of(cell, st.none()) for cell in cells))
    rows = draw(st.lists(row, max_size=6))
    sink = io.StringIO(newline="")
    writer = csv.writer(
        sink,
        delimiter=draw(st.sampled_from(",;\t|")),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow(keys)
    writer.writerows(rows)
    return sink.getvalue().encode(), len(rows)


@settings(max_examples=150, deadline=None)
@given(_csv_files())
def _check_csv(file: tuple[bytes, int]) -> None:
    data, row_count = file
    options = {"header": True}
    columns = columns_of("csv", data, None, options)
    read = carefully("csv", data, None, options)
    if b"\x00" not in data:
        assert read.rows.num_rows + read.rejected.num_rows <= row_count
    quick = fast("csv", data, columns, options)
    if quick is not None:
        _FAST_READS["csv"] += quick.rows.num_rows > 0
        assert quick.rows.equals(read.rows)
        assert not read.rejected.num_rows


def test_both_paths_read_equal_rows_from_csv() -> None:
    _check_csv()
    assert _FAST_READS["csv"] > 20


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from('ab",\n\r é'), min_size=1, max_size=6).filter(str.strip),
            st.text(st.sampled_from('ab",\n\r é'), max_size=6),
        ),
        max_size=6,
    )
)
def test_quoted_texts_come_back_as_they_were_with_the_line_they_begin_on(
    rows: list[tuple[str, str]],
) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["one", "two"])
    lines = []
    for row in rows:
        lines.append(sink.getvalue().count("\n") + 1)
        writer.writerow(row)
    options = {"delimiter": ",", "quote": '"', "header": True}
    data = sink.getvalue().encode()
    read = carefully("csv", data + b'"x","2020-01-01x"\n', None, options)
    assert read.rows.column("one").to_pylist() == [*(a for a, _ in rows), "x"]
    assert read.rows.column("two").to_pylist() == [*(b for _, b in rows), "2020-01-01x"]
    assert read.rows.column("_source_row").to_pylist()[:-1] == lines


@pytest.mark.parametrize("line", ["null", "5", "[]", '"x"', "true", '{"a":1}null{"a":2}'])
def test_a_line_that_is_no_object_never_reaches_arrow(line: str) -> None:
    columns = columns_of("json", b'{"a":1}\n')
    for data in (f"{line}\n" + '{"a":1}\n', '{"a":1}\n' + f"{line}\n"):
        assert fast("json", data.encode(), columns) is None
        read = carefully("json", data.encode(), columns)
        assert read.rows.column("a").to_pylist() == [1]
        assert read.rejected.column("raw").to_pylist() == [line.encode()]
