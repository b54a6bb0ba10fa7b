"""Two schemas as one: what the table becomes when it takes in what a file brings."""

from dataclasses import replace

import pyarrow as pa

from ingest_assets.schema.column import Column, Columns, accepts_any, name_in_files, nested_field
from ingest_assets.schema.promotion import is_promotion


def union(active: Columns, observed: Columns, *, additions: bool = True) -> Columns:
    """The active columns, promoted where Iceberg can, then the new ones, which are optional.

    Types in conflict stay the active ones. `additions=False` leaves new columns and new nested
    fields out.
    """
    found = {column.name: column for column in observed}
    known = {column.name for column in active}
    merged = [
        _merge(column, found[column.name], additions) if column.name in found else column
        for column in active
    ]
    if additions:
        merged += [replace(c, is_required=False) for c in observed if c.name not in known]
    return tuple(merged)


def _merge(column: Column, other: Column, additions: bool) -> Column:
    return replace(column, type=merge_types(column.type, other.type, additions=additions))


def merge_types(active: pa.DataType, other: pa.DataType, *, additions: bool = True) -> pa.DataType:
    """The active type with promotions and, if `additions`, the other's nested fields."""
    if pa.types.is_struct(active) and pa.types.is_struct(other):
        fields = [_merge_field(field, other, additions) for field in active]
        known = {field.name for field in active}
        new = [field for field in other if field.name not in known] if additions else []
        return pa.struct([*fields, *new])
    if pa.types.is_list(active) and pa.types.is_list(other):
        element = merge_types(active.value_type, other.value_type, additions=additions)
        return pa.list_(_with_type(active.value_field, element))
    if pa.types.is_map(active) and pa.types.is_map(other):
        item = merge_types(active.item_type, other.item_type, additions=additions)
        return pa.map_(active.key_type, _with_type(active.item_field, item))
    return other if is_promotion(active, other) else active


def _merge_field(field: pa.Field, other: pa.StructType, additions: bool) -> pa.Field:
    index = other.get_field_index(field.name)
    if index < 0:
        return field
    return _with_type(field, merge_types(field.type, other.field(index).type, additions=additions))


def _with_type(field: pa.Field, type_: pa.DataType) -> pa.Field:
    return nested_field(
        field.name, type_, source_name=name_in_files(field), accepts_any=accepts_any(field)
    )


def without(columns: Columns, paths: frozenset[str]) -> Columns:
    """The columns without those at `paths` (as in `difference.Change`), at any depth."""
    if not paths:
        return columns
    kept = (column for column in columns if column.name not in paths)
    return tuple(replace(c, type=_type_without(c.type, c.name, paths)) for c in kept)


def _type_without(type_: pa.DataType, path: str, paths: frozenset[str]) -> pa.DataType:
    if pa.types.is_struct(type_):
        return pa.struct(
            [
                _with_type(field, _type_without(field.type, f"{path}.{field.name}", paths))
                for field in type_
                if f"{path}.{field.name}" not in paths
            ]
        )
    if pa.types.is_list(type_):
        element = _type_without(type_.value_type, f"{path}[]", paths)
        return pa.list_(_with_type(type_.value_field, element))
    if pa.types.is_map(type_):
        item = _type_without(type_.item_type, f"{path}{{}}", paths)
        return pa.map_(type_.key_type, _with_type(type_.item_field, item))
    return type_
