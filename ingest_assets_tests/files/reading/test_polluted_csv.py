"""CSV files polluted in one way each give the right rows, or name what is wrong."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.reader import Chunk, reader_for
from ingest_assets.schema.column import Columns
from ingest_assets.schema.names import column_name
from ingest_assets.schema.policy import SchemaRules, decide
from ingest_assets.schema.text import parse_double
from ingest_assets.tables.rejected import first_reason
from ingest_assets_tests.files.reading.contents import (
    carefully,
    columns_of,
    content,
    fast,
    together,
)
from ingest_assets_tests.files.reading.polluted_csv import CLEAN, HEADER, Polluted
from ingest_assets_tests.files.reading.polluted_kinds import kinds

_KINDS = list(kinds())
_MAX_REJECTED_RATIO = 0.1
_TOLD = re.compile(r"line \d|format\.options\.\w|Rename|column `")


def _read(file: Polluted, table: Columns | None, options: Mapping[str, Any]) -> Chunk | str:
    """The rows, with every line of the file accounted for; or why the whole file is refused."""
    reader, source = reader_for("csv", options), content(file.data)
    try:
        observed = reader.observe(source, table)
        decision = decide(table, observed, SchemaRules())
        read = together(reader.read_careful(source, decision.target), decision.target)
        quick = fast("csv", file.data, decision.target, options)
    except FileContentError as error:
        return str(error)
    if quick is not None:
        assert "skip_lines" in options or "skipped_lines" not in observed.detected
        assert quick.rows.equals(read.rows)
        assert not read.rejected.num_rows
    told = observed.detected
    above = int(told.get("skipped_lines", 0)) + int(told["header"])
    held = {*read.rows["_source_row"].to_pylist(), *read.rejected["source_row"].to_pylist()}
    assert len(held) == read.rows.num_rows + read.rejected.num_rows
    blank = {number for number, line in enumerate(file.lines, start=1) if not line}
    assert {*range(1, above + 1), *held, *blank} >= {*range(1, len(file.lines) + 1)}
    if decision.is_parked:
        return "; ".join(change.explanation() for change in decision.causes)
    if len(held) * _MAX_REJECTED_RATIO < read.rejected.num_rows:
        return first_reason(read.rejected)
    return read


def _outcome(file: Polluted, table: Columns | None, options: Mapping[str, Any]) -> str:
    """`right` or `named`; fails on a value, a row or a line that is wrong without a word."""
    read = _read(file, table, options)
    if isinstance(read, str):
        assert _TOLD.search(read), read
        return "named"
    rejected = {*read.rejected["source_row"].to_pylist()}
    assert all(read.rejected["reason"].to_pylist())
    rescued = set()
    found = {row["_source_row"]: row for row in read.rows.to_pylist()}
    assert found.keys() >= file.rows.keys() - rejected
    for line, row in found.items():
        said = row["_rescued_data"] or ""
        if said:
            rescued.add(line)
        else:
            assert line in file.rows, f"line {line} is no row: {row}"
        for name, text in zip(file.names, file.rows.get(line, ()), strict=False):
            value = row.get(column_name(name))
            assert _is(value, text) or text.replace('"', '\\"') in said, (line, name, value, text)
    return "named" if rejected or rescued else "right"


def _is(value: Any, text: str) -> bool:
    if value is None or isinstance(value, str):
        return (value or "") == text
    return str(value) == text or value == parse_double(text)


def _is_of_the_table(file: Polluted) -> bool:
    return [*map(column_name, file.names)] == [*map(column_name, HEADER)]


@pytest.mark.parametrize("file", _KINDS, ids=lambda file: file.name)
def test_a_first_file_gives_its_rows_or_says_what_is_wrong(file: Polluted) -> None:
    expected = {"written": "right", "declared": "named"}.get(file.fate, file.fate)
    assert _outcome(file, None, {}) == expected
    if file.fate == "declared":
        assert _outcome(file, None, file.options) == "right"


@pytest.mark.parametrize("file", _KINDS, ids=lambda file: file.name)
def test_a_file_of_a_known_table_gives_its_rows_or_says_what_is_wrong(file: Polluted) -> None:
    table = columns_of("csv", CLEAN.data)
    outcome = _outcome(file, table, file.options)
    if not _is_of_the_table(file):
        assert outcome == "named"
    elif file.fate != "written":
        assert outcome == ("named" if file.fate == "named" else "right")


def test_so_many_kinds_are_right_by_themselves_when_declared_or_named() -> None:
    assert len({file.name for file in _KINDS}) == len(_KINDS)
    assert Counter(file.fate for file in _KINDS) == {
        "right": 42,
        "written": 55,
        "declared": 17,
        "named": 245,
    }


@pytest.mark.parametrize(
    "text",
    [
        "comment\nyes\nno\nhello, my, friend\n",
        "full name\nAda Lovelace\nAlan Turing\nGrace Hopper\n",
        "one long log line\n1 x 2 done\n2 y 3 done\n3 z a done\n",
        "at h:m:s\n12:30:15\n12:30:16\n12:30:17\n12:30:18\n",
        "name,\nx,n/a\ny,2\nz,3\n",
        ",value\na,n/a\nb,2\nc,3\n",
        "id,name,\n1,x,5\n2,y,6\n3,z,7\n",
        "id,amount,note\nn/a,n/a,late\n1,2,x\n2,3,y\n3,4,z\n",
        "id,a,b\nx1,1,2\ntotal,sum,\nx2,3,4\nx3,5,6\nx4,7,8\n",
        "id,a,b\n1,2,3\n1\\,2\\,3\\\n4,5,6\n7,8,9\n",
        "from,to,word\nen,de,house\nen,fr,tree\nfr,en,arbre\n",
        "name, city\nAda,London\nAlan,Wilmslow\n",
        'path,note\n"\\\\srv\\x\\",1\n"c:\\y",2\n',
        "name\nname\nother\n",
        'a,b\n1,"x\ry"\n2,"z\r"\n',
        "a,b\n'x',1\n'y',2\n",
        "id,name\n1,x\n",
        "report\n",
    ],
)
def test_what_can_be_read_as_it_stands_is_not_guessed_at(text: str) -> None:
    """Python's own reader, which guesses nothing, gives the same rows."""
    names, *rows = csv.reader(io.StringIO(text, newline=""))
    read = carefully("csv", text.encode())
    found = [list(row.values())[: len(names)] for row in read.rows.to_pylist()]
    expected = [row for row in rows if len(row) == len(names)]
    assert read.rejected.num_rows == len(rows) - len(expected)
    assert len(found) == len(expected)
    for values, texts in zip(found, expected, strict=True):
        assert all(_is(value, said) for value, said in zip(values, texts, strict=True))


def test_the_names_of_several_header_rows_are_joined() -> None:
    data = b"Order,,Customer\nid,day,id\n7,2024-01-01,x\n"
    read = carefully("csv", data, None, {"header": 2})
    assert read.rows.column_names[:3] == ["order_id", "day", "customer_id"]
    assert read.rows["_source_row"].to_pylist() == [3]
    table = columns_of("csv", data, None, {"header": 2})
    quick = fast("csv", data, table, {"header": 2})
    assert quick is not None
    assert quick.rows["order_id"].to_pylist() == [7]
    assert carefully("csv", b"a,b\n", None, {"header": 2}).rows.num_rows == 0
    data = b",,Customer\nid,day,id\n7,2024-01-01,x\n8,2024-01-02,y\n"
    read = carefully("csv", data, None, {"header": 2})
    assert read.rows.column_names[:3] == ["id", "day", "customer_id"]


def test_a_header_in_the_midst_of_texts_is_rejected_on_both_paths() -> None:
    table = columns_of("csv", b"a,b\nx,y\n")
    data = b'a,b\nx,y\na,z\n"a",b\nx,b\n'
    assert fast("csv", data, table) is None
    read = carefully("csv", data, table)
    assert read.rows["_source_row"].to_pylist() == [2, 3, 5]
    assert read.rejected.to_pylist() == [
        {"source_row": 4, "raw": b'"a",b', "reason": "the header again"}
    ]


def test_an_escape_is_found_only_where_nothing_else_reads_the_file() -> None:
    data = b'a,b\n"say \\"hi\\", x",1\n"y",2\n'
    assert reader_for("csv", {}).observe(content(data), None).detected["escape"] == "\\"
    assert carefully("csv", data).rows["a"].to_pylist() == ['say "hi", x', "y"]
    other = data + b'"c:\\dir",3\n'
    assert "escape" not in reader_for("csv", {}).observe(content(other), None).detected
    assert carefully("csv", other).rejected.num_rows == 1
