"""The types of a file's beginning are those of the whole where the fast path reads it by them."""

import contextlib
import csv
import io
import json

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import example, given, settings

from ingest_assets.files.reading import blocks, compression
from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.files.reading.csv_reader import CsvReader
from ingest_assets.files.reading.json_reader import JsonReader
from ingest_assets.files.reading.opened import Content
from ingest_assets.schema.column import Column
from ingest_assets.schema.policy import SchemaRules, decide
from ingest_assets_tests.files.reading.contents import json_lines

_NUMBERS = [
    "1",
    "12",
    "-7",
    "-0",
    "1.5",
    "1e3",
    "007",
    "nan",
    "+1",
    " 1",
    "9007199254740993",
    "1" * 40,
]
_MOMENTS = ["2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01 10:00"]
_VALUES = st.sampled_from([*_NUMBERS, *_MOMENTS, "9223372036854775808", "true", "", "a"])


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 60)
    monkeypatch.setattr(compression, "PIECE_BYTES", 60)


def _content(data: bytes) -> Content:
    return Content("a.csv", len(data), lambda: io.BytesIO(data))


def _written(rows: list[tuple[str, ...]]) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerows([("k", "a", "b"), *rows])
    return sink.getvalue().encode()


@st.composite
def _files(draw: st.DrawFn) -> bytes:
    kinds = [draw(st.lists(_VALUES, min_size=1, max_size=3)) for _ in range(2)]
    rows = [("k", *map(draw, map(st.sampled_from, kinds))) for _ in range(draw(st.integers(1, 40)))]
    if draw(st.booleans()):
        rows += [("k", draw(_VALUES), draw(_VALUES))]
    return _written(rows)


@settings(max_examples=300, deadline=None)
@given(_files())
@example(_written([*[("k", "1", "9223372036854775808")] * 5, ("k", "1", "1e3")]))
def test_what_is_read_by_the_beginning_has_the_types_of_the_whole(data: bytes) -> None:
    reader = CsvReader({"delimiter": ",", "header": True, "quote": '"'})
    beginning = reader.observe_beginning(_content(data))
    if beginning is None:
        return
    try:
        list(reader.read_fast(_content(data), beginning.columns))
    except Stumbled:
        return
    whole = reader.observe(_content(data), None)
    assert beginning.columns == whole.columns
    assert beginning.always_present == whole.always_present
    assert beginning.detected == whole.detected


_JSON = st.sampled_from(
    [1, -7, -0.0, 1.5, 1e3, 2**53 + 1, 2**63, 10**40, True, None, *_MOMENTS, "", "a", [], [1], {}]
)


@st.composite
def _json_files(draw: st.DrawFn) -> bytes:
    """Records of one value a field, or of two, some without it, and then perhaps one other."""
    values = st.one_of(_JSON, st.lists(_JSON, max_size=2), st.fixed_dictionaries({"x": _JSON}))
    fields = {}
    for name in "ab":
        some = draw(st.lists(values, min_size=1, max_size=2))
        fields[name] = st.sampled_from([*some, some[0]])
    shape = st.fixed_dictionaries(
        {"k": st.just("k"), "a": fields["a"]}, optional={"b": fields["b"]}
    )
    records = draw(st.lists(shape, min_size=8, max_size=20))
    other = st.fixed_dictionaries({"k": st.just("k")}, optional=dict.fromkeys("abc", values))
    return json_lines(records + draw(st.lists(other, max_size=1)))


_JSON_READS: list[int] = []


@settings(max_examples=200, deadline=None)
@given(_json_files())
def _check_json(data: bytes) -> None:
    reader = JsonReader({})
    beginning = reader.observe_beginning(_content(data))
    assert beginning is not None
    columns = decide(None, beginning, SchemaRules()).target
    try:
        list(reader.read_fast(_content(data), columns, is_first=True))
    except Stumbled:
        return
    whole = reader.observe(_content(data), None)
    _JSON_READS.append(whole.record_count - beginning.record_count)
    assert columns == decide(None, whole, SchemaRules()).target
    assert beginning.detected == whole.detected


def test_what_is_read_by_the_beginning_of_json_lines_has_the_columns_of_the_whole() -> None:
    _check_json()
    assert sum(count > 3 for count in _JSON_READS) > 20


def test_a_first_file_whose_required_column_a_record_lacks_is_looked_at_as_a_whole() -> None:
    columns = (Column("a", pa.int64(), is_required=True), Column("b", pa.int64()))
    for last, is_read in (({"a": None, "b": 1}, True), ({"a": 1}, True), ({"b": 1}, False)):
        data = _content(json_lines([{"a": 1}] * 20 + [last]))
        reading = JsonReader({}).read_fast(data, columns, is_first=True)
        with contextlib.nullcontext() if is_read else pytest.raises(Stumbled):
            list(reading)
        list(JsonReader({}).read_fast(data, columns))


def test_no_beginning_is_taken_of_a_document() -> None:
    assert JsonReader({}).observe_beginning(_content(b'{\n"a": 1\n}')) is None
    array = _content(json.dumps([{"a": 1}] * 30).encode())
    beginning = JsonReader({}).observe_beginning(array)
    assert beginning is not None
    assert beginning.record_count < 30


def test_the_beginning_alone_is_looked_at() -> None:
    data = _written([("k", "1", "2")] * 50 + [("k", "x", "y")])
    reader = CsvReader({})
    beginning = reader.observe_beginning(_content(data))
    assert beginning is not None
    assert beginning.record_count < 50
    assert [str(c.type) for c in beginning.columns][1:] == [
        "int64",
        "int64",
    ]
    assert [str(c.type) for c in reader.observe(_content(data), None).columns][1:] == [
        "string",
        "string",
    ]
