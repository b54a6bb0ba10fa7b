"""Compressed files: every codec, several members, damage, and lying suffixes."""

import bz2
import gzip
import struct
from collections.abc import Callable

import cramjam
import pyarrow as pa
import pytest

from ingest_assets.errors import CorruptFileError
from ingest_assets.files.reading import compression
from ingest_assets.files.reading.compression import codec_of, peek, pieces
from ingest_assets.files.reading.reader import reader_for
from ingest_assets_tests.files.reading.contents import (
    carefully,
    columns_of,
    content,
    fast,
    parquet,
)

_DATA = b"".join(b'{"a":%d,"note":"%d"}\n' % (i, i * i * 7919) for i in range(200_000))


def _zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, "zstd", asbytes=True))


def _lz4(data: bytes) -> bytes:
    return bytes(cramjam.lz4.compress(data))


def _snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress(data))


def _hadoop(data: bytes) -> bytes:
    blocks = b""
    for begin in range(0, len(data), 100_000):
        part = data[begin : begin + 100_000]
        packed = bytes(cramjam.snappy.compress_raw(part))
        blocks += struct.pack(">II", len(part), len(packed)) + packed
    return blocks


_CODECS = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "zstd": _zstd,
    "lz4": _lz4,
    "snappy": _snappy,
}
_each_codec = pytest.mark.parametrize("codec", _CODECS)


@_each_codec
@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.json.zst", "a.json.snappy"])
def test_the_magic_bytes_tell_the_codec_whatever_the_suffix(codec: str, name: str) -> None:
    source = content(_CODECS[codec](_DATA), name)
    assert codec_of(source) == codec
    assert b"".join(pieces(source)) == _DATA


@_each_codec
def test_several_members_are_one_file(codec: str) -> None:
    compress = _CODECS[codec]
    parts = [_DATA[:1000], b"", _DATA[1000:5000], _DATA[5000:]]
    assert b"".join(pieces(content(b"".join(compress(part) for part in parts)))) == _DATA


@pytest.mark.parametrize("name", ["a.json.gz", "a.json.snappy", "a.json"])
def test_a_plain_file_is_read_as_it_is_whatever_its_suffix(name: str) -> None:
    assert b"".join(pieces(content(_DATA, name))) == _DATA


@pytest.mark.parametrize("pack", [_hadoop, lambda data: bytes(cramjam.snappy.compress_raw(data))])
def test_snappy_without_frames_is_told_by_its_suffix(pack: Callable[[bytes], bytes]) -> None:
    assert b"".join(pieces(content(pack(_DATA), "part-0.json.snappy"))) == _DATA


@_each_codec
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_stream_cut_short_is_corrupt_on_every_path(codec: str, share: float) -> None:
    whole = _CODECS[codec](_DATA)
    cut = whole[: int(len(whole) * share)]
    columns = columns_of("json", _DATA[: _DATA.index(b"\n") + 1])
    with pytest.raises(CorruptFileError, match="damaged or cut short"):
        fast("json", cut, columns)
    with pytest.raises(CorruptFileError, match="damaged or cut short"):
        carefully("json", cut, columns)


@_each_codec
def test_a_damaged_stream_is_corrupt(codec: str) -> None:
    whole = bytearray(_CODECS[codec](_DATA))
    begin = len(whole) // 2
    for index in range(begin, begin + 64):
        whole[index] ^= 0xA5
    if codec == "zstd":
        pytest.skip("Arrow writes zstd without checksums: damage inside may go unseen")
    with pytest.raises(CorruptFileError, match=codec):
        b"".join(pieces(content(bytes(whole))))


@_each_codec
def test_bytes_after_the_last_member_are_corrupt(codec: str) -> None:
    with pytest.raises(CorruptFileError):
        b"".join(pieces(content(_CODECS[codec](_DATA) + b"no member at all")))


@_each_codec
@pytest.mark.parametrize("format_type", ["json", "csv", "parquet"])
def test_every_format_is_read_compressed(codec: str, format_type: str) -> None:
    plain = {
        "json": b'{"a":1}\n{"a":2}\n',
        "csv": b"a,b\n1,x\n2,y\n",
        "parquet": parquet(pa.table({"a": [1, 2]})),
    }[format_type]
    data = _CODECS[codec](plain)
    columns = columns_of(format_type, data)  # type: ignore[arg-type]
    read = carefully(format_type, data, columns)  # type: ignore[arg-type]
    assert read.rows.column("a").to_pylist() == [1, 2]
    quick = fast(format_type, data, columns)  # type: ignore[arg-type]
    assert quick is not None
    assert quick.rows.equals(read.rows)
    reader = reader_for(format_type, {})  # type: ignore[arg-type]
    assert reader.observe(content(data), None).detected["compression"] == codec


def test_the_head_is_seen_without_losing_any_byte() -> None:
    head, rest = peek(content(gzip.compress(_DATA)))
    assert _DATA.startswith(head)
    assert b"".join(rest) == _DATA


@_each_codec
def test_a_compressed_empty_file_is_empty(codec: str) -> None:
    assert list(pieces(content(_CODECS[codec](b"")))) == []


@_each_codec
def test_a_decompression_bomb_is_refused(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = _CODECS[codec](b"\n" * 3_000_000)
    monkeypatch.setattr(compression, "PIECE_BYTES", 100_000)
    assert sum(map(len, pieces(content(bomb)))) == 3_000_000
    assert max(map(len, pieces(content(bomb)))) <= 100_000
    monkeypatch.setattr(compression, "SMALL_UNPACKED_BYTES", 1_000_000)
    monkeypatch.setattr(compression, "MAX_RATIO", 10)
    with pytest.raises(CorruptFileError, match="unpacks to more than 10 times its"):
        list(pieces(content(bomb)))
