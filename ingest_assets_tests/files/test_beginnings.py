"""The beginning of a large file, cut where a record ends, whatever it is compressed by."""

import bz2
import gzip
import io
import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import cramjam
import pytest

from ingest_assets.declaration.source import Format, Source
from ingest_assets.files.beginnings import (
    Beginnings,
    Limits,
    PartlyReadError,
    beginning_of,
)
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.reading.opened import Content

RANDOM = Random(7)
RECORDS = [{"id": number, "text": RANDOM.randbytes(150).hex()} for number in range(3000)]
LINES = b"".join(json.dumps(record).encode() + b"\n" for record in RECORDS)
CODECS: dict[str, Any] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bz2": lambda data: bz2.compress(data, 1),
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
}


def cut(data: bytes, declared: Format, share: float = 0.5) -> bytes | None:
    part = data[: int(len(data) * share)]
    content = Content("a.jsonl", len(part), lambda: io.BytesIO(part))
    found = beginning_of(content, declared, 10**9)
    return None if found is None else found.open().read()


@pytest.mark.parametrize("codec", CODECS)
def test_json_lines_end_with_a_whole_line(codec: str) -> None:
    found = cut(CODECS[codec](LINES), Format(type="json"), 0.9)
    assert found is not None
    assert found.endswith(b"}\n")
    assert LINES.startswith(found)
    assert len(found) > len(LINES) // 2


def test_an_array_ends_with_a_whole_element_and_is_closed() -> None:
    data = json.dumps(RECORDS).encode()
    found = cut(data, Format(type="json"))
    assert found is not None
    records = json.loads(found)
    assert records == RECORDS[: len(records)]
    assert len(records) > 1000


def test_csv_is_not_cut_inside_of_quotes() -> None:
    rows = b"id,text\n" + b"".join(b'%d,"two\nlines"\n' % number for number in range(100))
    for share in (0.3, 0.31, 0.32, 0.33, 0.34, 0.35):
        found = cut(rows, Format(type="csv"), share)
        assert found is not None
        assert found.count(b'"') % 2 == 0
        assert rows.startswith(found)
        assert found.endswith(b'lines"\n')


def test_what_cannot_be_cut_is_not() -> None:
    document = json.dumps({"records": RECORDS}, indent=1).encode()
    path = Format(type="json", options={"record_path": "records"})
    assert cut(document, path) is None
    assert cut(document, Format(type="json", options={"shape": "document"})) is None
    assert cut("id,a\n1,é\n".encode("utf-16") * 10, Format(type="csv")) is None
    assert cut(b'{"id": 1', Format(type="json")) is None


def test_a_large_file_is_read_in_part_or_whole_or_not_at_all(tmp_path: Path) -> None:
    source = Source(uri=f"file://{tmp_path}/in/")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(LINES)
    store = Beginnings(
        source, Connection(), tmp_path / "spool", S3Clients(), Limits(1000, whole_bytes=len(LINES))
    )
    ((file,),) = store.pages()
    store.format = Format(type="json")
    assert len(store.glance(file).open().read()) == len(LINES) < 1024**2
    assert store.read_bytes == {}
    part = store.fetch(file)
    assert LINES.startswith(part.open().read())
    assert store.read_bytes == {"a.jsonl": 1000}
    assert store.fetch(file) is part

    parquet = replace(file, key="a.jsonl")
    store = Beginnings(
        source, Connection(), tmp_path / "spool", S3Clients(), Limits(1000, whole_bytes=len(LINES))
    )
    store.format = Format(type="parquet")
    assert store.fetch(parquet).size_bytes == len(LINES)
    store = Beginnings(
        source, Connection(), tmp_path / "spool", S3Clients(), Limits(1000, whole_bytes=2000)
    )
    store.format = Format(type="parquet")
    with pytest.raises(PartlyReadError, match=r"cannot be read in part; .* up to 2000 bytes"):
        store.fetch(parquet)
    assert not list((tmp_path / "spool").glob("*"))
