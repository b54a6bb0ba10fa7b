"""One `dev` or `demo` at a time on a home: two would run every sensor twice."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest_assets.errors import HomeInUseError
from ingest_assets.guard import try_lock


class HomeLock:
    """Held from `with` on; the kernel gives it back when the process dies, however it dies.

    What is written in `<home>/dev.lock` tells the next one who holds it.

    Raises:
        HomeInUseError: another process holds it; says which, and where its UI is.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock_fd = -1

    def __enter__(self) -> Self:
        self._home.mkdir(parents=True, exist_ok=True)
        path = self._home / "dev.lock"
        self._lock_fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(self._lock_fd, fcntl.LOCK_EX):
            os.close(self._lock_fd)
            raise HomeInUseError(
                f"Dagster runs on {self._home} already, started by {path.read_text().strip()}. "
                "Go there, or stop it first, or name another home with INGEST_HOME."
            )
        self._write(f"process {os.getpid()}")
        return self

    def announce(self, url: str) -> None:
        """The next one is told the address, too."""
        self._write(f"process {os.getpid()}, at {url}")

    def _write(self, holder: str) -> None:
        os.ftruncate(self._lock_fd, 0)
        os.pwrite(self._lock_fd, f"{holder}\n".encode(), 0)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock_fd)
