"""A file that is cut short, before any compression: as far as those bytes go that are there."""

import bz2
from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa

from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.compression import codec_of, pieces
from ingest_assets.files.reading.opened import Content

_READ_BYTES = 16 * 1024


def unpacked_beginning(content: Content, at_least_bytes: int) -> bytes:
    """So many bytes or a few more, or as many as can be unpacked: damage ends them in silence."""
    found, size_bytes = [], 0
    for piece in _pieces(content):
        found.append(piece)
        size_bytes += len(piece)
        if size_bytes >= at_least_bytes:
            break
    return b"".join(found)


def _pieces(content: Content) -> Iterator[bytes]:
    """Small ones: what a reader raises takes along the piece that it was about to give."""
    codec = codec_of(content)
    with content.open() as stream, suppress(OSError, EOFError, FileContentError):
        if codec in ("gzip", "zstd", "lz4"):
            with pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), codec) as source:
                yield from iter(lambda: source.read(_READ_BYTES), b"")
        elif codec == "bz2":
            unpacker = bz2.BZ2Decompressor()
            yield from map(unpacker.decompress, iter(lambda: stream.read(_READ_BYTES), b""))
        else:
            yield from pieces(content)
