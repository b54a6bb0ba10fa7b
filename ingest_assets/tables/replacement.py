"""Rows of earlier contents leave a table: the data files that hold them are replaced.

Nothing is deleted in place. A data file with only such rows is dropped; one that is shared with
other source files is read as a stream and written again without them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import AlwaysFalse, BooleanExpression, In, Or
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table

from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.iceberg_types import to_arrow
from ingest_assets.tables.live_rows import live_rows

IDS_PER_FILTER = 200
"""An `In` with more values is not used for pruning by PyIceberg."""


@dataclass
class Replacement:
    """Data files that go, and those that come in their place."""

    removed: list[DataFile] = field(default_factory=list)
    added: list[DataFile] = field(default_factory=list)
    removed_rows: int = 0
    rewritten_rows: int = 0


def replace_rows(
    table: Table, column: str | None, values: Sequence[Any], writer: DataFileWriter
) -> Replacement:
    """The data files to exchange so that no row has one of `values` in `column`.

    Without a column all rows leave. Nothing is committed. Costs the manifests for values that the
    table never held.

    Raises:
        CatalogError: the warehouse is out of reach; `writer.paths` says what is left there.
    """
    replacement = Replacement()
    if column is None:
        with reachable(".".join(table.name())):
            replacement.removed = [task.file for task in table.scan().plan_files()]
        replacement.removed_rows = sum(file.record_count for file in replacement.removed)
        return replacement
    if not values or column not in table.schema().column_names:
        return replacement
    column_type = to_arrow(table.schema().find_field(column).field_type)
    wanted = pa.array(sorted(values)).cast(column_type)
    with reachable(".".join(table.name())):
        tasks = list(table.scan(row_filter=is_in(column, values)).plan_files())
        for task in tasks:
            _replace_in(table, task, column, wanted, writer, replacement)
        replacement.added = writer.finish() if replacement.rewritten_rows else []
    return replacement


def _replace_in(
    table: Table,
    task: FileScanTask,
    column: str,
    wanted: pa.Array,
    writer: DataFileWriter,
    replacement: Replacement,
) -> None:
    leaving = sum(
        pc.sum(pc.is_in(rows[column], wanted)).as_py() or 0
        for rows in live_rows(table, task, table.schema().select(column))
    )
    if not leaving:
        return
    replacement.removed.append(task.file)
    replacement.removed_rows += leaving
    if leaving == task.file.record_count and not task.delete_files:
        return
    for rows in live_rows(table, task, table.schema()):
        staying = rows.filter(pc.invert(pc.fill_null(pc.is_in(rows[column], wanted), False)))
        writer.write(staying)
        replacement.rewritten_rows += staying.num_rows


def is_in(column: str, values: Iterable[Any]) -> BooleanExpression:
    """`column IN values`, in parts that PyIceberg uses for pruning."""
    ordered = sorted(set(values))
    parts: list[BooleanExpression] = [
        # mypy takes the signature of pydantic's, not of `In.__new__`.
        In(column, ordered[start : start + IDS_PER_FILTER])  # type: ignore[call-arg, arg-type]
        for start in range(0, len(ordered), IDS_PER_FILTER)
    ]
    match parts:
        case []:
            return AlwaysFalse()
        case [part]:
            return part
    return Or(*parts)
