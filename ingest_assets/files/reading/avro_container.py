"""The blocks of an Avro object container file, unpacked, each checked against its marker.

https://avro.apache.org/docs/1.12.0/specification/#object-container-files
"""

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import cramjam
import fastavro
import pyarrow as pa

from ingest_assets.files.reading.typed_file import DamagedError

MAGIC = b"Obj\x01"
MAX_BLOCK_BYTES = 256 * 1024**2
"""Of one block, packed or unpacked. Writers make blocks of some kilobytes to some megabytes."""
_SYNC_BYTES = 16
_MAX_HEADER_BYTES = 16 * 1024**2
META: Any = fastavro.parse_schema({"type": "map", "values": "bytes"})


@dataclass(frozen=True)
class Header:
    """`schema` is the file's JSON schema. The blocks begin at `end`."""

    schema: Any
    codec: str
    sync: bytes
    end: int


@dataclass(frozen=True)
class Block:
    """`data` is of `row_count` records one after another, unpacked."""

    row_count: int
    data: bytes


def read_header(stream: BinaryIO) -> Header:
    """What stands before the blocks of a file that begins with `MAGIC`.

    Raises:
        DamagedError: it is cut short, or not as it should be.
    """
    start = io.BytesIO(stream.read(_MAX_HEADER_BYTES))
    start.seek(len(MAGIC))
    try:
        meta: Any = fastavro.schemaless_reader(start, META, None)
        schema = json.loads(meta["avro.schema"])
    except (EOFError, ValueError, KeyError, IndexError, RecursionError, OverflowError) as error:
        raise DamagedError(f"its header cannot be read ({error})") from error
    sync = start.read(_SYNC_BYTES)
    codec = bytes(meta.get("avro.codec", b"null")).decode(errors="replace")
    if codec not in _UNPACK:
        raise DamagedError(f"its codec {codec!r} is none of {', '.join(_UNPACK)}")
    stream.seek(start.tell())
    return Header(schema, codec, _checked(sync, _SYNC_BYTES), start.tell())


def count_rows(stream: BinaryIO, header: Header) -> int:
    """How many records the blocks say that they have; nothing is unpacked.

    Raises:
        DamagedError: the blocks do not follow one another up to the end.
    """
    size, total = stream.seek(0, io.SEEK_END), 0
    stream.seek(header.end)
    while stream.tell() < size:
        row_count, size_bytes = _block_head(stream)
        total += row_count
        if stream.seek(size_bytes, io.SEEK_CUR) > size:
            raise DamagedError("it is cut short inside of a block")
        _check_sync(stream, header)
    return total


def blocks(stream: BinaryIO, header: Header) -> Iterator[Block]:
    """All blocks.

    Raises:
        DamagedError: one does not unpack, or is not followed by the file's marker.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(header.end)
    unpack = _UNPACK[header.codec]
    while (position := stream.tell()) < size:
        row_count, size_bytes = _block_head(stream)
        packed = _checked(stream.read(size_bytes), size_bytes)
        _check_sync(stream, header)
        try:
            data = unpack(packed)
        except (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise DamagedError(f"the block at byte {position} does not unpack ({error})") from error
        except (pa.ArrowException, cramjam.DecompressionError) as error:
            raise DamagedError(f"the block at byte {position} does not unpack ({error})") from error
        yield Block(row_count, data)


def _block_head(stream: BinaryIO) -> tuple[int, int]:
    row_count, size_bytes = _long(stream), _long(stream)
    if row_count < 0 or not 0 <= size_bytes <= MAX_BLOCK_BYTES:
        raise DamagedError(
            f"the block that ends before byte {stream.tell()} says that it has {row_count} records "
            f"in {size_bytes} bytes; of a sound file, write smaller blocks: at most "
            f"{MAX_BLOCK_BYTES} bytes are read at once"
        )
    return row_count, size_bytes


def _long(stream: BinaryIO) -> int:
    value = shift = 0
    while shift < 70:
        [byte] = _checked(stream.read(1), 1)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
        shift += 7
    raise DamagedError(f"no number ends at byte {stream.tell()}")


def _checked(data: bytes, size_bytes: int) -> bytes:
    if len(data) < size_bytes:
        raise DamagedError("it is cut short")
    return data


def _check_sync(stream: BinaryIO, header: Header) -> None:
    if _checked(stream.read(_SYNC_BYTES), _SYNC_BYTES) != header.sync:
        raise DamagedError(f"the block before byte {stream.tell()} does not end with its marker")


def _bounded(data: bytes, is_whole: bool) -> bytes:
    if len(data) > MAX_BLOCK_BYTES:
        raise ValueError(f"it has more than {MAX_BLOCK_BYTES} bytes when unpacked")
    if not is_whole:
        raise EOFError("it is cut short")
    return data


def _deflate(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(-15)
    return _bounded(unpacker.decompress(packed, MAX_BLOCK_BYTES + 1), unpacker.eof)


def _bzip2(packed: bytes) -> bytes:
    unpacker = bz2.BZ2Decompressor()
    return _bounded(unpacker.decompress(packed, MAX_BLOCK_BYTES + 1), unpacker.eof)


def _xz(packed: bytes) -> bytes:
    unpacker = lzma.LZMADecompressor(memlimit=MAX_BLOCK_BYTES)
    return _bounded(unpacker.decompress(packed, MAX_BLOCK_BYTES + 1), unpacker.eof)


def _zstandard(packed: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return _bounded(stream.read(MAX_BLOCK_BYTES + 1), True)


def _snappy(packed: bytes) -> bytes:
    """A raw snappy block, then the CRC-32 of what it unpacks to."""
    body, checksum = packed[:-4], packed[-4:]
    if cramjam.snappy.decompress_raw_len(body) > MAX_BLOCK_BYTES:
        raise ValueError(f"it has more than {MAX_BLOCK_BYTES} bytes when unpacked")
    data = bytes(cramjam.snappy.decompress_raw(body))
    if zlib.crc32(data) != int.from_bytes(checksum, "big"):
        raise ValueError("its checksum is wrong")
    return data


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "null": lambda packed: packed,
    "deflate": _deflate,
    "snappy": _snappy,
    "bzip2": _bzip2,
    "xz": _xz,
    "zstandard": _zstandard,
}
