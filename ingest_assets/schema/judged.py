"""The fields that were found in a file as columns of the table."""

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from ingest_assets.schema.column import Column, Columns, accepts_any, name_in_files


def judged_columns(fields: Iterable[pa.Field], known: Columns) -> Columns:
    """Each field as its column of the table, of the type that was judged, or as a new column."""
    by_name = {column.name: column for column in known}
    return tuple(_judged(field, by_name.get(field.name)) for field in fields)


def _judged(field: pa.Field, known: Column | None) -> Column:
    if known is not None:
        if known.type == field.type:
            return known
        return replace(known, type=field.type, accepts_any=accepts_any(field))
    spelled = name_in_files(field)
    return Column(
        field.name,
        field.type,
        source_name=None if spelled == field.name else spelled,
        accepts_any=accepts_any(field),
    )
