"""Rows of one file on their way into data files: held back until the file is known to be good."""

import contextlib
from collections.abc import Callable

import pyarrow as pa

from ingest_assets.errors import CatalogError
from ingest_assets.tables.data_files import DataFileWriter

IN_MEMORY_BYTES = 32 * 1024**2
"""Arrow bytes of one file up to which its rows wait in memory and share data files with others."""


class Gathered:
    """The rows of one file. A large file goes to data files of its own as it streams."""

    def __init__(self, own_writer: Callable[[], DataFileWriter]) -> None:
        self._own_writer = own_writer
        self._tables: list[pa.Table] = []
        self._bytes = 0
        self._own: DataFileWriter | None = None
        self.row_count = 0

    def add(self, rows: pa.Table) -> None:
        """The rows follow those added before."""
        self.row_count += rows.num_rows
        if self._own is not None:
            self._own.write(rows)
            return
        self._tables.append(rows)
        self._bytes += rows.nbytes
        if self._bytes > IN_MEMORY_BYTES:
            self._own = self._own_writer()
            self._write_to(self._own)

    def keep(self, shared: Callable[[], DataFileWriter]) -> DataFileWriter | None:
        """The rows are with `shared`, or in the file's own writer, which is returned."""
        if self._own is None and self._tables:
            self._write_to(shared())
        return self._own

    def finish_own(self) -> None:
        """The file's own data files, if it has any, are closed."""
        if self._own is not None:
            self._own.finish()

    def drop(self) -> None:
        """Nothing of the file is left, as far as the warehouse lets us delete."""
        self._tables = []
        if self._own is not None:
            with contextlib.suppress(CatalogError):
                self._own.discard()

    def _write_to(self, writer: DataFileWriter) -> None:
        writer.write(*self._tables)
        self._tables = []
