"""Rows made to fit the schema of a table, or refused before anything of them is written.

What Arrow can hold and a reader of the table cannot is refused too: PyIceberg fails on it when it
closes the data file, which is too late, because other files' rows are in it.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.errors import FileContentError

_DAY_MICROS = 86_400_000_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""The years 1 to 9999, which is what Python's dates, Postgres and Athena agree on."""


def conformed(rows: pa.Table, schema: pa.Schema, identifier: str) -> pa.Table:
    """The rows as `fitted`, and nothing in them that a reader could choke on.

    Raises:
        FileContentError: a value does not fit, or no column takes it.
    """
    present = set(rows.column_names)
    if unknown := present.difference(schema.names):
        raise FileContentError(
            f"The table {identifier} has no column {', '.join(sorted(unknown))}; nothing of the "
            "file was written."
        )
    try:
        fitting = fitted(rows, schema)
        fitting.validate(full=True)
        for column in fitting.columns:
            for chunk in column.chunks:
                _check_calendar(chunk)
    except pa.ArrowException as error:
        raise FileContentError(
            f"A value does not fit its column of {identifier}: {error}; nothing of the file was "
            "written."
        ) from error
    return fitting


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of `schema`, cast or null; fields of structs are matched by name.

    Raises:
        pa.ArrowException: a value does not fit.
    """
    present = set(rows.column_names)
    columns = []
    for field in schema:
        if field.name not in present:
            columns.append(pa.nulls(rows.num_rows, field.type))
            continue
        try:
            columns.append(rows[field.name].cast(field.type))
        except pa.ArrowException as error:
            raise pa.ArrowInvalid(f"{field.name}: {error}") from error
    return pa.Table.from_arrays(columns, schema=schema)


def _check_calendar(array: pa.Array) -> None:
    for moments in _dates(array):
        low, high = pc.min_max(moments.view(_integer(moments.type))).as_py().values()
        unit = _DAY_MICROS if pa.types.is_timestamp(moments.type) else 1
        if low is not None and (low < _FIRST_DAY * unit or high >= (_LAST_DAY + 1) * unit):
            raise pa.ArrowInvalid(f"{moments.type} outside of the years 1 to 9999")


def _dates(array: pa.Array) -> Iterator[pa.Array]:
    """The arrays of dates and timestamps in `array`, at any depth."""
    if pa.types.is_timestamp(array.type) or pa.types.is_date32(array.type):
        yield array
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from _dates(child)
    elif pa.types.is_list(array.type):
        yield from _dates(array.flatten())
    elif pa.types.is_map(array.type):
        yield from _dates(array.keys)
        yield from _dates(array.items)


def _integer(type_: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_timestamp(type_) else pa.int32()
