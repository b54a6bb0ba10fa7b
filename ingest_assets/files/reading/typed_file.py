"""An open file of a format that declares its types, and what such files have in common."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from ingest_assets.errors import CorruptFileError, EncryptedFileError
from ingest_assets.files.reading.compression import HEAD_BYTES, codec_of, pieces
from ingest_assets.files.reading.foreign import refuse_encrypted, refuse_foreign, wrong_format
from ingest_assets.files.reading.opened import Content

_ENCRYPTED = re.compile("encrypt|decrypt", re.IGNORECASE)
BATCH_BYTES = 16 * 1024**2
"""About so much of a file, as Arrow holds it, is one batch."""


class DamagedError(ValueError):
    """The bytes are not as the format asks for; the message says where. Openers make it our own."""


@dataclass(frozen=True)
class TypedFile:
    """`batches` gives the rows in order, of all columns or of those with the names, again at each
    call. They come to `row_count`, or the file is damaged. `detected` is how it is written.
    """

    schema: pa.Schema
    row_count: int
    detected: Mapping[str, str | int | bool]
    batches: Callable[[Sequence[str] | None], Iterator[pa.RecordBatch]]


Opener = Callable[[Content], AbstractContextManager[TypedFile | None]]
"""Opens a file of one format; None for one of no bytes. Errors while it is read become our own.

Raises:
    WrongFormatError: it is another format.
    EncryptedFileError: it is encrypted.
    CorruptFileError: it is cut short or damaged.
"""


@contextmanager
def uncompressed(content: Content) -> Iterator[BinaryIO]:
    """A seekable stream of the file itself; one that is compressed as a whole is spooled."""
    if codec_of(content) == "none":
        with content.open() as stream:
            yield stream
        return
    with tempfile.TemporaryFile() as spool:
        for piece in pieces(content):
            spool.write(piece)
        spool.seek(0)
        yield spool


@contextmanager
def opened_as(
    content: Content, format_type: str, title: str, magic: bytes
) -> Iterator[BinaryIO | None]:
    """The start of `uncompressed`, if it is of the format; None for a file of no bytes.

    Raises:
        As `Opener`, also of what is found wrong while it is open.
    """
    with uncompressed(content) as stream:
        head = stream.read(HEAD_BYTES)
        if not head:
            yield None
            return
        _refuse_other(head, magic, content.name, format_type)
        stream.seek(0)
        with _told_as_damage(content.name, title):
            yield stream


def compression_of(content: Content, own: str) -> str:
    """What the file is compressed by as a whole, or else by itself."""
    compression = codec_of(content)
    return compression if compression != "none" else own


def _refuse_other(head: bytes, magic: bytes, name: str, declared: str) -> None:
    """Nothing, if the file begins with the magic bytes of its format.

    Raises:
        WrongFormatError, EncryptedFileError: it does not; the message names what it is.
    """
    refuse_encrypted(head, name)
    if not head.startswith(magic):
        refuse_foreign(head, name, declared)
        words = "JSON" if head.lstrip()[:1] in (b"{", b"[") else "CSV or other text"
        raise wrong_format(name, declared, words)


@contextmanager
def _told_as_damage(name: str, format_name: str) -> Iterator[None]:
    """What Arrow, or a reader of ours, finds wrong in the bytes is the file's error.

    Raises:
        EncryptedFileError, CorruptFileError: in place of theirs.
    """
    try:
        yield
    except (pa.ArrowException, OSError, DamagedError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if isinstance(error, pa.ArrowException | OSError) and _ENCRYPTED.search(str(error)):
            raise EncryptedFileError(
                f"{name} has encrypted columns, and no key is declared. Nothing of the file was "
                "written."
            ) from error
        raise CorruptFileError(
            f"{name} is a damaged {format_name} file: {error}. Nothing of the file was written."
        ) from error
