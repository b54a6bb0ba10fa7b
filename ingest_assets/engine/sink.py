"""Data files of one table on the way to one commit."""

import contextlib
from collections.abc import Sequence

from ingest_assets.errors import CatalogError
from ingest_assets.tables.commit import Mode, Prepared
from ingest_assets.tables.data_files import DataFile, DataFileWriter
from ingest_assets.tables.target import Target


class Sink:
    """Data files of one table, shared by the small files of a batch."""

    def __init__(self, target: Target, name: str) -> None:
        self.target = target
        self._name = name
        self._number = 0
        self._shared: DataFileWriter | None = None
        self._writers: list[DataFileWriter] = []
        self._from_elsewhere: list[DataFile] = []

    def own(self) -> DataFileWriter:
        self._number += 1
        return DataFileWriter(self.target, f"{self._name}-{self._number}")

    def shared(self) -> DataFileWriter:
        """The writer of the table's newest schema; a file that adds a column begins a new one."""
        if self._shared is None or not self._shared.is_current:
            if self._shared is not None:
                self._shared.finish()
            self._shared = self.own()
            self._writers.append(self._shared)
        return self._shared

    def take(self, own: DataFileWriter | None) -> None:
        """The writer of one large file belongs to the batch now."""
        if own is not None:
            own.finish()
            self._writers.append(own)

    def take_written(self, data_files: Sequence[DataFile]) -> None:
        """Data files that another process wrote for the table belong to the batch now."""
        self._from_elsewhere += data_files

    def written(self) -> list[DataFile]:
        """Every row is in a closed data file; these are they."""
        own = [data_file for writer in self._writers for data_file in writer.finish()]
        return [*own, *self._from_elsewhere]

    def discard(self) -> None:
        """What was written is deleted, as far as the warehouse lets us; no snapshot may name it."""
        for writer in self._writers:
            with contextlib.suppress(CatalogError):
                writer.discard()

    def prepared(
        self, batch_id: str, column: str, ids: list[int], mode: Mode | None = None
    ) -> Prepared | None:
        """What is to be committed; rows with one of `ids` in `column` leave. None for nothing."""
        data_files = self.written()
        if not data_files and (self.target.base is None or not ids):
            return None
        return Prepared(batch_id, self.target, data_files, column, ids, mode)
