"""What a file is, told from its bytes before its name."""

import bz2
import gzip
import io

import fastavro
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from ingest_assets.files.reading.detection import detect, format_named
from ingest_assets.files.reading.opened import Content

TABLE = pa.table({"id": [1, 2], "name": ["a", "b"]})


def content(name: str, data: bytes) -> Content:
    return Content(name, len(data), lambda: io.BytesIO(data))


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE, sink)
    return sink.getvalue()


def orc_file() -> bytes:
    sink = io.BytesIO()
    orc.write_table(TABLE, sink)
    return sink.getvalue()


def avro() -> bytes:
    sink = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}]}
    fastavro.writer(sink, schema, [{"id": 1}])
    return sink.getvalue()


LINES = b'{"id": 1}\n{"id": 2}\n'
CSV = b"id;name\n1;a\n2;b\n"


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("a", parquet(), ("parquet", "none")),
        ("a.csv", orc_file(), ("orc", "none")),
        ("a", avro(), ("avro", "none")),
        ("a.txt", LINES, ("json", "none")),
        ("a.csv", gzip.compress(LINES, mtime=0), ("json", "gzip")),
        ("a", b'\xef\xbb\xbf[\n {"id": 1},\n {"id": 2}\n]', ("json", "none")),
        ("a", b"[]", ("json", "none")),
        ("a.json", b"{broken\n{also\n", ("json", "none")),
        ("a", b'{\n  "id": 1,\n  "name": "x"\n}', ("json", "none")),
        ("a.dat", CSV, ("csv", "none")),
        ("a.json", bz2.compress(CSV), ("csv", "bz2")),
        ("a.csv", "id,name\n1,é\n".encode("utf-16"), ("csv", "none")),
        ("a.csv", b"id\n1\n2\n", ("csv", "none")),
        ("a", b"<?xml version='1.0'?><rows><row/></rows>", ("xml", "none")),
        ("a.parquet", b"", ("parquet", "none")),
        ("a.xml", b"<!doctype html><html><body>403</body></html>", (None, "none")),
        ("a.csv", b"PK\x03\x04\x14\x00\x00\x00\x08\x00", (None, "none")),
        ("a.csv", b"%PDF-1.7\n\x00\x01\x02", (None, "none")),
        ("a.csv.gz", gzip.compress(CSV * 5000, mtime=0)[:200], ("csv", "gzip")),
        ("a", b"Salted__\x12\x34", (None, "none")),
    ],
)
def test_bytes_decide_and_the_name_where_they_leave_it_open(
    name: str, data: bytes, found: tuple[str | None, str]
) -> None:
    detected = detect(content(name, data))
    assert (detected.type, detected.codec) == found
    assert detected.reason


def test_a_name_says_its_format_below_that_of_its_compression() -> None:
    named = {name: format_named(name) for name in ("a.tsv", "b.ndjson.gz", "c.parquet", "d.gz")}
    assert named == {"a.tsv": "csv", "b.ndjson.gz": "json", "c.parquet": "parquet", "d.gz": None}


def test_text_that_is_broken_is_told_from_what_is_no_text() -> None:
    detected = detect(content("broken.jsonl", b'{"order_id": 1, "cust\n\x00\x01 not json'))
    assert detected.type is None
    assert detected.reason == (
        "broken.jsonl seems to be JSON. It cannot be read as such: mend it, or exclude such files "
        "by source.pattern."
    )
