"""XML: attributes, namespaces, repeated children, and what is refused."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from lxml import etree

from ingest_assets.errors import (
    ColumnNameError,
    CorruptFileError,
    FileContentError,
    WrongFormatError,
)
from ingest_assets.files.reading.reader import reader_for, validate_options
from ingest_assets.schema.column import Column
from ingest_assets.schema.types import format_type, parse_type
from ingest_assets_tests.files.reading.contents import carefully, columns_of, content, fast

_ORDERS = b"""<?xml version="1.0"?>
<orders day="2024-01-01">
  <!-- two of them -->
  <order id="1" unit="kg">
    <name>Bob &amp; co</name><qty>5</qty><zip>00501</zip><paid>true</paid>
    <at>2024-01-01T10:00:00Z</at><tag>x</tag><tag>y</tag>
    <address><city>Bern</city></address>
  </order>
  <order id="2">
    <name/><qty>6.5</qty><zip>12345</zip><paid>False</paid><at/><tag>z</tag>
    <address><city>Graz</city><geo lat="1.5">here</geo></address>
  </order>
</orders>
"""


def _rows(data: bytes, table: Any = None, **options: Any) -> list[dict[str, Any]]:
    """The rows without the column of row numbers, which are checked."""
    rows = carefully("xml", data, table, options).rows.to_pylist()
    assert [row.pop("_source_row") for row in rows] == list(range(1, len(rows) + 1))
    return rows


def _values(data: bytes, **options: Any) -> list[dict[str, Any]]:
    rows = _rows(data, **options)
    assert [row.pop("_rescued_data") for row in rows] == [None] * len(rows)
    return rows


def test_types_come_from_the_texts_and_children_may_repeat() -> None:
    columns = {c.name: format_type(c.type) for c in columns_of("xml", _ORDERS)}
    assert columns == {
        "id": "long",
        "unit": "string",
        "name": "string",
        "qty": "double",
        "zip": "string",
        "paid": "boolean",
        "at": "timestamptz",
        "tag": "list<string>",
        "address": "struct<city: string, geo: struct<lat: double, text: string>>",
    }
    first, second = _values(_ORDERS)
    assert first["tag"] == ["x", "y"]
    assert second["tag"] == ["z"]
    assert (first["name"], first["zip"], first["qty"]) == ("Bob & co", "00501", 5.0)
    assert (second["name"], second["unit"], second["at"]) == (None, None, None)
    assert second["address"] == {"city": "Graz", "geo": {"lat": 1.5, "text": "here"}}


def test_what_was_detected_names_what_stands_beside_the_rows() -> None:
    observed = reader_for("xml", {}).observe(content(_ORDERS), None)
    assert observed.record_count == 2
    assert observed.detected["row_tag"] == "order"
    assert observed.detected["outside_rows"] == "orders"
    assert observed.always_present == {"id", "name", "qty", "zip", "paid", "at", "tag", "address"}


def test_a_row_tag_is_found_at_any_depth_and_the_outermost_counts() -> None:
    data = b"<x><head><by>me</by></head><l><o><n>1</n><o><n>2</n></o></o><o><n>3</n></o></l></x>"
    assert _values(data, row_tag="o") == [
        {"n": 1, "o": {"n": 2}},
        {"n": 3, "o": None},
    ]
    observed = reader_for("xml", {"row_tag": "o"}).observe(content(data), None)
    assert observed.detected["outside_rows"] == "by"


@pytest.mark.parametrize("data", [b"", b"<orders/>", b"<orders>\n</orders>"])
def test_no_rows_is_fine(data: bytes) -> None:
    table = (Column("a", parse_type("long")),)
    assert _rows(data, table) == []
    assert fast("xml", data, table) is None


def test_a_row_tag_that_is_not_there_is_an_error_that_names_what_is() -> None:
    with pytest.raises(WrongFormatError, match=r"no element 'item'.*it has orders, order, name"):
        _rows(_ORDERS, row_tag="item")


def test_children_of_several_names_ask_for_a_row_tag() -> None:
    with pytest.raises(WrongFormatError, match=r"'b' and 'c'.*row_tag"):
        _rows(b"<a><b/><c/></a>")
    assert _values(b"<a><b>1</b><c>2</c></a>", row_tag="c") == [{"text": 2}]


_SPACES = b"""<f:feed xmlns:f="urn:f" xmlns="urn:d" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<f:row f:id="7" xml:lang="de"><f:a>1</f:a><a>2</a><b xsi:nil="true" why="none"/></f:row></f:feed>"""


def test_prefixes_stay_in_names_unless_they_are_ignored() -> None:
    assert _values(_SPACES) == [{"f_id": 7, "xml_lang": "de", "f_a": 1, "a": 2}]
    assert _values(_SPACES, row_tag="row") == _values(_SPACES, row_tag="f:row")
    assert _values(_SPACES, ignore_namespaces=True) == [{"id": 7, "lang": "de", "a": [1, 2]}]


def test_an_attribute_and_a_child_of_one_name_collide_unless_told_apart() -> None:
    data = b'<a><b id="1"><id>2</id></b></a>'
    with pytest.raises(ColumnNameError, match="'@id' and 'id'"):
        _rows(data)
    assert _values(data, attribute_prefix="attr_") == [{"attr_id": 1, "id": 2}]


def test_text_beside_children_is_kept() -> None:
    data = b"<a><p>one <b>two</b> three<!-- x --> four</p><p>five</p></a>"
    assert _values(data) == [
        {"b": "two", "text": "one three four"},
        {"b": None, "text": "five"},
    ]
    assert _values(data, text_name="body")[1] == {"b": None, "body": "five"}


def test_an_element_with_attributes_here_and_without_there_is_an_object() -> None:
    data = b'<a><p><v>5</v></p><p><v c="EUR">6.5</v></p><p><v c="X"/></p><p/></a>'
    assert [row["v"] for row in _values(data)] == [
        {"c": None, "text": 5.0},
        {"c": "EUR", "text": 6.5},
        {"c": "X", "text": None},
        None,
    ]


def test_cdata_is_text_and_white_space_of_texts_stays() -> None:
    rows = _values(b"<a><b><t><![CDATA[1 < 2]]></t><s> x </s><n> 7\n</n></b></a>")
    assert rows == [{"t": "1 < 2", "s": " x ", "n": 7}]


def test_the_table_decides_the_type_where_the_values_fit() -> None:
    table = tuple(
        Column(name, parse_type(type_))
        for name, type_ in [
            ("n", "long"),
            ("s", "string"),
            ("d", "decimal(9,2)"),
            ("l", "list<int>"),
            ("o", "struct<text: string, k: long>"),
        ]
    )
    data = b"""<a><r><n>1</n><s>5</s><d>1.50</d><l>3</l><o>x</o></r>
    <r><n>2</n><s>y</s><d>2</d><l>4</l><l>5</l><o k="7">z</o></r>
    <r><n>x</n><s>1</s><s>2</s><d>1</d><l>q</l><o k="k"/></r></a>"""
    rows = _rows(data, table)
    assert [row["n"] for row in rows] == [1, 2, None]
    assert [row["s"] for row in rows] == ["5", "y", None]
    assert [row["l"] for row in rows] == [[3], [4, 5], [None]]
    assert [row["o"] for row in rows] == [
        {"text": "x", "k": None},
        {"text": "z", "k": 7},
        {"text": None, "k": None},
    ]
    assert rows[0]["_rescued_data"] is None
    assert json.loads(rows[2]["_rescued_data"]) == {
        "n": "x",
        "s": ["1", "2"],
        "l": ["q"],
        "o": {"@k": "k"},
    }


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "us-ascii"]
)
def test_the_declared_encoding_is_read(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?><a><b><c>caf\xe9</c></b></a>'
    assert _values(text.encode(encoding, errors="xmlcharrefreplace")) == [{"c": "café"}]


_BOMB = b"""<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">]>
<a><b><c>&y;</c></b></a>"""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (_ORDERS[:-5], "not well-formed"),
        (_ORDERS[:200], "not well-formed"),
        (b"<a><b></a></b>", "not well-formed.*line 1"),
        (b"<a><b>\xff</b></a>", "not well-formed.*encoding"),
        (b"<a/><b/>", "not well-formed"),
        (b"<a><b>&nbsp;</b></a>", "not well-formed.*nbsp"),
        (_BOMB, "declares entities"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a><b>&x;</b></a>', "'&x;'|not well-formed"),
        (b"<a>" + b"<b>" * 150 + b"</b>" * 150 + b"</a>", "more than 50 levels deep"),
        (b"<a>" + b"<b>" * 300 + b"</b>" * 300 + b"</a>", "depth"),
        (b"<a><b>" + b"x" * 11_000_000 + b"</b></a>", "not well-formed, or|limits"),
    ],
)
def test_what_is_not_well_formed_or_beyond_the_limits_is_final(data: bytes, says: str) -> None:
    with pytest.raises(CorruptFileError, match=says) as caught:
        _rows(data)
    assert not caught.value.is_retryable
    assert "XML_PARSE_HUGE" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"{}", "JSON"), (b"a,b\n1,2\n", "CSV"), (b"<html><body/></html>", "HTML"), (b"PAR1", "Parq")],
)
def test_other_bytes_are_another_format(data: bytes, found: str) -> None:
    with pytest.raises(WrongFormatError, match=f"is {found}"):
        _rows(data)


def test_a_large_file_is_read_in_bounded_memory() -> None:
    row = b"<r><n>1</n><t>" + b"x" * 1000 + b"</t></r>"
    data = b"<a>" + row * 20_000 + b"</a>"
    chunks = reader_for("xml", {}).read_careful(content(data), columns_of("xml", data))
    assert [chunk.rows.num_rows > 100 for chunk in chunks] == [True] * 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rowTag": "x"}, "rowTag: the format xml has no such option; it has row_tag"),
        ({"row_tag": ""}, "row_tag: expected a text"),
        ({"row_tag": 7}, "row_tag: expected a text"),
        ({"attribute_prefix": None}, "attribute_prefix: expected a text"),
        ({"ignore_namespaces": "yes"}, "ignore_namespaces: expected true or false"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], says: str) -> None:
    [problem] = validate_options("xml", options)
    assert problem.startswith(says)


_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6)
_SCALARS = st.one_of(_TEXTS, st.integers(-99, 99).map(str), st.sampled_from(["true", "1.5", " "]))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={"a": _SCALARS, "b": st.lists(_SCALARS, max_size=3), "@c": _SCALARS},
        ),
        max_size=6,
    )
)
def test_no_text_is_lost(records: list[dict[str, Any]]) -> None:
    root = etree.Element("root")
    for record in records:
        row = etree.SubElement(root, "row")
        for name, value in record.items():
            if name.startswith("@"):
                row.set(name[1:], value)
                continue
            for text in value if isinstance(value, list) else [value]:
                etree.SubElement(row, name).text = text
    for record, row in zip(records, _rows(etree.tostring(root)), strict=True):
        assert _said(row.get("a")) == _meant(record.get("a"))
        assert _said(row.get("c")) == _meant(record.get("@c"))
        found = row.get("b")
        found = found if isinstance(found, list) else [found]
        assert [_said(v) for v in found if v is not None] == [
            _meant(text) for text in record.get("b", []) if _meant(text) is not None
        ]


def _meant(text: str | None) -> str | None:
    return None if not text or text.isspace() else text.strip().lower()


def _said(value: Any) -> str | None:
    if isinstance(value, bool | float):
        value = str(value).removesuffix(".0")
    return None if value is None else str(value).strip().lower()


_WHOLE = _ORDERS


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(_WHOLE) - 1), st.integers(1, 255))
def test_a_damaged_byte_is_an_error_or_a_text_never_a_crash(at: int, flip: int) -> None:
    damaged = _WHOLE[:at] + bytes([_WHOLE[at] ^ flip]) + _WHOLE[at + 1 :]
    try:
        rows = _rows(damaged)
    except FileContentError:
        return
    assert len(rows) <= 2


def test_an_attribute_and_a_child_of_one_name_are_told_with_the_option_that_parts_them() -> None:
    data = b'<r><p id="1"><id>7</id></p></r>'
    with pytest.raises(ColumnNameError, match=r"'@id' and 'id'.*attribute_prefix"):
        carefully("xml", data)
    [row] = carefully("xml", data, options={"attribute_prefix": "attr_"}).rows.to_pylist()
    assert (row["attr_id"], row["id"]) == (1, 7)
