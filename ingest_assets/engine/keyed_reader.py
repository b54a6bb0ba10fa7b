"""Files that are merged by a key: each row has it, or is rejected; each file has its columns."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.declaration.table import Table
from ingest_assets.declaration.write_mode_problems import why_no_key
from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.chunk import (
    RESCUED_DATA,
    SOURCE_ROW,
    Chunk,
    Stumbled,
    rejected_table,
)
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import Reader
from ingest_assets.files.reading.together import Together
from ingest_assets.schema.column import Columns
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.types import format_type
from ingest_assets.schema.value_text import raw_row


class MergeColumnError(FileContentError):
    """The file lacks a column that rows are merged by, or has it with a type that has no order."""


def keyed(reader: Reader, table: Table) -> Reader:
    """The reader, for the table's write mode: itself, unless rows are merged."""
    return _KeyedReader(reader, table) if table.write_mode == "merge" else reader


class _KeyedReader:
    def __init__(self, reader: Reader, table: Table) -> None:
        self._reader = reader
        self._key = table.primary_key
        self._order_by = table.order_by
        self._named = table.named_columns
        self._fields = [pair for pair in self._named if pair[0] != "delete_when"]

    def read_fast(
        self, content: Content, columns: Columns, *, is_first: bool = False
    ) -> Iterator[Chunk]:
        """As of any reader; a row without a key, or no order, is for the careful path to judge."""
        self._check_types(content.name, columns)
        for chunk in self._reader.read_fast(content, columns, is_first=is_first):
            self._refuse_gaps(chunk.rows)
            yield chunk

    def read_together(self, contents: Sequence[Content], columns: Columns) -> Together:
        """As of any reader."""
        self._check_types(contents[0].name, columns)
        read = self._reader.read_together(contents, columns)
        start = 0
        for count in read.counts:
            self._refuse_gaps(read.rows.slice(start, count))
            start += count
        return read

    def _refuse_gaps(self, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        if any(name not in rows.column_names for _, name in self._fields):
            raise Stumbled
        if any(rows[name].null_count for name in self._key):
            raise Stumbled
        if self._order_by is not None and rows[self._order_by].null_count == rows.num_rows:
            raise Stumbled

    def observe(self, content: Content, columns: Columns | None) -> Observed:
        """As of any reader.

        Raises:
            MergeColumnError: the file lacks a column of the key, or the one of the order.
        """
        observed = self._reader.observe(content, columns)
        names = {column.name for column in observed.columns}
        for field, name in self._fields:
            if observed.record_count and name not in names:
                raise MergeColumnError(
                    f"{content.name} has no column {name}, which table.{field} names, or no value "
                    f"in it (it has {', '.join(sorted(names))}). Nothing of the file was written."
                )
        self._check_types(content.name, observed.columns)
        return observed

    def observe_beginning(self, content: Content) -> Observed | None:
        """As of any reader; what the beginning lacks, the whole may have."""
        observed = self._reader.observe_beginning(content)
        if observed is None:
            return None
        names = {column.name for column in observed.columns}
        return observed if all(name in names for _, name in self._fields) else None

    def _check_types(self, file: str, columns: Columns) -> None:
        types = {column.name: column.type for column in columns}
        for field, name in self._named:
            type_ = types.get(name, pa.int64())
            why = why_no_key(type_) if field == "primary_key" else None
            if field != "primary_key" and pa.types.is_nested(type_):
                why = "a nested value cannot be compared; name a column with a plain value"
            if why is not None:
                raise MergeColumnError(
                    f"The column {name} of {file}, which table.{field} names, is a "
                    f"{format_type(type_)}; {why}. Nothing of the file was written."
                )

    def read_careful(
        self, content: Content, columns: Columns, *, ignored: frozenset[str] = frozenset()
    ) -> Iterator[Chunk]:
        """As of any reader; rows without a key are rejected."""
        self._check_types(content.name, columns)
        for chunk in self._reader.read_careful(content, columns, ignored=ignored):
            yield self._screened(content.name, chunk)

    def _screened(self, file: str, chunk: Chunk) -> Chunk:
        rows, gaps = chunk.rows, None
        for field, name in self._fields:
            if rows.num_rows and name not in rows.column_names:
                raise MergeColumnError(
                    f"The table has no column {name}, which table.{field} names, and by "
                    f"schema.on_new_column {file} does not bring it. Nothing of the file was "
                    "written. Declare the column, or let on_new_column merge it."
                )
        for name in self._key:
            if rows.num_rows and rows[name].null_count:
                missing = pc.is_null(rows[name])
                gaps = missing if gaps is None else pc.or_(gaps, missing)
        if gaps is None:
            return chunk
        found = [self._rejection(row) for row in rows.filter(gaps).to_pylist()]
        rejected = pa.concat_tables([chunk.rejected, rejected_table(found)])
        return Chunk(rows.filter(pc.invert(gaps)), rejected, chunk.taken)

    def _rejection(self, row: dict[str, object]) -> tuple[int, bytes, str]:
        number = row.pop(SOURCE_ROW)
        assert isinstance(number, int)
        empty = [name for name in self._key if row[name] is None]
        rescued = f"; {row[RESCUED_DATA]} did not fit" if row[RESCUED_DATA] else ""
        return number, raw_row(row), f"null in the primary key: {', '.join(empty)}{rescued}"
