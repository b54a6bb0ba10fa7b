"""A Python function as a transform: `package.module:function`, from Arrow to Arrow.

`def f(rows: pa.Table) -> pa.Table` is given all rows of a file, at most `TABLE_BYTES` of Arrow.
`def f(rows: pa.RecordBatchReader) -> pa.RecordBatchReader` is given them piece by piece; which of
the two, the annotation of the parameter says.

Both have the file's columns and `_source_row`. A result that has `_source_row`, growing from row to
row, says which row of the file each of its rows is; without it the rows are numbered.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.schema.column import Column, Columns
from ingest_assets.transforms.errors import TransformDeclarationError, TransformError
from ingest_assets.transforms.made import Made, MadeField, Source, SourceRows, as_columns, whole
from ingest_assets.transforms.seen_rows import SeenRows
from ingest_assets.transforms.whole_file import numbered

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
SOURCE_ROW = "_source_row"
TABLE_BYTES = 512 * 1024**2


class FunctionTransform:
    """The function that the text names."""

    def __init__(self, name: str) -> None:
        """Imported.

        Raises:
            TransformDeclarationError: it cannot be, or it is no function of one table.
        """
        self._name = name
        self._function = _imported(name)
        self._is_stream = _takes_a_stream(self._function)

    def taken_as(self, known: Columns) -> dict[str, Column]:
        """Nothing tells what the function does with a column."""
        return {}

    def unused(self, names: Sequence[str]) -> list[str]:
        """Nothing tells what the function looks at."""
        return []

    def bind(self, source: Source) -> "_Called":
        """The function for files with these columns."""
        return _Called(self._name, self._function, source, is_stream=self._is_stream)


class _Called:
    def __init__(
        self, name: str, function: Callable[[Any], Any], source: Source, *, is_stream: bool
    ) -> None:
        self._name, self._function, self._source = name, function, source
        self._is_stream = is_stream
        known = (column for column in source.absent if column.name not in source.lost)
        self._columns = [*source.present, *known]
        fields = [(c.name, c.type) for c in self._columns]
        self._schema = pa.schema([*fields, (SOURCE_ROW, pa.int64())])
        self._known = {c.name: c for c in source.present}

    def fields(self, rows: Callable[[], Iterator[SourceRows]]) -> Sequence[MadeField]:
        """The columns of what the function makes of the file."""
        seen = SeenRows()
        results = self._results(self._batches(rows(), seen), seen, is_schema_wanted=True)
        found = next(results, None)
        return [] if found is None else self._fields(found.schema)

    def run(self, rows: Iterator[SourceRows]) -> Iterator[Made]:
        """What the function makes of the file."""
        seen, first, last, keeps_rows = SeenRows(), 1, 0, True
        fields: Sequence[MadeField] = []
        for table in self._results(self._batches(rows, seen), seen):
            fields = self._fields(table.schema)
            arrays = [whole(table.column(f.name)) for f in fields]
            keeps_rows = SOURCE_ROW in table.column_names
            records, homeless = seen.told(keeps_rows=keeps_rows)
            if not keeps_rows:
                yield numbered(fields, arrays, first, records, homeless, table.num_rows)
                first += table.num_rows
                continue
            numbers = self._numbers(table, last, seen)
            last = numbers[-1].as_py() if len(numbers) else last
            rescued, filtered = seen.rescued_for(numbers), records - len(numbers)
            yield Made(fields, arrays, numbers, rescued, records, filtered)
        records, homeless = seen.told(keeps_rows=keeps_rows)
        if records or homeless:
            nothing = [pa.nulls(0, field.type) for field in fields]
            last_of = numbered(fields, nothing, first, records, homeless)
            yield replace(last_of, filtered=records if keeps_rows else None)

    def _fields(self, schema: pa.Schema) -> list[MadeField]:
        found = []
        for field in schema:
            if field.name != SOURCE_ROW:
                column = self._known.get(field.name)
                is_same = column is not None and column.type == field.type
                found.append(MadeField(field.name, field.type, column if is_same else None))
        return found

    def _batches(self, rows: Iterator[SourceRows], seen: SeenRows) -> Iterator[pa.Table]:
        for piece in seen.watched(rows):
            seen.see(piece)
            count = len(piece.numbers)
            given = as_columns(piece.columns, self._columns, count)
            arrays = given.columns if self._columns else []
            yield pa.table([*arrays, piece.numbers], schema=self._schema)

    def _results(
        self, pieces: Iterator[pa.Table], seen: SeenRows, *, is_schema_wanted: bool = False
    ) -> Iterator[pa.Table]:
        if self._is_stream:
            batches = (batch for table in pieces for batch in table.to_batches())
            reader = pa.RecordBatchReader.from_batches(self._schema, batches)
            made = self._called(reader, pa.RecordBatchReader, seen)
            if is_schema_wanted:
                yield made.schema.empty_table()
                return
            yield from self._streamed(made, seen)
            return
        tables, size_bytes = [], 0
        for table in pieces:
            size_bytes += table.nbytes
            if size_bytes > TABLE_BYTES:
                raise TransformError(
                    f"the file has more than {TABLE_BYTES // 1024**2} MB of rows, and "
                    f"{self._name} takes all of them at once; let it take and return a "
                    "pa.RecordBatchReader"
                )
            tables.append(table)
        if tables:
            yield self._called(pa.concat_tables(tables), pa.Table, seen)

    def _streamed(self, made: pa.RecordBatchReader, seen: SeenRows) -> Iterator[pa.Table]:
        while True:
            try:
                batch = made.read_next_batch()
            except StopIteration:
                return
            except Exception as error:
                raise self._failed(error, seen) from error
            yield pa.Table.from_batches([batch])

    def _called(self, given: Any, wanted: type, seen: SeenRows) -> Any:
        try:
            made = self._function(given)
        except Exception as error:
            raise self._failed(error, seen) from error
        if not isinstance(made, wanted):
            raise TransformError(
                f"{self._name} returned a {type(made).__name__}, and a pa.{wanted.__name__} is "
                "wanted, like the one that it is given"
            )
        return made

    def _failed(self, error: Exception, seen: SeenRows) -> Exception:
        # What is wrong with the file, and is met while the function reads, stays what it is.
        if seen.stopped is not None:
            return seen.stopped
        return TransformError(f"{self._name} raised {type(error).__name__}: {error}")

    def _numbers(self, table: pa.Table, last: int, seen: SeenRows) -> pa.Array:
        numbers = whole(table.column(SOURCE_ROW))
        is_right = numbers.type == pa.int64() and not numbers.null_count
        if is_right and len(numbers):
            steps = pc.pairwise_diff(numbers).drop_null()
            grows = pc.min(steps).as_py() is None or pc.min(steps).as_py() > 0
            is_right = grows and numbers[0].as_py() > last and seen.has(numbers)
        if not is_right:
            raise TransformError(
                f"{self._name} returned {SOURCE_ROW} that does not grow from row to row, or with "
                "numbers that it was not given. Leave the rows in their order and each in it once, "
                f"or drop {SOURCE_ROW}: then the rows are numbered"
            )
        return numbers


def _imported(name: str) -> Callable[[Any], Any]:
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise TransformDeclarationError(
            f"{module_name} cannot be imported: {type(error).__name__}: {error}. Install it, or "
            "put the folder that has it into PYTHONPATH, wherever files are read"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        has = "is no function" if hasattr(module, function_name) else "is not there"
        raise TransformDeclarationError(f"{function_name} {has} in {module_name}")
    found: Callable[[Any], Any] = function
    return found


def _takes_a_stream(function: Callable[[Any], Any]) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
        hints = get_type_hints(function)
    except (TypeError, ValueError, NameError):
        return False
    wanted = [p for p in parameters if p.default is p.empty and p.kind != p.VAR_KEYWORD]
    if len(wanted) != 1:
        raise TransformDeclarationError(
            f"{function.__qualname__} takes {len(wanted)} arguments; it should take one, the rows"
        )
    return hints.get(wanted[0].name) is pa.RecordBatchReader
