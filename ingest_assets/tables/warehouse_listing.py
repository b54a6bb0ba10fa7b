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

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True)
class ListedFile:
    """One file. `location` is what the FileIO calls it."""

    location: str
    size_bytes: int
    modified_at: datetime


def place(location: str) -> str:
    """The same for every way to write an address: `s3://b/k`, `s3a://b/k`, `b//k`."""
    return _SLASHES.sub("/", _SCHEME.sub("", location)).strip("/")


def list_files(io: FileIO, location: str) -> Iterator[ListedFile]:
    """All files under the location; none if there is nothing.

    Raises:
        MaintenanceRefusedError: the FileIO cannot list.
        OSError, pa.ArrowException: the warehouse is out of reach.
    """
    scheme = found[0] if (found := _SCHEME.match(location)) else ""
    if isinstance(io, PyArrowFileIO):
        name, netloc, path = io.parse_location(location, io.properties)
        yield from _by_pyarrow(io.fs_by_scheme(name, netloc), path, scheme)
        return
    get_fs = getattr(io, "get_fs", None)
    if get_fs is None:
        raise MaintenanceRefusedError(
            f"{location} cannot be listed by {type(io).__name__}, so its orphans are not known. "
            "Nothing was deleted. Set py-io-impl of the catalog to pyiceberg.io.pyarrow."
            "PyArrowFileIO, or leave orphans out."
        )
    yield from _by_fsspec(get_fs(scheme.removesuffix("://") or "file"), location, scheme)


def _by_pyarrow(system: pafs.FileSystem, path: str, scheme: str) -> Iterator[ListedFile]:
    """Folder by folder, so that no more than one is in memory."""
    folders = [path]
    while folders:
        selector = pafs.FileSelector(folders.pop(), allow_not_found=True, recursive=False)
        for info in system.get_file_info(selector):
            if info.type == pafs.FileType.Directory:
                folders.append(info.path)
            elif info.mtime is not None:
                yield ListedFile(scheme + info.path, info.size or 0, info.mtime)


def _by_fsspec(system: Any, location: str, scheme: str) -> Iterator[ListedFile]:
    found = system.find(location, detail=True)
    for path, info in found.items():
        moment = next(info[k] for k in ("LastModified", "last_modified", "mtime") if k in info)
        if isinstance(moment, int | float):
            moment = datetime.fromtimestamp(moment, UTC)
        full = path if _SCHEME.match(path) else scheme + path
        yield ListedFile(full, info["size"], moment)
