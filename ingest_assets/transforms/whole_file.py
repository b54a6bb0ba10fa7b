"""SQL that needs all rows of a file at once: aggregates, DISTINCT, windows, joins, UNNEST."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence

import duckdb
import pyarrow as pa

from ingest_assets.transforms.errors import TransformError
from ingest_assets.transforms.made import Made, MadeField, Source, SourceRows, as_columns
from ingest_assets.transforms.result_types import checked, said
from ingest_assets.transforms.session import Session, session
from ingest_assets.transforms.statement import Statement

IN_MEMORY_BYTES = 32 * 1024**2
"""As Arrow; the rows of a larger file are put into a database that spills to a folder."""


class WholeFile:
    """The statement for files of one shape; the rows of its result are numbered from 1."""

    def __init__(self, statement: Statement, source: Source) -> None:
        """Ready to run.

        Raises:
            TransformError: it does not go with the columns.
        """
        self._sql, self._source = statement.sql, source
        known = (column for column in source.absent if column.name not in source.lost)
        columns = [*source.present, *known]
        if lost := sorted(source.lost & statement.names):
            raise TransformError(
                f"the file has no {' and no '.join(lost)}, which every file had when the source "
                "was first seen and which the transform names. If a file may lack it, declare "
                "schema.optional_columns or on_missing_column: allow"
            )
        if not statement.has_star:
            named = [column for column in columns if column.name in statement.names]
            columns = named or columns[:1]
        self._columns = columns
        none = as_columns(pa.table({}), self._columns, 0)
        try:
            types = session().types(self._sql, none)
            made = checked(types, session().run(self._sql, none).schema)
        except duckdb.Error as error:
            raise said(error, source) from error
        self._fields = [MadeField(name, type_) for name, type_ in made]

    def fields(self, rows: Callable[[], Iterator[SourceRows]]) -> Sequence[MadeField]:
        """The columns of the result, which the source's types tell."""
        return self._fields

    def run(self, rows: Iterator[SourceRows]) -> Iterator[Made]:
        """The result, after all rows were seen; of no rows none is made."""
        held: list[pa.Table] = []
        size_bytes = records = 0
        homeless: list[tuple[int, str]] = []
        with contextlib.ExitStack() as stack:
            database: Session | None = None
            try:
                for piece in rows:
                    records += len(piece.numbers)
                    homeless += rescued_of(piece)
                    held.append(as_columns(piece.columns, self._columns, len(piece.numbers)))
                    size_bytes += held[-1].nbytes
                    if size_bytes > IN_MEMORY_BYTES:
                        is_first = database is None
                        database = database or stack.enter_context(_database())
                        database.insert(pa.concat_tables(held), is_first=is_first)
                        held, size_bytes = [], 0
                if records:
                    yield from self._result(database, held, records, homeless)
            except duckdb.Error as error:
                raise said(error, self._source) from error

    def _result(
        self,
        database: Session | None,
        held: list[pa.Table],
        records: int,
        homeless: list[tuple[int, str]],
    ) -> Iterator[Made]:
        if database is None:
            batches = iter(session().run(self._sql, pa.concat_tables(held)).to_batches())
        else:
            if held:
                database.insert(pa.concat_tables(held), is_first=False)
            batches = database.batches(self._sql)
        first, is_told = 1, False
        for batch in batches:
            told = (0, ()) if is_told else (records, homeless)
            yield numbered(self._fields, batch.columns, first, *told)
            first, is_told = first + batch.num_rows, True
        if not is_told:
            arrays = [pa.nulls(0, field.type) for field in self._fields]
            yield numbered(self._fields, arrays, 1, records, homeless)


@contextlib.contextmanager
def _database() -> Iterator[Session]:
    """A session of its own, with a folder for what exceeds its memory."""
    with tempfile.TemporaryDirectory(prefix="transform-") as folder:
        database = Session(folder)
        try:
            yield database
        finally:
            database.close()


def rescued_of(piece: SourceRows) -> list[tuple[int, str]]:
    """The rows with rescued data: number and data."""
    if piece.rescued.null_count == len(piece.rescued):
        return []
    kept = piece.rescued.is_valid()
    numbers = piece.numbers.filter(kept).to_pylist()
    return list(zip(numbers, piece.rescued.filter(kept).to_pylist(), strict=True))


def numbered(
    fields: Sequence[MadeField],
    arrays: Sequence[pa.Array],
    first: int,
    records: int,
    homeless: Sequence[tuple[int, str]],
    row_count: int | None = None,
) -> Made:
    """Rows that are no rows of the file, numbered from `first`."""
    count = row_count if row_count is not None else len(arrays[0]) if arrays else 0
    numbers = pa.arange(first, first + count)
    return Made(fields, arrays, numbers, pa.nulls(count, pa.string()), records, None, homeless)
