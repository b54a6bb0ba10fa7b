"""Operations on a schema, worked out on a table before anything is written or committed."""

from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.exceptions import ValidationError
from pyiceberg.schema import Schema
from pyiceberg.table import Table, TableProperties, Transaction
from pyiceberg.table.update import AddSchemaUpdate, AssertCurrentSchemaId, SetCurrentSchemaUpdate

from ingest_assets.decision_errors import ReshapeRefusedError
from ingest_assets.tables.field_paths import enclosing, siblings_before
from ingest_assets.tables.iceberg_types import to_iceberg
from ingest_assets.tables.operations import (
    AddColumn,
    Drop,
    Fill,
    Operation,
    Promote,
    Rename,
    Retype,
    described,
    dotted,
    path_of,
)
from ingest_assets.tables.reshape_rules import Rules
from ingest_assets.tables.restructuring import Replaced, Restructuring


@dataclass(frozen=True)
class FillAt:
    """A fill and the schema of the rows that it sees."""

    fill: Fill
    schema: Schema


@dataclass(frozen=True)
class Reshaping:
    """What the operations make of the table's schema, and what the rows pass through.

    `schemas` has the schema that each operation meets, and `steps` a restructuring
    before, between and after the fills, so that each fill sees the rows as the operations before
    it leave them.
    """

    before: Schema
    schema: Schema
    schemas: tuple[Schema, ...]
    name_mapping: str | None
    steps: tuple[Restructuring | FillAt, ...]
    converts_rows: bool

    def stage(self, transaction: Transaction) -> None:
        """The transaction has the new schema, in one update and without those in between."""
        if self.schema == transaction.table_metadata.schema():
            return
        # Private: PyIceberg (0.12.0) has no update that sets a whole schema, and several updates
        # would leave each schema in between in the metadata. To drop: when it has one.
        known = transaction.table_metadata.schemas
        old = next((schema.schema_id for schema in known if schema == self.schema), None)
        new_id = 1 + max(schema.schema_id for schema in known)
        added = self.schema.model_copy(update={"schema_id": new_id})
        last = SetCurrentSchemaUpdate.model_validate({"schema-id": -1 if old is None else old})
        was = AssertCurrentSchemaId.model_validate({"current-schema-id": self.before.schema_id})
        updates = (last,) if old is not None else (AddSchemaUpdate(schema=added), last)
        transaction._stage(updates, (was,))
        if self.name_mapping is not None:
            transaction.set_properties({TableProperties.DEFAULT_NAME_MAPPING: self.name_mapping})


def reshaping(table: Table, operations: tuple[Operation, ...]) -> Reshaping:
    """What the operations, one after the other, make of the table.

    Raises:
        ReshapeRefusedError: one of them cannot be made; it says what can.
        CatalogError: the warehouse is out of reach.
    """
    rules = Rules.of(table)
    scratch = table.transaction()  # never committed
    before = start = table.schema()
    steps: list[Restructuring | FillAt] = []
    schemas: list[Schema] = []
    replaced: dict[int, Replaced] = {}
    for operation in operations:
        schema = scratch.table_metadata.schema()
        schemas.append(schema)
        rules.check(schema, operation)
        if isinstance(operation, Fill):
            steps += [Restructuring(start, schema, replaced), FillAt(operation, schema)]
            start, replaced = schema, {}
            continue
        try:
            _apply(scratch, operation, replaced)
        except (ValueError, ValidationError) as error:  # PyIceberg's own rules
            said = f"{described(operation)}: {error}. Nothing was changed."
            raise ReshapeRefusedError(said, dotted(path_of(operation))) from error
    schema = scratch.table_metadata.schema()
    steps.append(Restructuring(start, schema, replaced))
    properties = scratch.table_metadata.properties
    return Reshaping(
        before,
        schema,
        tuple(schemas),
        properties.get(TableProperties.DEFAULT_NAME_MAPPING),
        tuple(steps),
        any(isinstance(operation, Fill | Retype) for operation in operations),
    )


def _apply(scratch: Transaction, operation: Operation, replaced: dict[int, Replaced]) -> None:
    match operation:
        case Retype():
            _replace(scratch, operation, replaced)
        case AddColumn(path, type_, doc):
            with scratch.update_schema() as update:
                update.add_column(path, to_iceberg(type_, lambda: 0), doc)
        case Promote(path, type_):
            with scratch.update_schema() as update:
                update.update_column(path, to_iceberg(type_, lambda: 0))
        case Rename(path, new_name):
            with scratch.update_schema() as update:
                update.rename_column(path, new_name)
        case Drop(path):
            with scratch.update_schema() as update:
                update.delete_column(path)


def _replace(scratch: Transaction, operation: Retype, replaced: dict[int, Replaced]) -> None:
    """A new field of the type in the place of the old one.

    An element or value has no place of its own in an update, so its list or map is replaced. The
    field goes and comes in one update, because PyIceberg (0.12.0) takes a list or
    map of a struct without fields for one without a type (`element or data["element_type"]`).
    """
    schema = scratch.table_metadata.schema()
    path, type_ = enclosing(schema, operation.path, operation.type)
    old = schema.find_field(dotted(path))
    previous = siblings_before(schema, path)
    with scratch.update_schema() as update:
        update.delete_column(path)
        update.add_column(path, to_iceberg(type_, lambda: 0), old.doc)
    with scratch.update_schema() as update:  # the one before finds the old field by that name
        if previous is None:
            update.move_first(path)
        else:
            update.move_after(path, (*path[:-1], previous))
    new = scratch.table_metadata.schema().find_field(dotted(path))
    earlier = replaced.get(old.field_id)
    origin = old.field_id if earlier is None else earlier.field_id
    known = None
    if operation.known is not None and pa.types.is_string(operation.type):
        _, known = enclosing(schema, operation.path, operation.known)
    replaced[new.field_id] = Replaced(origin, operation.path, known)
