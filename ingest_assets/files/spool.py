"""A local copy of a large object, read by any number of streams, gone when nobody holds it."""

import io
import os
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO, cast


class Spool:
    """An unlinked temporary file in `folder`: a process that dies leaves nothing behind."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            self._descriptor = os.dup(file.fileno())
        # The streams hold the spool, and whoever reads holds a stream: the last one closes.
        weakref.finalize(self, os.close, self._descriptor)

    def append(self, data: bytes) -> None:
        """The bytes follow what was appended before."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def open(self) -> BinaryIO:
        """A new stream from the beginning, with a position of its own."""
        return cast(BinaryIO, io.BufferedReader(_Stream(self), 1024**2))

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`."""
        return os.pread(self._descriptor, size, offset)

    @property
    def size_bytes(self) -> int:
        """How much was appended."""
        return os.fstat(self._descriptor).st_size


class _Stream(io.RawIOBase):
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._spool.size_bytes}
        self._position = base[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._spool.read_at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
