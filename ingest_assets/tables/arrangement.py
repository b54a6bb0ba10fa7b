"""Rows on their way into data files: split by partition, put in the table's sort order."""

from collections.abc import Iterator
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey, partition_record_value
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField
from pyiceberg.typedef import Record

MAX_PATH_SEGMENT = 200
"""A partition value longer than this stays out of the file's address (file systems allow 255)."""


class Partition(PartitionKey):
    """A partition key that may have several fields over one column, as Iceberg allows.

    PyIceberg's own refuses them (read in 0.12.0); drop this when it does not.
    """

    @cached_property
    def partition(self) -> Record:
        """The values as they stand in the manifest."""
        return Record(
            *(
                # Transforms give integers already, which the converter of a time column refuses.
                value.value
                if isinstance(value.value, int)
                else partition_record_value(value.field, value.value, self.schema)
                for value in self.field_values
            )
        )

    def to_path(self) -> str:
        """The folder of the partition's files, for people's eyes; Iceberg does not read it."""
        segments = super().to_path().split("/")
        return "/".join(segment[:MAX_PATH_SEGMENT] for segment in segments)


def split_by_partition(
    rows: pa.Table, metadata: TableMetadata
) -> Iterator[tuple[Partition, pa.Table]]:
    """Each partition that has rows, and its rows in the order in which they came."""
    spec, schema = metadata.spec(), metadata.schema()
    if spec.is_unpartitioned():
        yield Partition([], spec, schema), rows
        return
    names = [f"p{index}" for index in range(len(spec.fields))]
    values = [
        field.transform.pyarrow_transform(schema.find_field(field.source_id).field_type)(
            _source(rows, metadata, field.source_id)
        )
        for field in spec.fields
    ]
    keyed = pa.table([*values, pa.array(range(rows.num_rows), pa.int64())], [*names, "row"])
    # Threads give the rows of a group in any order.
    grouped = keyed.group_by(names, use_threads=False)
    groups = grouped.aggregate([("row", "list")]).combine_chunks()
    members = groups["row_list"].combine_chunks()
    for index, group in enumerate(groups.select(names).to_pylist()):
        key = Partition(
            [
                PartitionFieldValue(field, group[name])
                for field, name in zip(spec.fields, names, strict=True)
            ],
            spec,
            schema,
        )
        yield key, rows.take(members[index].values)


def is_sorted(metadata: TableMetadata) -> bool:
    """The table has a sort order."""
    return metadata.default_sort_order_id != 0


def in_order(rows: pa.Table, metadata: TableMetadata) -> pa.Table:
    """The rows in the table's sort order; as they are if it has none.

    NaN counts as the largest number, as Iceberg has it.
    """
    if not is_sorted(metadata):
        return rows
    return rows.take(sort_indices(sort_keys(rows, metadata)))


def sort_keys(rows: pa.Table, metadata: TableMetadata) -> pa.Table:
    """What the rows are sorted by: columns named `ascending` or `descending` and a number."""
    order = metadata.sort_order_by_id(metadata.default_sort_order_id)
    found = [
        key
        for field in (order.fields if order is not None else ())
        for key in _sort_keys(rows, metadata, field)
    ]
    names = [f"{direction} {number}" for number, (_, direction) in enumerate(found)]
    return pa.table([key for key, _ in found], names)


def sort_indices(keys: pa.Table) -> pa.Array:
    """The places of the rows of `sort_keys` in their order; equal ones stay as they came."""
    by = [(name, name.partition(" ")[0]) for name in keys.column_names]
    return pc.sort_indices(keys, sort_keys=by)


def _sort_keys(
    rows: pa.Table, metadata: TableMetadata, field: SortField
) -> Iterator[tuple[pa.ChunkedArray, str]]:
    """Nulls and NaN by keys of their own: Arrow places them in one way for all sort keys."""
    source_type = metadata.schema().find_field(field.source_id).field_type
    column = field.transform.pyarrow_transform(source_type)(
        _source(rows, metadata, field.source_id)
    )
    direction = "descending" if field.direction == SortDirection.DESC else "ascending"
    nulls_first = field.null_order == NullOrder.NULLS_FIRST
    yield pc.is_null(column), "descending" if nulls_first else "ascending"
    if pa.types.is_floating(column.type):
        yield pc.is_nan(column), direction
    yield column, direction


def _source(rows: pa.Table, metadata: TableMetadata, field_id: int) -> pa.ChunkedArray:
    """The column of that id; a field inside of structs is null where they are."""
    name = metadata.schema().find_column_name(field_id)
    if name is None:
        raise ValueError(f"the schema has no field id {field_id}")
    if name in rows.column_names:
        return rows[name]
    first, *path = name.split(".")
    return pc.struct_field(rows[first], path)
