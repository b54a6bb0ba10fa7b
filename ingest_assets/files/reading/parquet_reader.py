"""Parquet: by column, in batches of row groups; `_source_row` is the row's number, from 1."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingest_assets.files.reading.chunk import Chunk, Stumbled, rejected_table, rows_schema
from ingest_assets.files.reading.compression import codec_of
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.parquet_columns import (
    FileColumn,
    cast_whole,
    file_columns,
    fit_each,
)
from ingest_assets.files.reading.parquet_file import open_parquet
from ingest_assets.files.reading.together import Together, one_after_another
from ingest_assets.schema.column import Columns, accepts_any, nested_field
from ingest_assets.schema.judged import judged_columns
from ingest_assets.schema.judged_types import judged_type
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.value_text import text_of

_BATCH_BYTES = 16 * 1024**2
_MAX_BATCH_ROWS = 131_072


class ParquetReader:
    """No options."""

    def read_fast(self, content: Content, columns: Columns) -> Iterator[Chunk]:
        """The rows of a file whose columns cast to `columns` without a change of any value.

        Raises:
            Stumbled: one does not, or is in no column, or a required column is absent.
        """
        with open_parquet(content) as file:
            if file is None:
                return
            found = file_columns(file.schema_arrow, columns)
            names = {column.name for column in found if column.expected is not None}
            if file.metadata.num_rows and any(
                c.is_required and c.name not in names for c in columns
            ):
                raise Stumbled
            for first_row, batch in _batches(file):
                yield _chunk(columns, found, batch, first_row, None)

    def read_together(self, contents: Sequence[Content], columns: Columns) -> Together:
        """The rows of several small files, one after another."""
        return one_after_another(self.read_fast, contents, columns)

    def observe(self, content: Content, columns: Columns | None) -> Observed:
        """The file's schema, as it declares it, judged against `columns`."""
        known = columns or ()
        with open_parquet(content) as file:
            if file is None:
                return Observed((), 0, {"format": "parquet"})
            found = file_columns(file.schema_arrow, known)
            fields = {}
            for column in found:
                type_ = _judged(file, column)
                if type_ is not None:
                    fields[column.name] = nested_field(
                        column.name, type_, source_name=column.spelled
                    )
            order = dict.fromkeys([*(c.name for c in known if c.name in fields), *fields])
            return Observed(
                judged_columns([fields[name] for name in order], known),
                file.metadata.num_rows,
                {
                    "format": "parquet",
                    "compression": codec_of(content),
                    "row_groups": file.metadata.num_row_groups,
                },
                frozenset(column.name for column in found),
            )

    def read_careful(
        self, content: Content, columns: Columns, *, ignored: frozenset[str] = frozenset()
    ) -> Iterator[Chunk]:
        """All rows, with the values that do not fit rescued."""
        with open_parquet(content) as file:
            if file is None:
                return
            found = file_columns(file.schema_arrow, columns)
            for first_row, batch in _batches(file):
                yield _chunk(columns, found, batch, first_row, ignored)


def _batches(
    file: pq.ParquetFile, names: list[str] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of about `_BATCH_BYTES`, each with the number of its first row."""
    rows = max(1, file.metadata.num_rows)
    size_bytes = sum(
        file.metadata.row_group(index).total_byte_size
        for index in range(file.metadata.num_row_groups)
    )
    batch_rows = max(1, min(_MAX_BATCH_ROWS, rows * _BATCH_BYTES // max(1, size_bytes)))
    first_row = 1
    for batch in file.iter_batches(batch_size=batch_rows, columns=names, use_threads=False):
        if batch.num_rows:
            yield first_row, batch
            first_row += batch.num_rows


def _judged(file: pq.ParquetFile, column: FileColumn) -> pa.DataType | None:
    """The type that the column has for the table; None when it says nothing of a new one."""
    if column.expected is None or column.own is None:
        return column.own if column.expected is None else column.expected.type
    expected = column.expected.type
    judged = judged_type(expected, column.own, takes_any=accepts_any(column.expected))
    if judged is not None:
        return judged
    misfits = count = 0
    for _, batch in _batches(file, [column.spelled]):
        array = batch.column(0)
        count += len(array) - array.null_count
        if cast_whole(array, expected) is None:
            misfits += len(fit_each(column, array)[1])
    return column.own if misfits * 2 > count else expected


def _chunk(
    columns: Columns,
    found: list[FileColumn],
    batch: pa.RecordBatch,
    first_row: int,
    ignored: frozenset[str] | None,
) -> Chunk:
    """The batch as rows; `ignored` None: whatever does not cast whole raises `Stumbled`."""
    arrays: dict[str, pa.Array] = {}
    left: dict[int, dict[str, Any]] = {}
    for column, array in zip(found, batch.columns, strict=True):
        if column.expected is None and (
            column.name in (ignored or ()) or array.null_count == len(array)
        ):
            continue
        held = None if column.expected is None else cast_whole(array, column.expected.type)
        if held is None:
            if ignored is None:
                raise Stumbled
            held, rests = fit_each(column, array)
            for row, rest in rests.items():
                left.setdefault(row, {})[column.spelled] = rest
        if held is not None:
            arrays[column.name] = held
    found_arrays = [
        arrays[c.name] if c.name in arrays else pa.nulls(batch.num_rows, c.type) for c in columns
    ]
    rescued = [text_of(left[row]) if row in left else None for row in range(batch.num_rows)]
    numbers = pa.arange(first_row, first_row + batch.num_rows)
    rows = pa.Table.from_arrays(
        [*found_arrays, numbers, pa.array(rescued, pa.string())], schema=rows_schema(columns)
    )
    return Chunk(rows, rejected_table(()))
