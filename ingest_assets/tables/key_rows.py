"""A few columns of a table's live rows, read data file by data file, each at most once."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import compress
from operator import not_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from pyiceberg.catalog import Catalog
from pyiceberg.conversions import from_bytes
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import PrimitiveType

from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.iceberg_types import arrow_file_schema
from ingest_assets.tables.live_rows import live_rows
from ingest_assets.tables.target import load_or_none


class KeyRows:
    """The rows of one table as it was loaded, of which only `columns` are read.

    `names` are the table's columns; those of `columns` that it lacks are not read.
    """

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self.identifier = ".".join(table.name())
        self.names = list(table.schema().column_names)
        self._table = table
        there = [name for name in columns if name in self.names]
        self._schema = table.schema().select(*there) if there else None
        self._unread: list[FileScanTask] | None = None
        self._first = columns[0]

    def type_of(self, column: str) -> pa.DataType:
        """The Arrow type of one of the columns."""
        return arrow_file_schema(self._table.schema().select(column)).field(0).type

    def near(self, values: pa.ChunkedArray) -> Iterator[pa.Table]:
        """The rows that were not read yet of each data file that may have one of the values.

        They are values of the first column. Files whose least and greatest value say otherwise are
        left unread.

        Raises:
            CatalogError: the catalog or the warehouse is out of reach.
        """
        if self._schema is None:
            return
        with reachable(self.identifier):
            if self._unread is None:
                self._unread = list(self._table.scan().plan_files())
            ends = _ends(values)
            is_near = [self._may_have(task, ends) for task in self._unread]
            waiting, self._unread = self._unread, list(compress(self._unread, map(not_, is_near)))
            for task in compress(waiting, is_near):
                yield from live_rows(self._table, task, self._schema)

    def _may_have(self, task: FileScanTask, ends: tuple[Any, Any] | None) -> bool:
        if ends is None:
            return True
        field = self._table.schema().find_field(self._first)
        low = _bound(task.file.lower_bounds, field.field_id, field.field_type)
        high = _bound(task.file.upper_bounds, field.field_id, field.field_type)
        return low is None or high is None or (low <= ends[1] and ends[0] <= high)


def key_rows(catalog: Catalog, identifier: str, columns: Sequence[str]) -> KeyRows | None:
    """The rows of the table as it is now; None when there is none.

    Raises:
        CatalogError: the catalog is out of reach.
    """
    with reachable(identifier):
        table = load_or_none(catalog, identifier)
    return None if table is None else KeyRows(table, columns)


def _ends(values: pa.ChunkedArray) -> tuple[Any, Any] | None:
    """The least and the greatest, as Iceberg's bounds have them; None where they say nothing."""
    if pt.is_date32(values.type):
        values = values.cast(pa.int32())
    elif pt.is_timestamp(values.type) and values.type.unit == "us":
        values = values.cast(pa.int64())
    elif not (pt.is_integer(values.type) or pt.is_string(values.type)):
        return None
    found = pc.min_max(values)
    low, high = found["min"].as_py(), found["max"].as_py()
    return None if low is None else (low, high)


def _bound(bounds: dict[int, bytes] | None, field_id: int, type_: Any) -> Any:
    """None where there is none, or one of the type that the column had before."""
    raw = (bounds or {}).get(field_id)
    if raw is None or not isinstance(type_, PrimitiveType):
        return None
    with suppress(ValueError, struct.error):
        return from_bytes(type_, raw)
    return None
