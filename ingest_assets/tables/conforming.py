"""Rows made to fit the schema of a table, or refused before anything of them is written.

What Arrow can hold and a reader of the table cannot is refused too: PyIceberg fails on it when it
closes the data file, which is too late, because other files' rows are in it.
"""

import pyarrow as pa

from ingest_assets.errors import FileContentError
from ingest_assets.schema.calendar import is_in_calendar


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
        if not all(is_in_calendar(chunk) for column in fitting.columns for chunk in column.chunks):
            raise pa.ArrowInvalid("a date or timestamp outside of the years 1 to 9999")
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
            _refuse_to_drop(rows[field.name].type, field.type)
            columns.append(rows[field.name].cast(field.type))
        except pa.ArrowException as error:
            raise pa.ArrowInvalid(f"{field.name}: {error}") from error
    return pa.Table.from_arrays(columns, schema=schema)


def _refuse_to_drop(source: pa.DataType, target: pa.DataType) -> None:
    """Arrow's cast of an object drops fields that the target lacks, without a word."""
    if pa.types.is_struct(source) and pa.types.is_struct(target):
        known = {field.name: field.type for field in target}
        for field in source:
            if field.name not in known:
                raise pa.ArrowInvalid(f"the table has no field {field.name}")
            _refuse_to_drop(field.type, known[field.name])
    elif pa.types.is_list(source) and pa.types.is_list(target):
        _refuse_to_drop(source.value_type, target.value_type)
    elif pa.types.is_map(source) and pa.types.is_map(target):
        _refuse_to_drop(source.item_type, target.item_type)
