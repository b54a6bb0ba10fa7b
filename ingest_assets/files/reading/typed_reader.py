"""Parquet, Avro and ORC: by column, in batches; `_source_row` is the row's number, from 1."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from ingest_assets.files.reading.chunk import NOTHING_REJECTED, Chunk, Stumbled, rows_schema
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.together import Together, one_after_another
from ingest_assets.files.reading.typed_columns import FileColumn, file_columns
from ingest_assets.files.reading.typed_file import DamagedError, Opener, TypedFile
from ingest_assets.files.reading.typed_rows import fitted, judged_by_values, rescued
from ingest_assets.schema.column import Columns, accepts_any, nested_field
from ingest_assets.schema.judged import judged_columns
from ingest_assets.schema.judged_types import judged_type
from ingest_assets.schema.observed import Observed


class TypedReader:
    """Reads the files that `opener` opens; no options."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def read_fast(
        self, content: Content, columns: Columns, *, is_first: bool = False
    ) -> Iterator[Chunk]:
        """The rows of a file whose columns cast to `columns` without a change of any value.

        Raises:
            Stumbled: one does not, or is in no column, or a required column is absent.
        """
        with self._opener(content) as file:
            if file is None:
                return
            found = file_columns(file.schema, columns)
            names = {column.name for column in found if column.expected is not None}
            if file.row_count and any(c.is_required and c.name not in names for c in columns):
                raise Stumbled
            for first_row, batch in _batches(file):
                yield _chunk(columns, found, batch, first_row, None)

    def read_together(self, contents: Sequence[Content], columns: Columns) -> Together:
        """The rows of several small files, one after another."""
        return one_after_another(self.read_fast, contents, columns)

    def observe(self, content: Content, columns: Columns | None) -> Observed:
        """The file's schema, as it declares it, judged against `columns`."""
        known = columns or ()
        with self._opener(content) as file:
            if file is None:
                return Observed((), 0)
            found = file_columns(file.schema, known)
            judged = _judged(file, found)
            fields = {
                column.name: nested_field(column.name, type_, source_name=column.spelled)
                for column in found
                if (type_ := judged[column.name]) is not None
            }
            order = dict.fromkeys([*(c.name for c in known if c.name in fields), *fields])
            return Observed(
                judged_columns([fields[name] for name in order], known),
                file.row_count,
                file.detected,
                frozenset(column.name for column in found),
            )

    def observe_beginning(self, content: Content) -> None:
        """A file that declares its types is not read for them."""

    def read_careful(
        self, content: Content, columns: Columns, *, ignored: frozenset[str] = frozenset()
    ) -> Iterator[Chunk]:
        """All rows, with the values that do not fit rescued."""
        with self._opener(content) as file:
            if file is None:
                return
            found = file_columns(file.schema, columns)
            for first_row, batch in _batches(file):
                yield _chunk(columns, found, batch, first_row, ignored)


def _batches(
    file: TypedFile, names: Sequence[str] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches that are not empty, each with the number of its first row.

    Raises:
        DamagedError: they are not as many rows as the file says.
    """
    first_row = 1
    for batch in file.batches(names):
        if batch.num_rows:
            yield first_row, batch
            first_row += batch.num_rows
    if first_row - 1 != file.row_count:
        raise DamagedError(f"it says that it has {file.row_count} rows, and has {first_row - 1}")


def _judged(file: TypedFile, found: Sequence[FileColumn]) -> dict[str, pa.DataType | None]:
    """The type that each column has for the table; None when it says nothing of a new one.

    Where the types alone do not tell, the values of all such columns are looked at.
    """
    judged: dict[str, pa.DataType | None] = {}
    doubtful = []
    for column in found:
        if column.expected is None or column.own is None:
            judged[column.name] = column.own if column.expected is None else column.expected.type
            continue
        takes_any = accepts_any(column.expected)
        type_ = judged_type(column.expected.type, column.own, takes_any=takes_any)
        judged[column.name] = type_
        if type_ is None:
            doubtful.append(column)
    if doubtful:
        judged |= _judged_by_values(file, doubtful)
    return judged


def _judged_by_values(
    file: TypedFile, doubtful: Sequence[FileColumn]
) -> dict[str, pa.DataType | None]:
    names = [column.spelled for column in doubtful]
    counted = (
        list(zip(doubtful, batch.columns, strict=True)) for _, batch in _batches(file, names)
    )
    return judged_by_values(counted, doubtful)


def _chunk(
    columns: Columns,
    found: list[FileColumn],
    batch: pa.RecordBatch,
    first_row: int,
    ignored: frozenset[str] | None,
) -> Chunk:
    """The batch as rows; `ignored` None: whatever does not cast whole raises `Stumbled`."""
    both = zip(found, batch.columns, strict=True)
    arrays, left = fitted(columns, both, batch.num_rows, ignored)
    numbers = pa.arange(first_row, first_row + batch.num_rows)
    rows = pa.Table.from_arrays(
        [*arrays, numbers, rescued(left, batch.num_rows)], schema=rows_schema(columns)
    )
    return Chunk(rows, NOTHING_REJECTED)
