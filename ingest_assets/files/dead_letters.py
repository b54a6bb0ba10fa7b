"""Dead letters: copies of refused files, each with a report beside it, at a place of their own.

    <uri>/<ingestion>/<key>              the object, as it was refused
    <uri>/<ingestion>/<key>.error.json   why

The key is made into a name that every store and file system takes (`copy_name`). A second copy of a
key takes the place of the first.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import obstore

from ingest_assets.declaration.source import Source
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.object_store import HASTY, open_object_store
from ingest_assets.files.store_errors import explained_writing

REPORT_SUFFIX = ".error.json"
_PART_BYTES = 16 * 1024**2
_CONTROL = re.compile(r"[\x00-\x1f\x7f%\\]")
_SLASH = re.compile(r"(?<![^/])/|/\Z")
_DOTS = re.compile(r"(?<![^/])\.{1,2}(?=/|\Z)")
_REPORT = re.compile(re.escape(REPORT_SUFFIX) + r"(?=/|\Z)")
_SEGMENT_BYTES = 200
"""A file system takes 255, and the report's name is longer."""
_NAME_BYTES = 600
"""S3 takes 1024, the prefix among them."""
_BLOCKED = (FileExistsError, IsADirectoryError, NotADirectoryError)


def copy_name(key: str) -> str:
    """The name of the copy of a relative key; another key has another one, and none is a report's.

    What a store or a file system would take for something else is percent-encoded: control
    characters, `%`, a backslash, a slash that follows none but slashes or ends the key, `.` and
    `..` as segments, and the last dot of a segment that ends like a report. A name that would be
    too long is its beginning and a digest.
    """
    name = _CONTROL.sub(_encoded, key)
    name = _DOTS.sub(_encoded, name)
    name = _SLASH.sub(_encoded, name)
    name = _REPORT.sub(".error%2Ejson", name)
    segments = name.encode().split(b"/")
    if max(map(len, segments)) > _SEGMENT_BYTES or len(name.encode()) > _NAME_BYTES:
        return _short(name)
    return name


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{ord(char):02X}" for char in found[0])


def _short(name: str) -> str:
    """The beginning of the name, without folders, and its digest; `%~` is in no other name."""
    beginning = name.replace("/", "%2F").encode()[:100].decode(errors="ignore")
    return f"{beginning}%~{sha256(name.encode()).hexdigest()}"


def left_out(source: Source, uris: Iterable[str], ingestion: str) -> Callable[[str], bool]:
    """Whether a relative key of the source is a dead letter: it lies at one of the places `uris`.

    A place that the source itself lies at leaves out the folder of `ingestion` alone.
    """
    home = source.uri_of("")
    places = [f"{uri.rstrip('/')}/{below}" for uri in uris for below in ("", f"{ingestion}/")]
    inside = tuple(
        place.removeprefix(home) for place in places if place.startswith(home) and place != home
    )
    return lambda key: key.startswith(inside)


class DeadLetterStore:
    """The dead letters of one ingestion at one place, reached over one connection."""

    def __init__(
        self, uri: str, ingestion: str, connection: Connection, clients: S3Clients | None = None
    ) -> None:
        root, _, path = uri.partition("://")
        bucket, _, prefix = path.partition("/")
        self._root = f"{root}://{bucket}"
        self._folder = "/".join(part for part in (prefix.strip("/"), ingestion) if part)
        self._is_local = root == "file"
        self._connection = connection
        self._clients = clients or S3Clients()

    @property
    def folder(self) -> str:
        """The address of the folder that holds them all."""
        return f"{self._root}/{self._folder}/"

    def put_copy(self, key: str, content: BinaryIO) -> str:
        """The content is the copy of the key, whole or not at all; its address.

        Raises:
            NotWritableError: the place cannot be reached or written to.
        """
        return self._put(copy_name(key), content)

    def put_report(self, key: str, report: bytes) -> str:
        """The report lies beside where the copy of the key lies, if there is one; its address.

        Raises:
            NotWritableError: as `put_copy`.
        """
        return self._put(copy_name(key) + REPORT_SUFFIX, BytesIO(report))

    def _put(self, name: str, content: BinaryIO) -> str:
        path = f"{self._folder}/{name}"
        uri = f"{self._root}/{path}"
        with self._clients.used(self._connection), explained_writing(uri):
            if self._is_local:
                return f"file://{_write_file(Path('/', self._folder), name, content)}"
            obstore.put(self._store, path, content, chunk_size=_PART_BYTES, max_concurrency=1)
        return uri

    @cached_property
    def _store(self) -> Any:
        access = self._clients.of(self._connection) if self._root.startswith("s3://") else None
        return open_object_store(self._root, access, HASTY)


def _write_file(folder: Path, name: str, content: BinaryIO) -> Path:
    """The file is there under its name, or without folders where another file is in their way."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"%part-{sha256(name.encode()).hexdigest()}"
    try:
        with unfinished.open("wb") as file:
            shutil.copyfileobj(content, file, _PART_BYTES)
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return unfinished.replace(path)
        except _BLOCKED:  # an object store may hold `a` beside `a/b`, a folder may not
            return unfinished.replace(folder / _short(name))
    finally:
        unfinished.unlink(missing_ok=True)
