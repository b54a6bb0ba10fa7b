"""Files of a folder on this machine, told of as an object store would.

The standard library does it, because obstore's listing fails as a whole on one name with a control
character, and is silent about a folder that does not exist.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from ingest_assets.errors import ObjectStoreError, SourceChangedError
from ingest_assets.files.source_file import SourceFile


class LocalFiles:
    """The regular files below `folder`; links are followed, each folder is entered once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> list[SourceFile]:
        """Every file, in key order (UTF-8 bytes).

        Raises:
            ObjectStoreError: the folder, or one below it, does not exist or may not be read.
        """
        found = list(self._below(self._folder, set()))
        return sorted(found, key=lambda file: os.fsencode(file.key))

    def some(self, count: int) -> list[SourceFile]:
        """So many files at most, in no order; folders are looked into until they are found.

        Raises:
            ObjectStoreError: as `files`, for the folders that were looked into.
        """
        return list(islice(self._below(self._folder, set()), count))

    def _below(self, folder: Path, entered: set[tuple[int, int]]) -> Iterator[SourceFile]:
        with _explained(folder):
            place = folder.stat()
            paths = list(folder.iterdir())
        if (place.st_dev, place.st_ino) in entered:
            return
        entered.add((place.st_dev, place.st_ino))
        for path in paths:
            status = _status(path)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                yield from self._below(path, entered)
            elif stat.S_ISREG(status.st_mode):
                yield self._file(path, status)

    def _file(self, path: Path, status: os.stat_result) -> SourceFile:
        key = path.relative_to(self._folder).as_posix()
        moment = datetime.fromtimestamp(status.st_mtime, UTC)
        return SourceFile(key, f"file://{path}", status.st_size, etag_of(status), moment)

    def read(self, file: SourceFile, start: int, end: int) -> bytes:
        """The bytes of the file at its etag from `start` to `end`.

        Raises:
            SourceChangedError: the file is another one by now, or was written to meanwhile.
            FileNotFoundError: it is gone.
        """
        with (self._folder / file.key).open("rb") as opened:
            opened.seek(start)
            data = opened.read(end - start)
            if etag_of(os.fstat(opened.fileno())) != file.etag:
                raise SourceChangedError(
                    f"{file.uri} was replaced by other content since it was listed; nothing of it "
                    "was used. The next listing finds what is there now."
                )
        return data


def _status(path: Path) -> os.stat_result | None:
    """None for what is gone by now, and for a link that leads nowhere."""
    try:
        return path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return None
        raise


def etag_of(status: os.stat_result) -> str:
    """What stands for the content of a local file: another one after each write."""
    return f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ObjectStoreError(
            f"The folder {folder} cannot be listed ({error.strerror}). Check source.uri, and that "
            "this process may read the folder."
        ) from error
