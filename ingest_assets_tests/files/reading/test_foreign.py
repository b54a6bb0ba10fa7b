"""Files that are not what the declaration says."""

import gzip
import io
import zipfile

import pyarrow as pa
import pytest

from ingest_assets.errors import EncryptedFileError, WrongFormatError
from ingest_assets.files.reading.reader import FormatType
from ingest_assets_tests.files.reading.contents import carefully, parquet

# Without the time: the names of the tests are the same in every process.
_TWICE = gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0)
_PARQUET = parquet(pa.table({"a": [1]}))


def _zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    return sink.getvalue()


@pytest.mark.parametrize(
    ("declared", "data", "found"),
    [
        ("csv", b'{"a": 1}\n{"a": 2}\n', "JSON"),
        ("csv", b'[\n  {"a": 1}\n]', "JSON"),
        ("csv", _PARQUET, "Parquet"),
        ("csv", gzip.compress(_PARQUET, mtime=0), "Parquet"),
        ("csv", b"<!DOCTYPE html><html></html>", "HTML"),
        ("json", "{}".encode("utf-16"), "UTF-16"),
        ("csv", b"a,b\n1," + bytes(10), "binary data"),
        ("csv", _TWICE, "compressed twice"),
        ("json", b"id,name\n1,x\n", "CSV"),
        ("json", b"<?xml version='1.0'?><a/>", "XML"),
        ("json", b"\n <orders><order/></orders>", "XML"),
        ("json", b"<html><body>503</body></html>", "HTML"),
        ("json", _PARQUET, "Parquet"),
        ("json", b"Obj\x01abc", "Avro"),
        ("json", _zip(), "zip archive"),
        ("parquet", b"a,b\n1,2\n", "CSV or other text"),
        ("parquet", b'{"a":1}', "JSON"),
        ("parquet", b"<html></html>", "HTML"),
    ],
)
def test_another_format_is_named(declared: FormatType, data: bytes, found: str) -> None:
    with pytest.raises(WrongFormatError, match=found) as error:
        carefully(declared, data)
    assert f"declared as {declared}" in str(error.value)
    assert "landed/orders.data" in str(error.value)


@pytest.mark.parametrize("declared", ["csv", "json", "parquet"])
def test_encrypted_bytes_are_named(declared: FormatType) -> None:
    locked = bytearray(_zip())
    locked[6] |= 1
    for data in (bytes(locked), b"Salted__12345678", b"PARE" + bytes(40) + b"PARE"):
        with pytest.raises(EncryptedFileError, match="encrypted"):
            carefully(declared, data)


@pytest.mark.parametrize(
    ("declared", "data"),
    [
        ("csv", b"{id},b\n1,2\n"),
        ("json", b'oops\n{"a":1}\n'),
        ("json", b'{"a":"\x00"}\n{"a":1}\n'),
    ],
)
def test_an_odd_beginning_is_not_yet_another_format(declared: FormatType, data: bytes) -> None:
    assert carefully(declared, data).rows.num_rows == 1
