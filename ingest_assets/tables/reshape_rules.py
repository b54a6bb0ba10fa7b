"""Which changes of a table's schema cannot be made, why, and what can be made instead."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import MapType, NestedField, StructType

from ingest_assets.decision_errors import ReshapeRefusedError
from ingest_assets.errors import UnsupportedTypeError
from ingest_assets.schema.conversion import can_convert
from ingest_assets.schema.names import column_name
from ingest_assets.schema.promotion import is_promotion
from ingest_assets.schema.types import format_type
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.field_paths import enclosing, fields_on, ids_below, siblings
from ingest_assets.tables.iceberg_types import to_arrow, to_iceberg
from ingest_assets.tables.operations import (
    AddColumn,
    Drop,
    Operation,
    Path,
    Promote,
    Rename,
    Retype,
    described,
    dotted,
    path_of,
)


@dataclass(frozen=True)
class Rules:
    """What may not leave the table: field ids and what each is there for."""

    in_use: dict[int, str]

    @staticmethod
    def of(table: Table) -> "Rules":
        """The rules of the table as it is.

        Raises:
            CatalogError: the warehouse is out of reach.
        """
        in_use = dict.fromkeys(table.schema().identifier_field_ids, "an identifier field")
        for sort_field in table.sort_order().fields:
            in_use[sort_field.source_id] = "a source of the table's sort order"
        for spec in _live_specs(table):
            for field in spec.fields:
                in_use[field.source_id] = (
                    "a source of the table's partition spec"
                    if spec.spec_id == table.spec().spec_id
                    else "a source of an older partition spec that live data files have"
                )
        return Rules(in_use)

    def check(self, schema: Schema, operation: Operation) -> None:
        """The operation can be made on a table of this schema.

        Raises:
            ReshapeRefusedError: it cannot.
        """
        path = path_of(operation)
        if path[0].startswith("_"):
            raise _refused(operation, "the columns that begin with _ are the product's own")
        if _has_key(schema, path):
            raise _refused(operation, "the keys of a map tell its entries apart")
        if isinstance(operation, AddColumn):
            _check_parent(schema, operation)
            _check_name(schema, operation, path)
            _check_type(operation, operation.type)
            return
        field = _existing(schema, operation)
        match operation:
            case Rename(new_name=new_name):
                _check_is_named(schema, operation)
                _check_name(schema, operation, (*path[:-1], new_name))
            case Promote(type=type_):
                before = to_arrow(field.field_type)
                if not is_promotion(before, type_):
                    raise _refused(
                        operation,
                        f"Iceberg cannot turn {_words(before)} into {_words(type_)} in place",
                    )
            case Drop():
                self._check_unused(operation, field)
                _check_is_named(schema, operation)
                if len([f for f in siblings(schema, path) if not f.name.startswith("_")]) == 1:
                    raise _refused(operation, "it is the only one there, and none would be left")
            case Retype():
                self._check_retype(schema, operation, field)

    def _check_retype(self, schema: Schema, operation: Retype, field: NestedField) -> None:
        path, _ = enclosing(schema, operation.path, operation.type)
        self._check_unused(operation, fields_on(schema, path)[-1])
        _check_type(operation, operation.type)
        before, after = to_arrow(field.field_type), operation.type
        if before == after:
            raise _refused(operation, f"it is {_words(after)} already")
        if not can_convert(before, after):
            raise _refused(
                operation,
                f"no {_words(before)} is a {_words(after)}",
                "Drop it and add it anew, or add a column beside it.",
            )

    def _check_unused(self, operation: Operation, field: NestedField) -> None:
        for number in ids_below(field):
            if number in self.in_use:
                raise _refused(
                    operation,
                    f"it is {self.in_use[number]}",
                    "Add a column beside it, or take the new shape into a new table.",
                )


def _live_specs(table: Table) -> Iterator[PartitionSpec]:
    yield table.spec()
    snapshot = table.current_snapshot()
    if snapshot is None:
        return
    with reachable(".".join(table.name())):
        manifests = snapshot.manifests(table.io)
    numbers = {
        m.partition_spec_id for m in manifests if m.has_added_files() or m.has_existing_files()
    }
    specs = table.specs()
    yield from (specs[number] for number in sorted(numbers) if number != table.spec().spec_id)


def _has_key(schema: Schema, path: Path) -> bool:
    """The path leads through the keys of a map."""
    fields = fields_on(schema, path)
    return any(
        isinstance(outer.field_type, MapType) and inner.name == "key"
        for outer, inner in pairwise(fields)
    )


def _existing(schema: Schema, operation: Operation) -> NestedField:
    path = path_of(operation)
    found = fields_on(schema, path)
    if len(found) < len(path):
        raise _refused(operation, "the table has no such column", "See which it has.")
    return found[-1]


def _check_is_named(schema: Schema, operation: Operation) -> None:
    path = path_of(operation)
    if len(path) > 1 and not isinstance(fields_on(schema, path)[-2].field_type, StructType):
        raise _refused(operation, "what is in a list or map has no name of its own")


def _check_parent(schema: Schema, operation: AddColumn) -> None:
    outer = operation.path[:-1]
    found = fields_on(schema, outer)
    if len(found) < len(outer) or (found and not isinstance(found[-1].field_type, StructType)):
        raise _refused(operation, "the table has no struct to hold it")


def _check_name(schema: Schema, operation: AddColumn | Rename, path: Path) -> None:
    name, renamed = path[-1], operation.path[-1] if isinstance(operation, Rename) else None
    if column_name(name) != name:
        raise _refused(
            operation, f"{name!r} is no name of a column", f"Call it {column_name(name)}."
        )
    for other in siblings(schema, path):
        is_itself = other.name == renamed and other.name != name  # in other letters' case
        if other.name.lower() == name.lower() and not is_itself:
            raise _refused(operation, f"{other.name} is there already", "Choose another name.")


def _check_type(operation: Operation, type_: pa.DataType) -> None:
    try:
        to_iceberg(type_, lambda: 0)
    except UnsupportedTypeError as error:
        raise _refused(operation, str(error).rstrip(".")) from error
    for names in _names(type_):
        if len({name.lower() for name in names}) < len(names):
            raise _refused(operation, f"two fields of {_words(type_)} have one name")


def _names(type_: pa.DataType) -> Iterator[list[str]]:
    """The names of the fields of each struct in the type."""
    if pa.types.is_struct(type_):
        yield [field.name for field in type_]
    for index in range(type_.num_fields):
        yield from _names(type_.field(index).type)


def _words(type_: pa.DataType) -> str:
    try:
        return format_type(type_)
    except ValueError:
        return str(type_)


def _refused(operation: Operation, why: str, instead: str = "") -> ReshapeRefusedError:
    return ReshapeRefusedError(
        f"{described(operation)}: {why}. Nothing was changed. {instead}".rstrip(),
        dotted(path_of(operation)),
    )
