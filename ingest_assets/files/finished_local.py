"""Files of this machine whose rows are certain: moved or deleted, if they are what was ingested."""

import errno
import filecmp
import os
import shutil
from pathlib import Path

from ingest_assets.declaration.source import Source
from ingest_assets.errors import ObjectStoreError, SourceChangedError
from ingest_assets.files.finished_object import FinishedObject, ObjectState, names_for, taken
from ingest_assets.files.local_files import etag_of
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store_errors import explained

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP)
"""What file systems say that cannot have a file under the other name too."""


class LocalFinishing:
    """The files of one source. Between the last look at a file and its end lie microseconds."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def tag(self, file: SourceFile) -> FinishedObject:
        """Refused where the declaration is read: files have no tags."""
        raise AssertionError(f"{file.uri} cannot be tagged")

    def move(self, file: SourceFile, to: Source) -> FinishedObject:
        """The content is in `to`, whole, and then no longer in the source. Nothing is overwritten.

        Within one file system it is the same file with its times; else a copy. A file that has left
        the source is looked for as on S3.
        """
        path = _path(self._source, file.key)
        allow = f"this process to write to {path.parent} and to {to.uri}"
        with explained(file.uri, doing="moved", allow=allow):
            if not _is_there(path, file):
                return _moved_before(file, to) or self._gone()
            for name in names_for(file):
                target = _path(to, name)
                if not target.exists():
                    _bring(path, target, file)
                elif not filecmp.cmp(path, target, shallow=False):
                    continue
                if _is_there(path, file):
                    path.unlink()
                return _moved(target)
        return taken(file, to)

    def delete(self, file: SourceFile) -> FinishedObject:
        """The file is gone; of a link, the link."""
        path = _path(self._source, file.key)
        with explained(file.uri, doing="deleted", allow=f"this process to write to {path.parent}"):
            if not _is_there(path, file):
                return self._gone()
            path.unlink()
        return FinishedObject(ObjectState.DELETED)

    def _gone(self) -> FinishedObject:
        folder = _path(self._source, "")
        if not folder.is_dir():
            raise ObjectStoreError(
                f"The folder {folder} does not exist, so nothing was done with its files. Check "
                "source.uri, and that the folder is mounted."
            )
        return FinishedObject(ObjectState.GONE)


def _path(source: Source, key: str) -> Path:
    return Path("/", source.prefix + key)


def _is_there(path: Path, file: SourceFile) -> bool:
    """False when it is gone.

    Raises:
        SourceChangedError: another content is there.
    """
    try:
        found = etag_of(path.stat())
    except FileNotFoundError:
        return False
    if found != file.etag:
        raise SourceChangedError(
            f"{file.uri} was replaced by other content since it was listed; it was left alone. The "
            "next listing finds what is there now."
        )
    return True


def _bring(path: Path, target: Path, file: SourceFile) -> None:
    """The content is at `target` too, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path.resolve(), target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        part = target.with_name(f".{target.name}.part")
        with path.open("rb") as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        shutil.copystat(path, part)
        part.replace(target)
    try:
        _is_there(path, file)
    except SourceChangedError:
        target.unlink()
        raise


def _moved_before(file: SourceFile, to: Source) -> FinishedObject | None:
    """Where an earlier call moved it. What has its plain name may be an older content."""
    plain, with_etag = (_path(to, name) for name in names_for(file))
    if with_etag.exists() and with_etag.stat().st_size == file.size_bytes:
        return _moved(with_etag)
    if plain.exists() and etag_of(plain.stat()) == file.etag:
        return _moved(plain)
    return None


def _moved(target: Path) -> FinishedObject:
    return FinishedObject(ObjectState.MOVED, f"file://{target}", etag_of(target.stat()))
