"""What the options of CSV make of a file: escapes, encodings, lines before the header, comments."""

import csv
import io
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from ingest_assets.errors import CorruptFileError, FileContentError, UnterminatedQuoteError
from ingest_assets.files.reading.reader import reader_for, validate_options
from ingest_assets.files.reading.text_encoding import in_utf_8
from ingest_assets.schema.column import Column
from ingest_assets_tests.files.reading.contents import carefully, columns_of, content, fast


def _rows(data: bytes, **options: Any) -> list[tuple[Any, ...]]:
    """The values of each row, then the line on which it begins; no row is rejected."""
    read = carefully("csv", data, None, options)
    assert read.rejected.num_rows == 0
    return [tuple(row.values()) for row in read.rows.drop_columns(["_rescued_data"]).to_pylist()]


def _detected(data: bytes, **options: Any) -> dict[str, Any]:
    return dict(reader_for("csv", options).observe(content(data), None).detected)


def test_an_escape_takes_the_meaning_from_quote_delimiter_and_itself() -> None:
    data = rb'''a,b
"say \"hi\"",x
one\, two,"c:\\dir\new"
"end\\",\"
"doubled """,\x
"two
lines \" here",\N
'''
    assert _rows(data, escape="\\", null_values=["\\N"]) == [
        ('say "hi"', "x", 2),
        ("one, two", r"c:\dir\new", 3),
        ("end\\", '"', 4),
        ('doubled "', r"\x", 5),
        ('two\nlines " here', None, 6),
    ]


def test_without_a_declared_escape_a_backslash_is_a_character() -> None:
    assert _rows(b'a,b\n"x\\",y\\\n') == [("x\\", "y\\", 2)]


def test_a_quote_that_only_an_escape_closes_is_never_closed() -> None:
    with pytest.raises(UnterminatedQuoteError, match="line 2"):
        _rows(b'a,b\n"x\\",y\n1,2\n', escape="\\")


_CELLS = st.lists(
    st.tuples(*[st.text(st.sampled_from("a,\";\\\n '#é"), max_size=6)] * 2), min_size=1, max_size=6
)


@settings(max_examples=200, deadline=None)
@given(_CELLS, st.sampled_from([",", ";", "\t"]), st.booleans())
def test_what_a_writer_with_escapes_writes_is_read_back(
    cells: list[tuple[str, str]], delimiter: str, quotes_all: bool
) -> None:
    sink = io.StringIO()
    writer = csv.writer(
        sink,
        delimiter=delimiter,
        doublequote=False,
        escapechar="\\",
        quoting=csv.QUOTE_ALL if quotes_all else csv.QUOTE_NONNUMERIC,
        lineterminator="\n",
    )
    writer.writerow(["first", "second"])
    writer.writerows(cells)
    data = sink.getvalue().encode()
    options = {"delimiter": delimiter, "quote": '"', "escape": "\\", "header": True}
    table = (Column("first", pa.string()), Column("second", pa.string()))
    read = carefully("csv", data, table, options)
    assert [(r["first"], r["second"]) for r in read.rows.to_pylist()] == cells


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "shift_jis"]
)
def test_a_declared_encoding_is_read_on_both_paths(encoding: str) -> None:
    word = "日本" if encoding == "shift_jis" else "café"
    data = f"id,name\n1,{word}\n2,plain\n".encode(encoding)
    options = {"encoding": encoding}
    assert _rows(data, **options) == [(1, word, 2), (2, "plain", 3)]
    quick = fast("csv", data, columns_of("csv", data, options=options), options)
    assert quick is not None
    assert quick.rows["name"].to_pylist() == [word, "plain"]


def test_utf_16_with_its_mark_needs_no_declaration() -> None:
    data = "id\tname\n1\tcafé\n".encode("utf-16")
    assert _rows(data) == [(1, "café", 2)]
    assert _detected(data)["encoding"] == "utf-16"
    assert "encoding" not in _detected(b"id\n1\n")


@pytest.mark.parametrize(
    ("data", "encoding"), [(b"a\n\xff\n", "ascii"), ("a\nb\n".encode("utf-16")[:-1], "utf-16")]
)
def test_bytes_that_are_no_text_in_the_encoding_fail_the_file(data: bytes, encoding: str) -> None:
    with pytest.raises(CorruptFileError, match=f"not text in {encoding}"):
        _rows(data, encoding=encoding)


@given(st.text(), st.integers(1, 9), st.sampled_from(["utf-16-le", "utf-8"]))
def test_characters_are_whole_wherever_a_piece_of_the_file_ends(
    text: str, size: int, encoding: str
) -> None:
    data = text.encode(encoding)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert b"".join(in_utf_8(pieces, encoding, "a.csv")).decode() == text


def test_lines_before_the_header_are_skipped_and_still_counted() -> None:
    data = b'Report "of\nthe day;,,\n\nid,name\n1,x\n'
    assert _rows(data, skip_lines=3) == [(1, "x", 5)]
    assert _detected(data, skip_lines=3)["skipped_lines"] == 3
    options = {"skip_lines": 3}
    quick = fast("csv", data, columns_of("csv", data, options=options), options)
    assert quick is not None
    assert quick.rows["_source_row"].to_pylist() == [5]
    assert _rows(b"a,b\n", skip_lines=1) == []
    assert _rows(b"a,b\n", skip_lines=9) == []


def test_comments_are_no_records_but_quoted_text_is() -> None:
    data = b'# made by x\n# "at noon\nid,name\n1,x\n# 2,y\n3,"a\n# b"\n4, # no\n'
    rows = [(1, "x", 4), (3, "a\n# b", 6), (4, " # no", 8)]
    assert _rows(data, comment="#") == rows
    assert _detected(data, comment="#")["skipped_lines"] == 2
    assert _rows(b"# only\n", comment="#") == []
    head = b"# before\nid,name\n1,x\n"
    columns = columns_of("csv", head, options={"comment": "#"})
    quick = fast("csv", head, columns, {"comment": "#"})
    assert quick is not None
    assert quick.rows["_source_row"].to_pylist() == [3]
    assert fast("csv", head + b"#\n2,y\n", columns, {"comment": "#"}) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"escape": '"'}, "escape: is the same character as the quote"),
        ({"delimiter": "#", "comment": "#"}, "comment: is the same character as the delimiter"),
        ({"escape": "ab"}, "escape: expected one ASCII character"),
        ({"encoding": "utf-9"}, "encoding: no such encoding is known, found 'utf-9'"),
        ({"encoding": "rot13"}, "encoding: no such encoding"),
        ({"skip_lines": -1}, "skip_lines: expected a number of lines"),
        ({"skip_lines": True}, "skip_lines: expected a number of lines"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], says: str) -> None:
    [problem] = validate_options("csv", options)
    assert problem.startswith(says)


def test_no_option_is_no_mark() -> None:
    assert validate_options("csv", {"escape": None, "comment": None, "quote": None}) == []


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60).map(lambda noise: b"id,name\n1,x\n" + noise),
    st.sampled_from([None, "\\"]),
    st.sampled_from([None, "#"]),
    st.integers(0, 2),
)
def test_whatever_the_bytes_every_line_is_accounted_for(
    data: bytes, escape: str | None, comment: str | None, skipped: int
) -> None:
    options = {"escape": escape, "comment": comment, "skip_lines": skipped}
    try:
        columns = columns_of("csv", data, options=options)
        read = carefully("csv", data, columns, options)
    except FileContentError:
        return
    quick = fast("csv", data, columns, options)
    if quick is not None and not read.rejected.num_rows:
        assert quick.rows.equals(read.rows)
    lines = {*read.rows["_source_row"].to_pylist(), *read.rejected["source_row"].to_pylist()}
    assert len(lines) == read.rows.num_rows + read.rejected.num_rows
