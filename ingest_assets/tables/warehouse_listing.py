"""What lies under a table's location, whether the table names it or not.

By the file system of PyIceberg's FileIO, which has the warehouse's credentials.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow.fs as pafs
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO

from ingest_assets.maintenance_errors import MaintenanceRefusedError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:/", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True)
class ListedFile:
    """One file. `location` is what the FileIO calls it."""

    location: str
    size_bytes: int
    modified_at: datetime


def place(location: str) -> str:
    """The same for every way to write an address: `s3://b/k`, `s3a://b/k`, `file:/k`, `b//k`."""
    return _SLASHES.sub("/", _SCHEME.sub("", location)).strip("/")


def list_files(io: FileIO, location: str) -> Iterator[ListedFile]:
    """All files under the location that the FileIO finds by their address; none if there is none.

    PyIceberg takes what follows a `?` or `#` for no part of an address, and would delete another
    file than the one that is meant.

    Raises:
        MaintenanceRefusedError: the FileIO cannot list.
        OSError, pa.ArrowException: the warehouse is out of reach.
    """
    if isinstance(io, PyArrowFileIO):
        yield from _by_pyarrow(io, location)
        return
    get_fs = getattr(io, "get_fs", None)
    if get_fs is None or "://" not in location:
        raise MaintenanceRefusedError(
            f"{location} cannot be listed by {type(io).__name__}, so its orphans are not known. "
            "Nothing was deleted. Set py-io-impl of the catalog to pyiceberg.io.pyarrow."
            "PyArrowFileIO, or leave orphans out."
        )
    yield from _by_fsspec(get_fs(location.partition("://")[0]), location)


def _by_pyarrow(io: PyArrowFileIO, location: str) -> Iterator[ListedFile]:
    scheme, netloc, path = io.parse_location(location, io.properties)
    prefix = f"{scheme}://" if "://" in location else ""
    selector = pafs.FileSelector(path, allow_not_found=True, recursive=True)
    for info in io.fs_by_scheme(scheme, netloc).get_file_info(selector):
        if info.type != pafs.FileType.File or info.mtime is None:
            continue
        address = prefix + info.path
        if io.parse_location(address, io.properties)[2] == info.path:
            yield ListedFile(address, info.size or 0, info.mtime)


def _by_fsspec(system: Any, location: str) -> Iterator[ListedFile]:
    prefix = location.partition("://")[0] + "://"
    for path, info in system.find(location, detail=True).items():
        moment = next(info[k] for k in ("LastModified", "last_modified", "mtime") if k in info)
        if isinstance(moment, int | float):
            moment = datetime.fromtimestamp(moment, UTC)
        address = path if "://" in path else prefix + path
        if not {"?", "#"} & set(address):
            yield ListedFile(address, info["size"], moment)
