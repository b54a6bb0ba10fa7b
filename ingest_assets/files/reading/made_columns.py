"""The result of a transform as columns of the table, like a file of declared types."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from ingest_assets.errors import UnsupportedTypeError
from ingest_assets.files.reading.known_source import FileSource
from ingest_assets.files.reading.typed_columns import FileColumn
from ingest_assets.files.reading.typed_rows import fitted, judged_by_values
from ingest_assets.schema.column import (
    Columns,
    accepts_any,
    as_struct,
    nested_field,
)
from ingest_assets.schema.fit import field_for
from ingest_assets.schema.judged import judged_columns
from ingest_assets.schema.judged_types import judged_type
from ingest_assets.schema.names import column_name
from ingest_assets.schema.storable import storable_type
from ingest_assets.transforms.errors import TransformError
from ingest_assets.transforms.made import Made, MadeField


class MadeColumns:
    """Where each column of the result goes among `columns`."""

    def __init__(self, fields: Sequence[MadeField], columns: Columns) -> None:
        """Each column has its name.

        Raises:
            TransformError: two have one name, or Iceberg cannot hold the type of one.
        """
        self._fields, self._columns = fields, columns
        self._found = list(self._placed())

    def _placed(self) -> Iterator[FileColumn]:
        struct = as_struct(self._columns)
        taken: dict[str, str] = {}
        for field in self._fields:
            expected = field_for(struct, field.spelled)
            name = column_name(field.spelled) if expected is None else expected.name
            if name in taken:
                raise TransformError(
                    f"the columns {taken[name]!r} and {field.name!r} of its result would both "
                    f"become the column {name!r}; name one of them otherwise, with `as`, or leave "
                    "it out of `*` with `exclude`"
                )
            taken[name] = field.name
            yield FileColumn(field.spelled, name, expected, _own(field))

    @property
    def names(self) -> frozenset[str]:
        """Of the columns."""
        return frozenset(column.name for column in self._found)

    def fitted(
        self, arrays: Sequence[pa.Array], row_count: int, ignored: frozenset[str] | None
    ) -> tuple[list[pa.Array], dict[int, dict[str, object]]]:
        """As `typed_rows.fitted`."""
        both = zip(self._found, arrays, strict=True)
        return fitted(self._columns, both, row_count, ignored)

    def judged(self, made: Callable[[], Iterator[Made]]) -> Columns:
        """The columns as `Observed` has them; `made` is read where types alone do not tell."""
        judged: dict[str, pa.DataType | None] = {}
        doubtful: list[int] = []
        for index, (column, field) in enumerate(zip(self._found, self._fields, strict=True)):
            expected, own = column.expected, column.own
            if expected is None or own is None:
                judged[column.name] = own if expected is None else expected.type
            elif field.taken is not None and not accepts_any(expected):
                # The values were judged when the file was read.
                judged[column.name] = judged_type(expected.type, own) or own
            else:
                type_ = judged_type(expected.type, own, takes_any=accepts_any(expected))
                judged[column.name] = type_
                if type_ is None:
                    doubtful.append(index)
        if doubtful:
            columns = [self._found[index] for index in doubtful]
            counted = (
                [(self._found[index], piece.arrays[index]) for index in doubtful]
                for piece in made()
            )
            judged |= judged_by_values(counted, columns)
        found = {}
        for column, field in zip(self._found, self._fields, strict=True):
            type_ = judged[column.name]
            if type_ is not None:
                takes_any = field.taken is not None and field.taken.accepts_any
                found[column.name] = nested_field(
                    column.name, type_, source_name=column.spelled, accepts_any=takes_any
                )
        order = dict.fromkeys([*(c.name for c in self._columns if c.name in found), *found])
        return judged_columns([found[name] for name in order], self._columns)

    def always_present(self, source: FileSource) -> frozenset[str]:
        """The columns that every row has: not those that only some records had."""
        return frozenset(
            column.name
            for column, field in zip(self._found, self._fields, strict=True)
            if field.taken is None or field.taken.name in source.always_present
        )


def _own(field: MadeField) -> pa.DataType | None:
    """The type that the column has in a table by itself."""
    if field.taken is not None:
        return field.type
    try:
        return storable_type(field.type, field.name)
    except UnsupportedTypeError as error:
        raise TransformError(
            f"its column {field.name!r} is of Arrow's type {field.type}, which Iceberg cannot "
            "hold; make it another, with a cast"
        ) from error
