"""CSV files as they come, with all that goes wrong in them."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ingest_assets.errors import ColumnNameError, UnterminatedQuoteError, WrongFormatError
from ingest_assets.files.reading.line_ends import with_line_feeds
from ingest_assets.files.reading.reader import reader_for, validate_options
from ingest_assets.schema.types import format_type
from ingest_assets_tests.files.reading.contents import carefully, columns_of, content, fast

_ORDERS = b"OrderID,amount,zip,note\n1,2.50,00501,a\n2,3,00502,\n"


def _detected(data: bytes, name: str = "a.csv", **options: Any) -> dict[str, Any]:
    return dict(reader_for("csv", options).observe(content(data, name), None).detected)


@pytest.mark.parametrize(
    ("data", "delimiter"),
    [
        (b"a,b\n1,2\n", ","),
        (b"a;b\n1,5;2,5\n", ";"),
        (b"a\tb, c\n1\t2,3\n4\t5\n", "\t"),
        (b"a|b\n1|2\n", "|"),
        (b"a;b,c\n1;2\n3;4,5,6\n7;8\n", ";"),
        (b'"a, b",c\n"1,2",3\n', ","),
        (b"a\n1\n", ","),
    ],
)
def test_the_delimiter_is_detected_and_told(data: bytes, delimiter: str) -> None:
    assert _detected(data)["delimiter"] == delimiter


def test_one_ragged_row_decides_nothing() -> None:
    data = b"id;name;note\n" + b"1;x;y\n" * 20 + b"2,3,4,5,6\n" + b"1;x;y\n" * 20
    assert _detected(data)["delimiter"] == ";"
    read = carefully("csv", data)
    assert (read.rows.num_rows, read.rejected.num_rows) == (40, 1)


def test_single_quotes_are_detected() -> None:
    data = b"'a','b'\n'1','x, y'\n'2','z'\n"
    assert _detected(data)["quote"] == "'"
    assert carefully("csv", data).rows.column("b").to_pylist() == ["x, y", "z"]


@pytest.mark.parametrize(
    ("data", "has_header"),
    [(b"a,b\n1,2\n", True), (b"1,2\n3,4\n", False), (b"x,2024-01-01\n", False), (b"a,b\n", True)],
)
def test_a_header_is_detected_and_told(data: bytes, has_header: bool) -> None:
    assert _detected(data)["header"] is has_header


def test_a_file_without_header_has_numbered_columns() -> None:
    read = carefully("csv", b"a,b\nc,d\n", None, {"header": False})
    assert read.rows.column("column_2").to_pylist() == ["b", "d"]
    assert read.rows.column("_source_row").to_pylist() == [1, 2]


def test_types_come_from_all_values_and_leading_zeros_stay_text() -> None:
    columns = columns_of("csv", _ORDERS)
    assert {c.name: format_type(c.type) for c in columns} == {
        "order_id": "long",
        "amount": "double",
        "zip": "string",
        "note": "string",
    }
    assert all(column.is_required for column in columns)


def test_an_unquoted_empty_field_is_null_and_a_quoted_one_an_empty_text() -> None:
    read = carefully("csv", b'a,b,n\n"",,1\nx,"y",""\n')
    assert read.rows.select(["a", "b", "n"]).to_pylist() == [
        {"a": "", "b": None, "n": 1},
        {"a": "x", "b": "y", "n": None},
    ]


def test_declared_null_values_are_null_unless_quoted() -> None:
    read = carefully("csv", b'a,b\nNULL,"NULL"\n1,x\n', None, {"null_values": ["NULL"]})
    assert read.rows.column("a").to_pylist() == [None, 1]
    assert read.rows.column("b").to_pylist() == ["NULL", "x"]


def test_values_that_do_not_fit_are_rescued_under_the_name_of_the_header() -> None:
    table = columns_of("csv", _ORDERS)
    data = b"OrderID,amount,zip,note,Extra\n007,x,1,n,\n2,3,4,5,6\n3,3,4,5,\n4,3,4,5,\n"
    assert fast("csv", data, table) is None
    reader = reader_for("csv", {})
    [chunk] = reader.read_careful(content(data), table, ignored=frozenset())
    rescued = [json.loads(r) if r else None for r in chunk.rows.column("_rescued_data").to_pylist()]
    assert rescued == [{"OrderID": "007", "amount": "x"}, {"Extra": "6"}, None, None]
    [chunk] = reader.read_careful(content(data), table, ignored=frozenset({"extra"}))
    assert chunk.rows.column("_rescued_data").to_pylist()[1] is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"5,6", "2 fields, expected 4"),
        (b"5,6,7,8,9", "5 fields, expected 4"),
        (b"5,6,\xff,8", "not valid UTF-8 at byte 4"),
        (b'5,6,"a"b,8', "text follows a closing quote"),
        (b'5,"6, 7,",8', "3 fields, expected 4"),
    ],
)
def test_a_bad_record_is_rejected_and_never_shifted(bad: bytes, reason: str) -> None:
    table = columns_of("csv", _ORDERS)
    data = _ORDERS + b"\r\n" + bad + b'\r\n"3",4,00503,"two\nlines"\n4,5,6,7'
    assert fast("csv", data, table) is None
    read = carefully("csv", data, table)
    assert read.rows.column("_source_row").to_pylist() == [2, 3, 6, 8]
    assert read.rows.column("note").to_pylist() == ["a", None, "two\nlines", "7"]
    [rejected] = read.rejected.to_pylist()
    assert (rejected["source_row"], rejected["raw"]) == (5, bad)
    assert reason in rejected["reason"]


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        (b'3,"4,5,6\n' + b"7,8,9,10\n" * 5, 4),
        (b'3,4,5,"x\n7,8,9,10\n8,"9",10,11\n', 4),
        (b'3,4,5,"x\n7,8,9,10\n8,9,10,x"y\n', 4),
        (b'3,4,"x\n7,8,9,10\n8,9,10,",x,y\n', 4),
        (b'1,2,3,4\n3,4,5,"', 5),
    ],
)
def test_a_quote_that_is_never_closed_fails_the_file_with_its_line(tail: bytes, line: int) -> None:
    table = columns_of("csv", _ORDERS)
    assert fast("csv", _ORDERS + tail, table) is None
    with pytest.raises(UnterminatedQuoteError) as error:
        carefully("csv", _ORDERS + tail, table)
    assert error.value.line == line
    assert f"line {line}" in str(error.value)


def test_a_quote_inside_a_bare_field_is_a_character() -> None:
    read = carefully("csv", b'id,size\n1,5" pipe\n2,6"\n')
    assert read.rows.column("size").to_pylist() == ['5" pipe', '6"']


def test_header_names_that_collide_are_an_error() -> None:
    with pytest.raises(ColumnNameError, match="'a b' and 'A_B'"):
        carefully("csv", b"a b,A_B\n1,2\n")
    with pytest.raises(ColumnNameError, match="'a' and 'a'"):
        carefully("csv", b"a,a\n1,2\n")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b"OrderID,amount,zip,note\n"])
def test_a_file_without_records_has_no_rows_and_is_fine(data: bytes) -> None:
    table = columns_of("csv", _ORDERS)
    read = carefully("csv", data, table)
    assert (read.rows.num_rows, read.rejected.num_rows) == (0, 0)
    quick = fast("csv", data, table)
    assert quick is not None
    assert quick.rows.num_rows == 0


def test_columns_in_another_order_reach_their_columns() -> None:
    table = columns_of("csv", _ORDERS)
    quick = fast("csv", b"note,zip,order id,amount\nn,1,7,2\n", table)
    assert quick is not None
    assert quick.rows.column("order_id").to_pylist() == [7]


def test_an_absent_required_column_is_left_to_the_careful_path() -> None:
    table = columns_of("csv", _ORDERS)
    data = b"OrderID,amount,zip\n1,2,3\n"
    assert fast("csv", data, table) is None
    observed = reader_for("csv", {}).observe(content(data), table)
    assert [c.name for c in observed.columns] == ["order_id", "amount", "zip"]


def test_lines_that_end_with_a_carriage_return_alone_are_read_and_told() -> None:
    data = b'a,b\r1,"x\ny"\r3,"z ""\r"" z"\r'
    read = carefully("csv", data)
    assert read.rows.column("a").to_pylist() == [1, 3]
    assert read.rows.column("b").to_pylist() == ["x\ny", 'z "\n" z']
    assert read.rows.column("_source_row").to_pylist() == [2, 4]
    assert _detected(data)["line_end"] == "CR"
    quick = fast("csv", data, columns_of("csv", data))
    assert quick is not None
    assert quick.rows.equals(read.rows)


@pytest.mark.parametrize("data", [b'a,b\n1,"x\r"\n', b'a,"x\ry"\n', b"a,b\r\n1,2\r\n", b"a\r"])
def test_a_carriage_return_in_a_field_or_before_a_line_feed_is_no_line_end(data: bytes) -> None:
    assert "line_end" not in _detected(data)


@given(st.text("a\r\n", max_size=20), st.integers(1, 4))
def test_line_ends_are_the_same_wherever_a_piece_ends(text: str, size: int) -> None:
    data = text.encode()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    whole = text.replace("\r\n", "\n").replace("\r", "\n")
    assert b"".join(with_line_feeds(pieces)).decode() == whole


def test_a_file_of_many_blocks_keeps_lines_and_rows() -> None:
    record = '{0},"note ""{0}""\nof two lines",2024-01-01\n'
    data = ("id,note,day\n" + "".join(record.format(i) for i in range(400_000))).encode()
    table = columns_of("csv", data)
    quick = fast("csv", data, table)
    assert quick is not None
    assert len(data) > 2 * 8 * 1024**2
    assert quick.rows.column("id").to_pylist() == list(range(400_000))
    assert quick.rows.column("_source_row").to_pylist() == list(range(2, 800_002, 2))
    assert quick.rows.column("note")[-1].as_py() == 'note "399999"\nof two lines'


def test_options_are_checked_by_name_and_value() -> None:
    assert validate_options("csv", {"delimiter": "||", "quote": None, "header": 2}) == []
    problems = validate_options("csv", {"sep": ",", "delimiter": "", "header": "yes"})
    assert [problem.split(":")[0] for problem in problems] == ["sep", "delimiter", "header"]


def test_a_headerless_file_stays_headerless_for_its_table() -> None:
    table = columns_of("csv", b"1,x\n2,y\n")
    read = carefully("csv", b",x\n3,y\n", table)
    assert read.rows.column("column_1").to_pylist() == [None, 3]


def test_words_that_look_like_magic_bytes_are_text() -> None:
    for header in (b"ORCID", b"BZh9", b"Objects"):
        assert carefully("csv", header + b",b\n1,2\n").rows.num_rows == 1


def test_one_line_that_may_be_a_header_or_a_row_is_neither_in_silence() -> None:
    table = columns_of("csv", b"name,city\nAlice,Berlin\nBob,Rome\n")
    for data in (b"Carol,Paris\n", b"Carol,Paris", b"sku;price\n"):
        with pytest.raises(WrongFormatError, match="one line, of which no field is a column"):
            columns_of("csv", data, table)
        with pytest.raises(WrongFormatError, match=r"format\.options\.header to true"):
            fast("csv", data, table)
        assert carefully("csv", data, table, {"header": True}).rows.num_rows == 0
    for data in (b"name,city\n", b"City;Other\n", b""):
        assert carefully("csv", data, table).rows.num_rows == 0
    assert carefully("csv", b"Carol,Paris\n").rows.num_rows == 0
    # Its second line is longer than what is looked at first, and it is no file of one line.
    assert columns_of("csv", b"sku,note\nA1," + b"x" * 100_000 + b"\n", table)


@pytest.mark.parametrize("header", ["id,name,v", "'id','name','v'"])
def test_apostrophes_that_end_two_fields_a_record_are_quotes(header: str) -> None:
    data = "\n".join([header, *(f"{n},'it''s {n}','a, b'" for n in range(9))]).encode()
    rows = carefully("csv", data).rows
    assert rows.column("name").to_pylist() == [f"it's {n}" for n in range(9)]
    assert set(rows.column("v").to_pylist()) == {"a, b"}


def test_two_columns_of_one_name_are_told_with_the_line_and_what_helps() -> None:
    with pytest.raises(ColumnNameError, match=r"orders\.data, line 1: .*'id' and 'id'.*header"):
        carefully("csv", b"id,name,id\n1,a,2\n")
