"""Where a path of names leads in a schema."""

from collections.abc import Iterator

import pyarrow as pa
from pyiceberg.schema import Schema
from pyiceberg.types import IcebergType, ListType, MapType, NestedField, StructType

from ingest_assets.tables.iceberg_types import to_arrow
from ingest_assets.tables.operations import Path


def fields_on(schema: Schema, path: Path) -> list[NestedField]:
    """The field of each name of the path, as far as the schema has them."""
    found: list[NestedField] = []
    inside: IcebergType = schema.as_struct()
    for name in path:
        field = next((field for field in children(inside) if field.name == name), None)
        if field is None:
            break
        found.append(field)
        inside = field.field_type
    return found


def children(type_: IcebergType) -> tuple[NestedField, ...]:
    """The fields right below the type."""
    match type_:
        case StructType():
            return type_.fields
        case ListType():
            return (type_.element_field,)
        case MapType():
            return (type_.key_field, type_.value_field)
    return ()


def ids_below(field: NestedField) -> Iterator[int]:
    """The id of the field and of all fields inside of it."""
    yield field.field_id
    for child in children(field.field_type):
        yield from ids_below(child)


def siblings(schema: Schema, path: Path) -> tuple[NestedField, ...]:
    """The fields beside the one that the path names, or would name, and it."""
    if len(path) == 1:
        return schema.fields
    return children(fields_on(schema, path[:-1])[-1].field_type)


def siblings_before(schema: Schema, path: Path) -> str | None:
    """The name of the field before this one; None if it is the first."""
    names = [field.name for field in siblings(schema, path)]
    index = names.index(path[-1])
    return names[index - 1] if index else None


def enclosing(schema: Schema, path: Path, type_: pa.DataType) -> tuple[Path, pa.DataType]:
    """The nearest field of a struct around the path, and its type with `type_` at the path."""
    fields = fields_on(schema, path)
    while len(fields) > 1 and isinstance(fields[-2].field_type, ListType | MapType):
        parent = fields[-2].field_type
        if isinstance(parent, ListType):
            type_ = pa.list_(pa.field("element", type_))
        else:
            type_ = pa.map_(to_arrow(parent.key_type), type_)
        fields.pop()
    return path[: len(fields)], type_
