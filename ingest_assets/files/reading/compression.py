"""The bytes of a source file as its producer wrote them, before any compression.

The codec is told by the magic bytes, and by the suffix only for snappy's raw and Hadoop forms,
which have none. Several members or frames one after the other are one file. Sources:
https://github.com/google/snappy/blob/main/framing_format.txt (framed), Hadoop's SnappyCodec
(blocks of big-endian lengths).
"""

import bz2
import itertools
import re
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal

import cramjam
import pyarrow as pa

from ingest_assets.errors import CorruptFileError
from ingest_assets.files.reading.opened import Content

Codec = Literal["none", "gzip", "bz2", "zstd", "lz4", "snappy", "snappy-unframed"]

PIECE_BYTES = 4 * 1024**2
HEAD_BYTES = 64 * 1024
_SNAPPY_START = b"\xff\x06\x00\x00sNaPpY"
_MAGIC: tuple[tuple[bytes, Codec], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (_SNAPPY_START, "snappy"),
)
_BZ2 = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")
MAX_RATIO = 1000
SMALL_UNPACKED_BYTES = 1024**3
"""So much may come of any file; of a larger one no more than `MAX_RATIO` times its size."""
_UNFRAMED_LIMIT_BYTES = 256 * 1024**2


def codec_of(content: Content) -> Codec:
    """The codec of the content's first bytes; `none` when they are of no codec."""
    with content.open() as stream:
        head = stream.read(16)
    for magic, codec in _MAGIC:
        if head.startswith(magic):
            return codec
    if _BZ2.match(head):
        return "bz2"
    # pzstd begins with a skippable frame: https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.2
    if len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return "zstd"
    is_text = head.lstrip()[:1] in (b"{", b"[") or head.startswith((b"PAR1", b"\xef\xbb\xbf"))
    if content.name.endswith((".snappy", ".sz")) and head and not is_text:
        return "snappy-unframed"
    return "none"


def pieces(content: Content) -> Iterator[bytes]:
    """The decompressed bytes, a few megabytes at a time; none of them is empty.

    Raises:
        CorruptFileError: the compressed stream is damaged or cut short. What came before is whole
            but must not be used: the file is not.
    """
    codec = codec_of(content)
    with content.open() as stream:
        if codec == "none":
            yield from iter(lambda: stream.read(PIECE_BYTES), b"")
            return
        try:
            unpacked = _UNPACK[codec](stream) if codec in _UNPACK else _inflated(stream, codec)
            yield from _bounded(unpacked, content.size_bytes)
        except (OSError, pa.ArrowException, cramjam.DecompressionError, EOFError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise CorruptFileError(
                f"{content.name} is damaged or cut short: its {codec} stream does not decompress "
                f"({error}). Nothing of the file was written."
            ) from error


def peek(content: Content) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes after decompression, up to `HEAD_BYTES`, and all pieces, those again too."""
    source = pieces(content)
    first, size = [], 0
    for piece in source:
        first.append(piece)
        size += len(piece)
        if size >= HEAD_BYTES:
            break
    return b"".join(first)[:HEAD_BYTES], itertools.chain(first, source)


def _inflated(stream: BinaryIO, codec: str) -> Iterator[bytes]:
    with pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), codec) as source:
        yield from iter(lambda: source.read(PIECE_BYTES), b"")


def _bz2_streams(stream: BinaryIO) -> Iterator[bytes]:
    """Stream by stream: Arrow fails on an empty one between others (pyarrow 26.0.1)."""
    decompressor = bz2.BZ2Decompressor()
    data = stream.read(PIECE_BYTES // 4)
    while data or not (decompressor.eof or decompressor.needs_input):
        if decompressor.eof:
            decompressor = bz2.BZ2Decompressor()
        if piece := decompressor.decompress(data, PIECE_BYTES):
            yield piece
        data = decompressor.unused_data
        if not data and (decompressor.eof or decompressor.needs_input):
            data = stream.read(PIECE_BYTES // 4)
    if not decompressor.eof:
        raise EOFError("the end of the stream is missing")


def _bounded(unpacked: Iterator[bytes], packed_bytes: int) -> Iterator[bytes]:
    limit = SMALL_UNPACKED_BYTES + MAX_RATIO * packed_bytes
    size = 0
    for piece in unpacked:
        size += len(piece)
        if size > limit:
            raise EOFError(
                f"it unpacks to more than {MAX_RATIO} times its {packed_bytes} bytes, as no data do"
            )
        yield piece


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError(f"{size} bytes expected, {len(data)} left")
    return data


def _snappy_frames(stream: BinaryIO) -> Iterator[bytes]:
    """Chunk by chunk; cramjam checks the checksum of each."""
    while header := stream.read(4):
        header += _exactly(stream, 4 - len(header))
        body = _exactly(stream, int.from_bytes(header[1:], "little"))
        if header[0] in (0x00, 0x01):
            data = bytes(cramjam.snappy.decompress(_SNAPPY_START + header + body))
            if data:
                yield data
        elif 0x02 <= header[0] <= 0x7F:
            raise EOFError(f"chunk type {header[0]:#x} is unknown")


def _snappy_unframed(stream: BinaryIO) -> Iterator[bytes]:
    """Hadoop's blocks, or one raw block that is the whole file."""
    data = stream.read(_UNFRAMED_LIMIT_BYTES + 1)
    if len(data) > _UNFRAMED_LIMIT_BYTES:
        raise EOFError("an unframed snappy file must fit in memory; write the framed format")
    try:
        blocks = _hadoop_blocks(data)
    except (EOFError, struct.error, cramjam.DecompressionError):
        blocks = [bytes(cramjam.snappy.decompress_raw(data))]
    yield from (block for block in blocks if block)


def _hadoop_blocks(data: bytes) -> list[bytes]:
    blocks, position = [], 0
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        position, done = position + 4, 0
        while done < size:
            (length,) = struct.unpack_from(">I", data, position)
            part = data[position + 4 : position + 4 + length]
            if not length or len(part) < length:
                raise EOFError("a block is cut short")
            blocks.append(bytes(cramjam.snappy.decompress_raw(part)))
            done += len(blocks[-1])
            position += 4 + length
    return blocks


_UNPACK: dict[Codec, Callable[[BinaryIO], Iterator[bytes]]] = {
    "snappy": _snappy_frames,
    "bz2": _bz2_streams,
    "snappy-unframed": _snappy_unframed,
}
