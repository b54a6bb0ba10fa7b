"""A column of a table's schema, as the ledger keeps it and as readers are told about it."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

SOURCE_NAME = b"source_name"
"""Arrow field metadata of a nested field: its name as the files spell it, where that differs."""

ACCEPTS_ANY = b"accepts_any"
"""Arrow field metadata of a nested string field (or list element) that `accepts_any`."""


@dataclass(frozen=True)
class Column:
    """One top-level column.

    `type` is an Arrow type that Iceberg holds: bool, int32, int64, float32, float64,
    decimal128(p <= 38), date32, time64[us], timestamp[us] with or without UTC, string, binary,
    binary(n), struct, list, map. Nested fields carry `SOURCE_NAME` in their metadata.

    `is_required` speaks of files (every file must have the column), never of null values: in
    Iceberg every column is optional.

    `accepts_any` marks a string column that takes every value as its text, because files disagree
    about its type. Any other string column takes strings only.
    """

    name: str
    type: pa.DataType
    is_required: bool = False
    source_name: str | None = None
    description: str | None = None
    accepts_any: bool = False

    @property
    def name_in_files(self) -> str:
        """The name as the files spell it."""
        return self.source_name or self.name


Columns = tuple[Column, ...]


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The columns as an Arrow schema, in order, every field nullable, under their table names."""
    return pa.schema([pa.field(column.name, column.type) for column in columns])


def nested_field(
    name: str, type_: pa.DataType, *, source_name: str | None = None, accepts_any: bool = False
) -> pa.Field:
    """An Arrow field that carries what a `Column` of that name would."""
    metadata = {}
    if source_name is not None and source_name != name:
        metadata[SOURCE_NAME] = source_name.encode()
    if accepts_any:
        metadata[ACCEPTS_ANY] = b"true"
    return pa.field(name, type_, metadata=metadata or None)


def name_in_files(field: pa.Field) -> str:
    """The name of a nested field as the files spell it."""
    found: bytes | None = (field.metadata or {}).get(SOURCE_NAME)
    return field.name if found is None else found.decode()


def as_spelled(type_: pa.DataType, known: pa.DataType) -> pa.DataType:
    """`type_` with nested fields under the names that files have, as far as `known` has them."""
    t = pa.types
    if t.is_struct(type_) and t.is_struct(known):
        by_name = {field.name: field for field in known}
        return pa.struct([_as_spelled(field, by_name.get(field.name)) for field in type_])
    if t.is_list(type_) and t.is_list(known):
        return pa.list_(type_.value_field.with_type(as_spelled(type_.value_type, known.value_type)))
    if t.is_map(type_) and t.is_map(known):
        return pa.map_(type_.key_type, as_spelled(type_.item_type, known.item_type))
    return type_


def _as_spelled(field: pa.Field, known: pa.Field | None) -> pa.Field:
    if known is None:
        return field
    return pa.field(name_in_files(known), as_spelled(field.type, known.type))


def accepts_any(field: pa.Field) -> bool:
    """The nested field takes every value as its text."""
    return ACCEPTS_ANY in (field.metadata or {})


def as_struct(columns: Iterable[Column]) -> pa.StructType:
    """The columns as one struct type, so that a record is a value like any other."""
    return pa.struct(
        [
            nested_field(
                column.name,
                column.type,
                source_name=column.source_name,
                accepts_any=column.accepts_any,
            )
            for column in columns
        ]
    )
