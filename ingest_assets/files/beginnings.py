"""Files read in part: of a large one the beginning, cut where a record ends."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from ingest_assets.declaration.source import Format, Source
from ingest_assets.errors import FileContentError, FileTooLargeError
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.object_store import HASTY
from ingest_assets.files.reading.cut_short import unpacked_beginning
from ingest_assets.files.reading.json_records import raw_records, shape_of
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore

MEBIBYTE = 1024**2
_SMALL_READ = 256 * 1024


@dataclass(frozen=True)
class Limits:
    """`beginning_bytes`: of a file that is larger, so much is read where its format lets it be cut.

    `whole_bytes`: a file that cannot be cut and is larger is not read.
    """

    beginning_bytes: int
    whole_bytes: int = 128 * MEBIBYTE


class PartlyReadError(FileTooLargeError):
    """A file that cannot be read in part is too large to be read in a preview."""


class Beginnings(SourceStore):
    """The files of a source, each fetched once: whole if it is small, else its beginning.

    `read_bytes` says how much of a file, as stored, was read; it is there after `fetch`.
    """

    def __init__(
        self,
        source: Source,
        connection: Connection,
        spool: Path,
        clients: S3Clients,
        limits: Limits,
    ) -> None:
        super().__init__(source, connection, spool, clients, HASTY)
        self._limits = limits
        self._contents: dict[str, Content] = {}
        self.format: Format | None = None
        self.read_bytes: dict[str, int] = {}

    def fetch(self, file: SourceFile) -> Content:
        """The bytes of the file, or of its beginning; kept for the next call.

        Raises:
            PartlyReadError: it is too large, and its format cannot be cut.
            SourceChangedError, ObjectStoreError: as the store's.
        """
        if file.key not in self._contents:
            self._contents[file.key] = self._fetched(file)
        return self._contents[file.key]

    def glance(self, file: SourceFile) -> Content:
        """The first bytes of the file, enough to tell what it is.

        Raises:
            SourceChangedError, ObjectStoreError: as the store's.
        """
        if file.size_bytes <= self._limits.beginning_bytes:
            return self.fetch(file)
        with self._explained(file.uri):
            head = self._read(file, 0, min(file.size_bytes, MEBIBYTE))
        return _content(file.key, head)

    def _fetched(self, file: SourceFile) -> Content:
        limit = self._limits.beginning_bytes
        if file.size_bytes <= limit:
            self.read_bytes[file.key] = file.size_bytes
            return super().fetch(file)
        if self.format is not None and self.format.type in ("json", "csv"):
            with self._explained(file.uri):
                head = self._read(file, 0, limit)
            cut = beginning_of(_content(file.key, head), self.format, 4 * limit)
            if cut is not None:
                self.read_bytes[file.key] = limit
                return cut
        if file.size_bytes > self._limits.whole_bytes:
            raise PartlyReadError(
                f"{file.uri} has {file.size_bytes} bytes and cannot be read in part; a preview "
                f"reads such files up to {self._limits.whole_bytes} bytes. An ingestion reads it."
            )
        self.read_bytes[file.key] = file.size_bytes
        return super().fetch(file)


def _content(name: str, data: bytes) -> Content:
    return Content(name, len(data), lambda: BytesIO(data))


def beginning_of(content: Content, declared: Format, most_bytes: int) -> Content | None:
    """The whole records of a file that is cut short, unpacked; None where none can be told."""
    data = unpacked_beginning(content, most_bytes)
    if declared.type == "json":
        cut = _json_cut(data, content.name, declared.options)
    else:
        cut = _lines_cut(data, declared.options)
    return None if cut is None else _content(content.name, cut)


def _lines_cut(data: bytes, options: dict[str, Any]) -> bytes | None:
    """Up to a line end that is in no quotes."""
    encoding = str(options.get("encoding") or "utf-8").lower()
    if encoding.replace("_", "-").startswith(("utf-16", "utf-32")) or data[:2] in (
        b"\xff\xfe",
        b"\xfe\xff",
    ):
        return None
    quote = str(options.get("quote", '"') or "").encode()
    end = data.rfind(b"\n") + 1
    while end and quote and data.count(quote, 0, end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return data[:end] or None


def _json_cut(data: bytes, name: str, options: dict[str, Any]) -> bytes | None:
    """Whole lines, or whole elements of the array."""
    if options.get("record_path"):
        return None
    shape = options.get("shape") or shape_of(data[:_SMALL_READ], name)
    if shape == "lines":
        return data[: data.rfind(b"\n") + 1] or None
    records: list[bytes] = []
    with suppress(FileContentError):
        records += _all(lambda: raw_records([data], shape, name))
    if shape == "document":
        return b"\n".join(records) or None
    return b"[" + b",\n".join(records) + b"]" if records else None


def _all(records: Callable[[], Iterator[tuple[int, bytes]]]) -> Iterator[bytes]:
    for _, raw in records():
        yield raw
