"""Partition spec, sort order and properties of a table, from the declaration's terms."""

from dataclasses import dataclass
from typing import Any

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    TruncateTransform,
    YearTransform,
)
from pyiceberg.types import DoubleType, FloatType, NestedField

from ingest_assets.declaration.table import Table
from ingest_assets.declaration.table_terms import PartitionTerm, SortTerm
from ingest_assets.errors import TableLayoutError, TableOwnershipError

_FIRST_PARTITION_ID = 1000
_PLAIN: dict[str, Transform[Any, Any]] = {
    "identity": IdentityTransform(),
    "year": YearTransform(),
    "month": MonthTransform(),
    "day": DayTransform(),
    "hour": HourTransform(),
}
OWN_PROPERTIES = {
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
}
"""Retries are ours, because the client's own would skip the lease; merged manifests plan faster."""


@dataclass(frozen=True)
class TableLayout:
    """How the declaration wants the table: its partitions, its order, its properties."""

    partition_by: tuple[PartitionTerm, ...] = ()
    sort_by: tuple[SortTerm, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()

    def all_properties(self) -> dict[str, str]:
        """The declared properties and those that the ingestion needs."""
        return {**dict(self.properties), **OWN_PROPERTIES}


def layout_of(table: Table) -> TableLayout:
    """The layout that a declaration wants."""
    return TableLayout(
        tuple(PartitionTerm.parse(term) for term in table.partition_by),
        tuple(SortTerm.parse(term) for term in table.sort_by),
        tuple(sorted(table.properties.items())),
    )


def partition_spec(layout: TableLayout, schema: Schema) -> PartitionSpec:
    """The Iceberg partition spec over `schema`.

    Raises:
        TableLayoutError: a column is missing, or its type cannot be transformed so.
    """
    fields: list[PartitionField] = []
    for term in layout.partition_by:
        column = _column(schema, term.column, "table.partition_by")
        transform = _transform(term)
        # PyIceberg cannot replace the data files of a NaN's partition.
        is_float = isinstance(column.field_type, FloatType | DoubleType)
        if is_float or not transform.can_transform(column.field_type):
            raise TableLayoutError(
                f"table.partition_by: {term.transform}({term.column}) does not go with a column "
                f"of type {column.field_type}. Choose another transform, or another column."
            )
        fields.append(
            PartitionField(
                column.field_id, _FIRST_PARTITION_ID + len(fields), transform, _name(term)
            )
        )
    return PartitionSpec(*fields)


def sort_order(layout: TableLayout, schema: Schema) -> SortOrder:
    """The Iceberg sort order over `schema`.

    Raises:
        TableLayoutError: a column is missing, or is nested.
    """
    fields = []
    for term in layout.sort_by:
        column = _column(schema, term.column, "table.sort_by")
        if not column.field_type.is_primitive:
            raise TableLayoutError(
                f"table.sort_by: {term.column} is a {column.field_type} and has no order."
            )
        fields.append(
            SortField(
                source_id=column.field_id,
                transform=IdentityTransform(),
                direction=SortDirection.DESC if term.is_descending else SortDirection.ASC,
                null_order=(NullOrder.NULLS_FIRST if term.nulls_first else NullOrder.NULLS_LAST),
            )
        )
    return SortOrder(*fields)


def _column(schema: Schema, name: str, where: str) -> NestedField:
    for field in schema.fields:
        if field.name == name:
            return field
    names = ", ".join(field.name for field in schema.fields if not field.name.startswith("_"))
    raise TableLayoutError(
        f"{where} names the column {name}, which the first file does not have (it has {names}). "
        "Nothing of the file was written. Correct the declaration."
    )


def _transform(term: PartitionTerm) -> Transform[Any, Any]:
    match term.transform, term.width:
        case "bucket", int(width):
            return BucketTransform(width)
        case "truncate", int(width):
            return TruncateTransform(width)
        case _:
            return _PLAIN[term.transform]


def _name(term: PartitionTerm) -> str:
    if term.transform == "identity":
        return term.column
    suffix = {"truncate": "trunc"}.get(term.transform, term.transform)
    return "_".join([term.column, suffix, *([str(term.width)] if term.width else [])])


def check_spec(identifier: str, layout: TableLayout, spec: PartitionSpec, schema: Schema) -> None:
    """An existing table is partitioned as declared, or the declaration leaves it to the table.

    Raises:
        TableOwnershipError: both speak, and differ.
    """
    if not layout.partition_by:
        return
    declared = [(f.source_id, str(f.transform)) for f in partition_spec(layout, schema).fields]
    actual = [(field.source_id, str(field.transform)) for field in spec.fields]
    if declared != actual:
        raise TableOwnershipError(
            f"{identifier} is partitioned by {spec}, and the declaration says otherwise in "
            "table.partition_by. A change of partitioning in place is not available: correct the "
            "declaration, or name a new table."
        )
