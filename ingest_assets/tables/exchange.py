"""What one commit takes out of a table and puts into it, worked out against one snapshot of it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table

from ingest_assets.errors import CatalogError
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.live_rows import live_rows
from ingest_assets.tables.replacement import Replacement
from ingest_assets.tables.target import Target


@dataclass
class Exchange:
    """Data files that go and those that come.

    `staged` are the batch's own that come as they are; `dropped` the addresses of those that do
    not, because rows of them were overtaken. `deletions` are rows for `tables.deleted_keys`, in
    whose place `old_deletions` leave. `always`: there is a snapshot, even one that changes nothing.
    """

    staged: Sequence[DataFile]
    removed: list[DataFile] = field(default_factory=list)
    added: list[DataFile] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    deletions: list[DataFile] = field(default_factory=list)
    old_deletions: list[DataFile] = field(default_factory=list)
    removed_rows: int = 0
    rewritten_rows: int = 0
    rewritten_files: int = 0
    always: bool = False

    @classmethod
    def of(cls, staged: Sequence[DataFile], replaced: Replacement) -> "Exchange":
        """All that was staged comes, in the place of what is replaced."""
        return cls(
            staged,
            replaced.removed,
            replaced.added,
            removed_rows=replaced.removed_rows,
            rewritten_rows=replaced.rewritten_rows,
            rewritten_files=len(replaced.removed) if replaced.rewritten_rows else 0,
        )


class Workplace:
    """The writers of one try to commit, which are discarded together if it fails."""

    def __init__(self, target: Target, name: str) -> None:
        self.target = target
        self._name = name
        self._writers: list[DataFileWriter] = []

    def writer(self) -> DataFileWriter:
        """One more; rows of main and of `tables.deleted_keys` never share one."""
        number = len(self._writers)
        name = f"{self._name}-{number}" if number else self._name
        self._writers.append(DataFileWriter(self.target, name))
        return self._writers[-1]

    def discard(self) -> None:
        """Nothing of it is left, as far as the warehouse lets us delete."""
        for writer in self._writers:
            with contextlib.suppress(CatalogError):  # then they are orphans
                writer.discard()


def numbered(table: Table, task: FileScanTask, schema: Schema) -> Iterator[tuple[int, pa.Table]]:
    """The live rows, with the number of the first of each part."""
    start = 0
    for rows in live_rows(table, task, schema):
        yield start, rows
        start += rows.num_rows


def without(
    table: Table, task: FileScanTask, schema: Schema, leaving: pa.Array
) -> Iterator[pa.Table]:
    """The live rows whose numbers (int64) are not among `leaving`."""
    for start, rows in numbered(table, task, schema):
        gone = pc.is_in(pa.arange(start, start + rows.num_rows), value_set=leaving)
        yield rows.filter(pc.invert(gone))


def those(table: Table, task: FileScanTask, schema: Schema, wanted: pa.Array) -> Iterator[pa.Table]:
    """The live rows whose numbers (int64) are among `wanted`."""
    for start, rows in numbered(table, task, schema):
        yield rows.filter(pc.is_in(pa.arange(start, start + rows.num_rows), value_set=wanted))


def where(
    table: Table, task: FileScanTask, schema: Schema, is_it: Callable[[pa.Table], pa.ChunkedArray]
) -> pa.Array:
    """The numbers of the live rows for which `is_it` says so, null counts as no."""
    found = [
        pa.table({"row": pa.arange(start, start + rows.num_rows)}).filter(is_it(rows))["row"]
        for start, rows in numbered(table, task, schema)
    ]
    chunks = [chunk for part in found for chunk in part.chunks]
    return pa.chunked_array(chunks, pa.int64()).combine_chunks()
