"""What has to change in an Iceberg schema so that it holds given columns; additions and promotions.

Promotions are those of the Iceberg specification: int to long, float to double, a decimal to a
wider precision (https://iceberg.apache.org/spec/#schema-evolution). Nothing is ever dropped here.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.types import IcebergType, ListType, MapType, NestedField, StructType

from ingest_assets.errors import ColumnNameError, UnsupportedTypeError
from ingest_assets.schema.column import Columns
from ingest_assets.tables.iceberg_types import to_arrow, to_iceberg


@dataclass(frozen=True)
class AddField:
    """A column or nested field that the table lacks; `path` ends with its name."""

    path: tuple[str, ...]
    type: pa.DataType
    doc: str | None


@dataclass(frozen=True)
class PromoteField:
    """A column or nested field that becomes wider."""

    path: tuple[str, ...]
    type: pa.DataType


Change = AddField | PromoteField


def changes_to_hold(schema: Schema, columns: Columns) -> list[Change]:
    """The changes after which `schema` holds `columns`, in the order of `columns`.

    Raises:
        UnsupportedTypeError: a column is there with a type that Iceberg cannot promote.
        ColumnNameError: a new name is there in other letters' case, which most engines ignore.
    """
    present = {field.name: to_arrow(field.field_type) for field in schema.fields}
    changes: list[Change] = []
    for column in columns:
        if column.name not in present:
            _check_case(column.name, present)
            changes.append(
                AddField((column.name,), column.type, column.description or column.source_name)
            )
        else:
            changes += _nested(present[column.name], column.type, (column.name,))
    return changes


def _nested(before: pa.DataType, after: pa.DataType, path: tuple[str, ...]) -> Iterator[Change]:
    if pa.types.is_struct(before) and pa.types.is_struct(after):
        present = {field.name: field.type for field in before}
        for field in after:
            if field.name not in present:
                _check_case(field.name, present)
                yield AddField((*path, field.name), field.type, None)
            else:
                yield from _nested(present[field.name], field.type, (*path, field.name))
    elif pa.types.is_list(before) and pa.types.is_list(after):
        yield from _nested(before.value_type, after.value_type, (*path, "element"))
    elif pa.types.is_map(before) and pa.types.is_map(after) and before.key_type == after.key_type:
        yield from _nested(before.item_type, after.item_type, (*path, "value"))
    elif before != after and not _is_promotion(after, before):  # a wider one holds the narrower
        if not _is_promotion(before, after):
            name = ".".join(path)
            raise UnsupportedTypeError(
                f"Column {name} is {before} in the table and cannot become {after} in place."
            )
        yield PromoteField(path, after)


def _check_case(name: str, present: Iterable[str]) -> None:
    for other in present:
        if other.lower() == name.lower():
            raise ColumnNameError(
                f"The column {name} cannot be added beside {other}: most engines take them for "
                "one. Rename the field in the files, or the column in the table."
            )


def _is_promotion(before: pa.DataType, after: pa.DataType) -> bool:
    if pa.types.is_decimal128(before) and pa.types.is_decimal128(after):
        return bool(before.scale == after.scale and before.precision < after.precision)
    return (before, after) in ((pa.int32(), pa.int64()), (pa.float32(), pa.float64()))


def stage(transaction: Transaction, columns: Columns) -> bool:
    """The schema of the transaction holds `columns`, and nothing in it is required any more.

    True when that took a change.

    Raises:
        UnsupportedTypeError, ColumnNameError: as `changes_to_hold`; nothing is changed.
    """
    schema = transaction.table_metadata.schema()
    changes = changes_to_hold(schema, columns)
    required = list(_required(schema.as_struct(), ()))
    if not changes and not required:
        return False
    with transaction.update_schema() as update:
        if required:
            update.set_identifier_fields()  # they must be required
        for path in required:
            update.make_column_optional(path)
        _apply(update, changes)
    return True


def describe(transaction: Transaction, docs: Mapping[str, str]) -> None:
    """The columns named in `docs` have these comments."""
    schema = transaction.table_metadata.schema()
    changed = {name: doc for name, doc in docs.items() if schema.find_field(name).doc != doc}
    if changed:
        with transaction.update_schema() as update:
            for name, doc in changed.items():
                update.update_column((name,), doc=doc)


def _required(type_: IcebergType, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths of all required fields at any depth; a map's keys are always required."""
    match type_:
        case StructType():
            fields: list[NestedField] = list(type_.fields)
        case ListType():
            fields = [type_.element_field]
        case MapType():
            fields = [type_.value_field]
        case _:
            fields = []
    for field in fields:
        if field.required:
            yield (*path, field.name)
        yield from _required(field.field_type, (*path, field.name))


def _apply(update: UpdateSchema, changes: list[Change]) -> None:
    for change in changes:
        # The update numbers nested fields itself, so any number will do here.
        iceberg = to_iceberg(change.type, lambda: 0)
        match change:
            case AddField(path=path, doc=doc):
                update.add_column(path, iceberg, doc)
            case PromoteField(path=path):
                update.update_column(path, iceberg)


def new_schema(columns: Columns) -> Schema:
    """The schema of a new table, all columns optional."""
    counter = itertools.count(1)
    numbers = [next(counter) for _ in columns]
    return Schema(
        *(
            NestedField(
                number,
                column.name,
                to_iceberg(column.type, lambda: next(counter)),
                required=False,
                doc=column.description or column.source_name,
            )
            for number, column in zip(numbers, columns, strict=True)
        )
    )
