"""An open Parquet file, or the reason why it is none."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ingest_assets.errors import CorruptFileError, EncryptedFileError
from ingest_assets.files.reading.compression import HEAD_BYTES, codec_of, pieces
from ingest_assets.files.reading.foreign import refuse_encrypted, refuse_foreign, wrong_format
from ingest_assets.files.reading.opened import Content

_MAGIC = b"PAR1"
_SMALLEST_BYTES = 12


@contextmanager
def open_parquet(content: Content) -> Iterator[pq.ParquetFile | None]:
    """The file, open; None for one of no bytes. Errors while it is read become our own.

    Raises:
        WrongFormatError: it is another format.
        EncryptedFileError: it is encrypted.
        CorruptFileError: it is cut short or damaged.
    """
    with _uncompressed(content) as stream:
        head = stream.read(HEAD_BYTES)
        if not head:
            yield None
            return
        _refuse(head, stream, content.name)
        try:
            with pq.ParquetFile(pa.PythonFile(stream, mode="r")) as file:
                yield file
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            if "encrypt" in str(error).lower() or "decrypt" in str(error).lower():
                raise EncryptedFileError(
                    f"{content.name} has encrypted columns, and no key is declared. Nothing of "
                    "the file was written."
                ) from error
            raise _damaged(content.name, str(error)) from error


@contextmanager
def _uncompressed(content: Content) -> Iterator[BinaryIO]:
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


def _refuse(head: bytes, stream: BinaryIO, name: str) -> None:
    refuse_encrypted(head, name)
    if not head.startswith(_MAGIC):
        refuse_foreign(head, name, "parquet")
        words = "JSON" if head.lstrip()[:1] in (b"{", b"[") else "CSV or other text"
        raise wrong_format(name, "parquet", words)
    size = stream.seek(0, 2)
    stream.seek(max(0, size - len(_MAGIC)))
    tail = stream.read()
    stream.seek(0)
    if tail == b"PARE":
        refuse_encrypted(tail, name)
    if tail != _MAGIC or size < _SMALLEST_BYTES:
        raise _damaged(name, "its footer is missing, so it was cut short")


def _damaged(name: str, reason: str) -> CorruptFileError:
    return CorruptFileError(
        f"{name} is a damaged Parquet file: {reason}. Nothing of the file was written."
    )
