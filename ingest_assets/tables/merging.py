"""Write mode `merge`: one row a key, the newest; copy-on-write, in one snapshot.

The rows of the batch are in data files already. Their keys are looked for in the data files of the
table that may have them, of which only the columns of key and order are read; of each key the
newest row stays (`tables.contenders`). Data files with rows that leave are written again without
them, the batch's own too. So a row whose partition changes moves, because the old one leaves
wherever it is.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table

from ingest_assets.tables.contenders import (
    ARRIVAL,
    COMING,
    DELETED,
    PRESENT,
    Contenders,
    contenders,
)
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.deleted_keys import deletions_at, gather_small
from ingest_assets.tables.exchange import Exchange, Workplace, numbered, those, where, without
from ingest_assets.tables.key_ranges import files_with
from ingest_assets.tables.lineage import LINEAGE_NAMES
from ingest_assets.tables.replacement import is_in


@dataclass(frozen=True)
class Merge:
    """Of each key the newest row stays.

    A row whose `delete_column`, as text, is one of `delete_values` deletes its key.
    """

    key: tuple[str, ...]
    order_by: str | None = None
    delete_column: str | None = None
    delete_values: frozenset[str] = frozenset()

    def exchange(
        self,
        table: Table | None,
        staged: Sequence[DataFile],
        workplace: Workplace,
        leaving: tuple[str | None, Sequence[int]],
    ) -> Exchange:
        """What leaves and comes; `leaving` are rows that leave whatever their keys are.

        Costs the columns of the key in the data files that may have one, and those that do.
        """
        work = _Work(self, workplace, table, leaving)
        with contenders(self.key, self.order_by) as claims:
            work.judge(claims, [FileScanTask(file) for file in staged])
            return work.exchange(claims)


class _Work:
    def __init__(
        self,
        merge: Merge,
        workplace: Workplace,
        table: Table | None,
        leaving: tuple[str | None, Sequence[int]],
    ) -> None:
        self._merge = merge
        self._table = table
        self._leaving = leaving
        self._workplace = workplace
        self._reading = table or workplace.target.as_written
        self._schema = workplace.target.metadata.schema()
        self._staged: Sequence[FileScanTask] = ()
        self._present: list[FileScanTask] = []

    def judge(self, claims: Contenders, staged: Sequence[FileScanTask]) -> None:
        """Each row of the batch, and of the table for the same keys, stays or leaves."""
        self._staged = staged
        flags = {self._merge.delete_column} & set(self._schema.column_names)
        wanted = self._schema.select(*claims.columns, *filter(None, flags))
        for number, task in enumerate(staged):
            for start, rows in numbered(self._reading, task, wanted):
                claims.come(number, start, rows, self._deletes(rows))
        if not staged:
            return
        keys = claims.keys()
        present = self._schema.select(*claims.columns, "_file_id")
        if self._table is not None and set(self._merge.key) <= set(
            self._table.schema().column_names
        ):
            self._find(claims, keys, present)
        claims.judge()

    def _find(self, claims: Contenders, keys: pa.Table, present: Schema) -> None:
        table = self._table
        assert table is not None
        snapshot = table.current_snapshot()
        if snapshot is not None:
            self._present = list(files_with(table, snapshot.snapshot_id, keys))
        for number, task in enumerate(self._present):
            for start, rows in numbered(table, task, present):
                claims.are_there(PRESENT, number, start, rows, self._leave(rows))
        deleted = deletions_at(table)
        if deleted is not None:
            for number, task in enumerate(files_with(table, deleted, keys)):
                for start, rows in numbered(table, task, present):
                    claims.are_there(DELETED, number, start, rows)

    def _leave(self, rows: pa.Table) -> pa.ChunkedArray | None:
        """Rows that leave whatever their keys are, and overtake no other on their way."""
        column, ids = self._leaving
        if column is None or not ids:
            return None
        return pc.is_in(rows[column], pa.array(sorted(ids), pa.int64()))

    def _deletes(self, rows: pa.Table) -> pa.Array | pa.ChunkedArray:
        flag = self._merge.delete_column
        if flag is None or flag not in rows.column_names:
            return pa.repeat(pa.scalar(False), rows.num_rows)
        values = pa.array(sorted(self._merge.delete_values), pa.string())
        return pc.fill_null(pc.is_in(rows[flag].cast(pa.string()), values), False)

    def exchange(self, claims: Contenders) -> Exchange:
        """Data files written again without the rows that leave."""
        exchange = Exchange([], always=bool(self._staged))
        leaving = defaultdict[str, list[pa.Array]](list)
        tasks = {task.file.file_path: task for task in self._present}
        for task, positions in self._ids_leaving():
            tasks[task.file.file_path] = task
            leaving[task.file.file_path].append(positions)
        if self._staged:
            for number, positions in claims.leaving(PRESENT):
                leaving[self._present[number].file.file_path].append(positions)
        writer = self._workplace.writer()
        for path, found in leaving.items():
            gone = pc.unique(pa.concat_arrays(found))
            exchange.removed.append(tasks[path].file)
            exchange.removed_rows += len(gone)
            written = self._write_without(tasks[path], gone, writer)
            exchange.rewritten_rows += written
            exchange.rewritten_files += bool(written)
        lost = dict(claims.leaving(COMING)) if self._staged else {}
        for number, task in enumerate(self._staged):
            if number in lost:
                self._write_without(task, lost[number], writer)
                exchange.dropped.append(task.file.file_path)
        exchange.staged = [t.file for n, t in enumerate(self._staged) if n not in lost]
        exchange.added = writer.finish()
        if self._staged:
            self._note_deletions(claims, exchange)
        return exchange

    def _write_without(self, task: FileScanTask, gone: pa.Array, writer: DataFileWriter) -> int:
        if len(gone) == task.file.record_count and not task.delete_files:
            return 0
        count = 0
        for rows in without(self._reading, task, self._schema, gone):
            count += rows.num_rows
            writer.write(rows)
        return count

    def _ids_leaving(self) -> list[tuple[FileScanTask, pa.Array]]:
        """Rows of files that belong into another table."""
        column, ids = self._leaving
        table, found = self._table, list[tuple[FileScanTask, pa.Array]]()
        if table is None or column is None or not ids:
            return found
        if column not in table.schema().column_names:
            return found
        for task in table.scan(row_filter=is_in(column, ids)).plan_files():
            positions = where(table, task, table.schema().select(column), self._leave)
            if len(positions):
                found.append((task, positions))
        return found

    def _note_deletions(self, claims: Contenders, exchange: Exchange) -> None:
        noted = self._schema.select(
            *claims.columns, *(name for name in LINEAGE_NAMES if name not in ARRIVAL)
        )
        writer = None
        for number, positions in claims.deleting():
            writer = writer or self._workplace.writer()
            for rows in those(self._reading, self._staged[number], noted, positions):
                writer.write(rows)
        if writer is not None:
            exchange.deletions += writer.finish()
            if self._table is not None:
                gather_small(self._table, exchange, self._workplace)
