"""What a person's decision about a pending schema makes of the table's columns.

| decision | the table's columns afterwards |
|---|---|
| accept | the file's: its types, its required columns; what it lacks stays and is optional |
| merge | both: what one of them lacks is optional, types in conflict become text of any value |
| ignore | as they were: what does not fit is rescued, what is missing is null |
| backfill | as they were, and the file's new ones, with values for the rows that are there |
| new_table, reject | as they were |
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

import pyarrow as pa

from ingest_assets.schema.column import Column, Columns, accepts_any, name_in_files, nested_field
from ingest_assets.schema.promotion import is_promotion


class Resolution(StrEnum):
    """What a person decides about a PENDING version."""

    ACCEPT = "accept"
    MERGE = "merge"
    IGNORE = "ignore"
    BACKFILL = "backfill"
    NEW_TABLE = "new_table"
    REJECT = "reject"

    @property
    def meaning(self) -> str:
        """What becomes of the files or the table, for the person who chooses."""
        return _MEANINGS[self]


_MEANINGS = {
    Resolution.ACCEPT: "the files' schema becomes the table's",
    Resolution.MERGE: "both shapes fit: what one lacks is null, types in conflict become text",
    Resolution.IGNORE: "the table stays: misfits go to _rescued_data, what is missing is null",
    Resolution.BACKFILL: "new columns are added, with values for the rows that are there",
    Resolution.NEW_TABLE: "these files, and later ones of their shape, get a table of their own",
    Resolution.REJECT: "these files never come into the table",
}


def accepted(active: Columns, observed: Columns, always_present: frozenset[str]) -> Columns:
    """The file's schema is the schema; columns that it lacks stay in the table, optional."""
    found = {column.name: column for column in observed}
    kept = [
        replace(_as_in_file(column, found[column.name]), is_required=column.name in always_present)
        if column.name in found
        else replace(column, is_required=False)
        for column in active
    ]
    return (*kept, *_new(active, observed, always_present))


def merged(active: Columns, observed: Columns) -> Columns:
    """Files of both schemas fit: one's missing columns are null, types in conflict are texts."""
    found = {column.name: column for column in observed}
    kept = [
        _merged(column, found[column.name])
        if column.name in found
        else replace(column, is_required=False)
        for column in active
    ]
    return (*kept, *_new(active, observed, frozenset()))


def _new(active: Columns, observed: Columns, required: Iterable[str]) -> list[Column]:
    known = {column.name for column in active}
    return [replace(c, is_required=c.name in required) for c in observed if c.name not in known]


def _as_in_file(column: Column, found: Column) -> Column:
    type_ = _accepted_type(column.type, found.type)
    takes_any = column.accepts_any if type_ == column.type else found.accepts_any
    return replace(column, type=type_, accepts_any=takes_any)


def _accepted_type(active: pa.DataType, found: pa.DataType) -> pa.DataType:
    """The file's type; fields that its objects lack stay, because rows of the table have them."""
    if pa.types.is_struct(active) and pa.types.is_struct(found):
        return _struct_of(active, found, _accepted_field)
    if pa.types.is_list(active) and pa.types.is_list(found):
        return pa.list_(_accepted_field(active.value_field, found.value_field))
    if pa.types.is_map(active) and pa.types.is_map(found) and active.key_type == found.key_type:
        return pa.map_(active.key_type, _accepted_field(active.item_field, found.item_field))
    return active if is_promotion(found, active) else found  # a wider column holds the narrower


def _accepted_field(active: pa.Field, found: pa.Field) -> pa.Field:
    type_ = _accepted_type(active.type, found.type)
    return _field(active, type_, accepts_any(active if type_ == active.type else found))


def _merged(column: Column, found: Column) -> Column:
    field = _merged_field(
        nested_field(column.name, column.type, accepts_any=column.accepts_any),
        nested_field(found.name, found.type, accepts_any=found.accepts_any),
    )
    return replace(column, type=field.type, accepts_any=accepts_any(field))


def _merged_field(active: pa.Field, found: pa.Field) -> pa.Field:
    before, after = active.type, found.type
    if pa.types.is_struct(before) and pa.types.is_struct(after):
        return _field(active, _struct_of(before, after, _merged_field))
    if pa.types.is_list(before) and pa.types.is_list(after):
        return _field(active, pa.list_(_merged_field(before.value_field, after.value_field)))
    if pa.types.is_map(before) and pa.types.is_map(after) and before.key_type == after.key_type:
        item = _merged_field(before.item_field, after.item_field)
        return _field(active, pa.map_(before.key_type, item))
    if before == after:
        return _field(active, before, accepts_any(active) or accepts_any(found))
    if is_promotion(before, after):
        return _field(active, after)
    if is_promotion(after, before):
        return active
    return _field(active, pa.string(), takes_any=True)


def _struct_of(
    active: pa.StructType, found: pa.StructType, both: Callable[[pa.Field, pa.Field], pa.Field]
) -> pa.StructType:
    """The fields of both; `both` makes one of two that have the same name."""
    theirs = {field.name: field for field in found}
    known = {field.name for field in active}
    fields = [both(f, theirs[f.name]) if f.name in theirs else f for f in active]
    return pa.struct([*fields, *(field for field in found if field.name not in known)])


def _field(like: pa.Field, type_: pa.DataType, takes_any: bool = False) -> pa.Field:
    return nested_field(like.name, type_, source_name=name_in_files(like), accepts_any=takes_any)
