"""What a transform is given of a file, and what it makes of that."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from ingest_assets.schema.column import Column, Columns


@dataclass(frozen=True)
class SourceRows:
    """Rows of a file: `columns` are those of `Source.present`, in order.

    `numbers` (int64) are the rows' numbers in the file, `rescued` (string) what did not fit.
    """

    columns: pa.Table
    numbers: pa.Array
    rescued: pa.Array


@dataclass(frozen=True)
class Source:
    """The columns that a file has, and those that it lacks and others had: null in each row.

    `lost` are the names of such that every file should have.
    """

    present: Columns
    absent: Columns = ()
    lost: frozenset[str] = frozenset()


@dataclass(frozen=True)
class MadeField:
    """A column of the result. `taken` is the column of the source that it is, untouched."""

    name: str
    type: pa.DataType
    taken: Column | None = None

    @property
    def spelled(self) -> str:
        """The name as the files spell it, for one that is taken over under its own name."""
        if self.taken is not None and self.taken.name == self.name:
            return self.taken.name_in_files
        return self.name


@dataclass(frozen=True)
class Made:
    """Rows of the result.

    `numbers` and `rescued` as in `SourceRows`; of `records` rows of the source they were made.
    `filtered` of those made none; None where that cannot be told. `homeless` are rows of the
    source, as (number, rescued), whose rescued data belongs to no row of the result.
    """

    fields: Sequence[MadeField]
    arrays: Sequence[pa.Array]
    numbers: pa.Array
    rescued: pa.Array
    records: int
    filtered: int | None
    homeless: Sequence[tuple[int, str]] = ()


class Bound(Protocol):
    """A transform for files of one shape."""

    def fields(self, rows: Callable[[], Iterator[SourceRows]]) -> Sequence[MadeField]:
        """The columns of the result; `rows` are only read where nothing else tells.

        Raises:
            TransformError: as `run`.
        """
        ...

    def run(self, rows: Iterator[SourceRows]) -> Iterator[Made]:
        """The result, in bounded memory; nothing of it is computed before it is asked for.

        Raises:
            TransformError: it cannot be computed for these rows.
        """
        ...


class Transform(Protocol):
    """What `transform` of a declaration says."""

    def taken_as(self, known: Columns) -> dict[str, Column]:
        """The columns of the source, by name, that are columns of the table as they are.

        `known` are the table's. Such a column is read with the type that the table has.
        """
        ...

    def bind(self, source: Source) -> Bound:
        """The transform for files with these columns.

        Raises:
            TransformError: it does not go with them.
        """
        ...

    def unused(self, names: Sequence[str]) -> list[str]:
        """Those of the source's columns that the result has nothing of."""
        ...


def as_columns(rows: pa.Table, columns: Sequence[Column], count: int) -> pa.Table:
    """The `count` rows with just these columns, of which those that they lack are null.

    One column at least, because a table of none has no rows.
    """
    names = set(rows.column_names)
    fields = [pa.field(c.name, c.type) for c in columns] or [pa.field("no_column", pa.int8())]
    arrays = [
        whole(rows.column(field.name)) if field.name in names else pa.nulls(count, field.type)
        for field in fields
    ]
    return pa.table(arrays, schema=pa.schema(fields))


def whole(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
