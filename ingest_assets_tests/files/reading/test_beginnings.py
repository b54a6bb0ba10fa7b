"""The types of a file's beginning are those of the whole where the fast path reads it by them."""

import csv
import io

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest_assets.files.reading import blocks, compression
from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.files.reading.csv_reader import CsvReader
from ingest_assets.files.reading.opened import Content

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
def test_what_is_read_by_the_beginning_has_the_types_of_the_whole(data: bytes) -> None:
    reader = CsvReader({"delimiter": ",", "header": True, "quote": '"'})
    beginning = reader.observe_beginning(_content(data))
    try:
        list(reader.read_fast(_content(data), beginning.columns))
    except Stumbled:
        return
    whole = reader.observe(_content(data), None)
    assert beginning.columns == whole.columns
    assert beginning.always_present == whole.always_present
    assert beginning.detected == whole.detected


def test_the_beginning_alone_is_looked_at() -> None:
    data = _written([("k", "1", "2")] * 50 + [("k", "x", "y")])
    reader = CsvReader({})
    assert reader.observe_beginning(_content(data)).record_count < 50
    assert [str(c.type) for c in reader.observe_beginning(_content(data)).columns][1:] == [
        "int64",
        "int64",
    ]
    assert [str(c.type) for c in reader.observe(_content(data), None).columns][1:] == [
        "string",
        "string",
    ]
