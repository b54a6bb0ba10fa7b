"""Write mode `overwrite`: the table, or each partition, has the rows of the newest picture.

A picture is a file, or all files of one folder. Files are in the order of their arrival, folders
in that of their names. Which is the newest is told by the rows themselves, those of the batch and
those of the table, so it does not matter how files were put into batches, or how these follow.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.typedef import Record

from ingest_assets.errors import TableOwnershipError
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.exchange import Exchange, Workplace, numbered, where, without
from ingest_assets.tables.lineage import MODIFIED_AT

_SOURCE = ("_file_id", "_source_file", MODIFIED_AT.name)
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
Order = tuple[Any, ...]


@dataclass(frozen=True)
class Source:
    """One content of one file, as its rows tell; rows that an ingestion never wrote have none."""

    file_id: int | None
    uri: str | None
    modified_at: datetime | None


@dataclass(frozen=True)
class Overwrite:
    """What is overwritten is `by_partition` or the whole table; a picture is a file or a folder."""

    by_partition: bool = False
    by_folder: bool = False

    def order(self, source: Source) -> Order:
        """The place of a file's picture among all; what has no file is older than all files."""
        uri = source.uri or ""
        if self.by_folder:
            return (uri.rpartition("/")[0].encode(),)
        return source.modified_at or _NEVER, uri.encode()

    def exchange(
        self,
        table: Table | None,
        staged: Sequence[DataFile],
        workplace: Workplace,
        leaving: tuple[str | None, Sequence[Any]],
    ) -> Exchange:
        """What leaves and comes; `leaving` are rows that leave in any case.

        Costs three columns of what may be overwritten.

        Raises:
            TableOwnershipError: a data file is of another partition spec.
        """
        work = _Work(self, workplace, table, frozenset(leaving[1]))
        work.read_staged(staged)
        return work.exchange()

    def newest(self, table: Table) -> tuple[Order, Source] | None:
        """The place of the picture that the table has, and a file of it; None if it has no rows."""
        columns = _columns_in(table.schema())
        found = [
            (self.order(source), source)
            for task in table.scan().plan_files()
            for _, rows in numbered(table, task, columns)
            for source in _sources(rows)
        ]
        return max(found, key=lambda pair: pair[0], default=None)


class _Work:
    def __init__(
        self,
        mode: Overwrite,
        workplace: Workplace,
        table: Table | None,
        routed: frozenset[int | None],
    ) -> None:
        self._mode = mode
        self._routed = routed
        self._table = table
        self._workplace = workplace
        self._reading = table or workplace.target.as_written
        self._schema = workplace.target.metadata.schema()
        self._columns = _columns_in(self._schema)
        self._staged: list[tuple[DataFile, set[Source]]] = []
        self._coming = defaultdict[Record | None, set[Source]](set)
        self._newest: dict[Record | None, Order] = {}

    def read_staged(self, staged: Sequence[DataFile]) -> None:
        """The sources of the batch's rows are known, by what they overwrite."""
        for file in staged:
            sources = self._sources_of(FileScanTask(file))
            self._staged.append((file, sources))
            self._coming[self._scope(file)] |= sources
        for scope, sources in self._coming.items():
            self._newest[scope] = max(map(self._mode.order, sources))

    def _scope(self, file: DataFile) -> Record | None:
        return file.partition if self._mode.by_partition else None

    def _sources_of(self, task: FileScanTask) -> set[Source]:
        found = set[Source]()
        for _, rows in numbered(self._reading, task, self._columns):
            found |= _sources(rows)
        return found

    def exchange(self) -> Exchange:
        """Data files that leave whole, and those that are written again without some rows."""
        exchange = Exchange([], always=bool(self._staged))
        writer, there = self._workplace.writer(), list(self._overwritten())
        for task, sources in there:
            scope = self._scope(task.file)
            if scope in self._coming:
                newest = max(map(self._mode.order, sources))
                self._newest[scope] = max(newest, self._newest[scope])
        for task, sources in there:
            gone = sources - self._staying(self._scope(task.file), sources)
            if gone:
                self._take_out(task, gone, sources, writer, exchange)
        self._keep_staged(writer, exchange)
        exchange.added = writer.finish()
        return exchange

    def _staying(self, scope: Record | None, sources: set[Source]) -> set[Source]:
        """Those of the table's sources whose rows stay there."""
        staying = {source for source in sources if source.file_id not in self._routed}
        if scope not in self._coming:
            return staying
        newest = self._newest[scope]
        coming = {s.file_id for s in self._coming[scope] if self._mode.order(s) == newest}
        return {
            source
            for source in staying
            if self._mode.order(source) == newest and source.file_id not in coming
        }

    def _keep_staged(self, writer: DataFileWriter, exchange: Exchange) -> None:
        for file, sources in self._staged:
            newest = self._newest[self._scope(file)]
            lost = {source for source in sources if self._mode.order(source) != newest}
            if not lost:
                exchange.staged = [*exchange.staged, file]
                continue
            exchange.dropped.append(file.file_path)
            if lost != sources:
                self._write_without(FileScanTask(file), lost, writer)

    def _take_out(
        self,
        task: FileScanTask,
        gone: set[Source],
        sources: set[Source],
        writer: DataFileWriter,
        exchange: Exchange,
    ) -> None:
        exchange.removed.append(task.file)
        written = 0 if gone == sources else self._write_without(task, gone, writer)
        exchange.removed_rows += task.file.record_count - written
        exchange.rewritten_rows += written
        exchange.rewritten_files += bool(written)

    def _write_without(self, task: FileScanTask, gone: set[Source], writer: DataFileWriter) -> int:
        count = 0
        leaving = where(self._reading, task, self._columns, lambda rows: _is_of(rows, gone))
        for rows in without(self._reading, task, self._schema, leaving):
            count += rows.num_rows
            writer.write(rows)
        return count

    def _overwritten(self) -> Iterator[tuple[FileScanTask, set[Source]]]:
        """The data files of the table in what the batch overwrites, and whose rows they have."""
        table = self._table
        if table is None:
            return
        for task in table.scan().plan_files():
            if self._mode.by_partition:
                _check_spec(table, task.file)
            if self._routed or self._scope(task.file) in self._coming:
                yield task, self._sources_of(task)


def _check_spec(table: Table, file: DataFile) -> None:
    if file.spec_id != table.metadata.default_spec_id:
        name = ".".join(table.name())
        raise TableOwnershipError(
            f"{name} has the data file {file.file_path}, which is partitioned otherwise than the "
            "table is now, so nobody can tell which of its rows table.overwrite_scope: partitions "
            "overwrites. Nothing was written. Have its engine rewrite the data files, or write "
            "overwrite_scope: table."
        )


def _columns_in(schema: Schema) -> Schema:
    return schema.select(*(name for name in _SOURCE if name in schema.column_names))


def _whole(rows: pa.Table) -> pa.Table:
    """The rows with all columns of a source; a table that was appended to lacks the moment."""
    for name in _SOURCE:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows))
    return rows


def _sources(rows: pa.Table) -> set[Source]:
    groups = _whole(rows).group_by(list(_SOURCE)).aggregate([])
    return {
        Source(row["_file_id"], row["_source_file"], row[MODIFIED_AT.name])
        for row in groups.to_pylist()
    }


def _is_of(rows: pa.Table, sources: set[Source]) -> Any:
    """Of each row whether one of the sources has it."""
    rows, found = _whole(rows), pa.repeat(pa.scalar(False), rows.num_rows)
    file_ids, moments = rows["_file_id"], rows[MODIFIED_AT.name]
    for source in sources:
        is_it = pc.and_(_equals(file_ids, source.file_id), _equals(moments, source.modified_at))
        found = pc.or_(found, is_it)
    return found


def _equals(values: pa.ChunkedArray, value: Any) -> pa.ChunkedArray:
    if value is None:
        return pc.is_null(values)
    return pc.fill_null(pc.equal(values, pa.scalar(value, values.type)), False)
