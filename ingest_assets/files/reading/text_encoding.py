"""Text in another encoding as UTF-8, which all readers of text take."""

import codecs
from collections.abc import Iterable, Iterator

from ingest_assets.errors import CorruptFileError

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def encoding_of(head: bytes, declared: str | None) -> str:
    """The declared encoding, or UTF-16 where the first bytes say so; else UTF-8."""
    if declared is None and head.startswith(_UTF_16):
        return "utf-16"
    return declared or "utf-8"


def in_utf_8(pieces: Iterable[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """The pieces of a file in `encoding`; those of UTF-8 as they are, whatever is in them.

    Raises:
        CorruptFileError: bytes are no text in the encoding.
    """
    if codecs.lookup(encoding).name == "utf-8":
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode()
            position += len(piece)
        yield decoder.decode(b"", True).encode()
    except UnicodeError as error:
        raise CorruptFileError(
            f"{name} is not text in {encoding}, which it is read as: {error}, some bytes after "
            f"byte {position}. Nothing of the file was written. Set format.options.encoding to "
            "the encoding that the files have."
        ) from error


def head_in_utf_8(head: bytes, encoding: str) -> bytes:
    """The first bytes of a file; what no text in the encoding is has a mark in its place."""
    if codecs.lookup(encoding).name == "utf-8":
        return head
    return codecs.getincrementaldecoder(encoding)("replace").decode(head).encode()


def is_encoding(name: object) -> bool:
    """There is a text encoding of the name."""
    try:
        return isinstance(name, str) and "".encode(name) is not None
    except LookupError:
        return False
