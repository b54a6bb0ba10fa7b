"""Iceberg types and Arrow types, to and fro, for exactly the types that Iceberg holds.

The mapping is that of the Iceberg specification (https://iceberg.apache.org/spec/#primitive-types);
Parquet field ids travel in Arrow field metadata, as pyarrow's Parquet writer reads them.
"""

from collections.abc import Callable

import pyarrow as pa
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    PrimitiveType,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from ingest_assets.errors import UnsupportedTypeError
from ingest_assets.schema.column import Column, Columns

_PRIMITIVES: dict[pa.DataType, PrimitiveType] = {
    pa.bool_(): BooleanType(),
    pa.int32(): IntegerType(),
    pa.int64(): LongType(),
    pa.float32(): FloatType(),
    pa.float64(): DoubleType(),
    pa.date32(): DateType(),
    pa.time64("us"): TimeType(),
    pa.timestamp("us"): TimestampType(),
    pa.timestamp("us", tz="UTC"): TimestamptzType(),
    pa.string(): StringType(),
    pa.binary(): BinaryType(),
}
_ARROW = {iceberg: arrow for arrow, iceberg in _PRIMITIVES.items()}
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_HOLDERS = {
    pa.int8(): pa.int32(),
    pa.int16(): pa.int32(),
    pa.uint8(): pa.int32(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.float16(): pa.float32(),
    pa.date64(): pa.date32(),
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
}
_FIELD_ID = b"PARQUET:field_id"


def to_iceberg(arrow: pa.DataType, next_id: Callable[[], int]) -> IcebergType:
    """The Iceberg type of an Arrow type; nested fields are optional and numbered by `next_id`.

    Raises:
        UnsupportedTypeError: Iceberg has no such type.
    """
    if pa.types.is_struct(arrow) and arrow.num_fields:
        return StructType(
            *(
                NestedField(next_id(), field.name, to_iceberg(field.type, next_id), required=False)
                for field in arrow
            )
        )
    if pa.types.is_list(arrow):
        element_id = next_id()
        return ListType(element_id, to_iceberg(arrow.value_type, next_id), element_required=False)
    if pa.types.is_map(arrow):
        key_id, value_id = next_id(), next_id()
        return MapType(
            key_id,
            to_iceberg(arrow.key_type, next_id),
            value_id,
            to_iceberg(arrow.item_type, next_id),
            value_required=False,
        )
    if pa.types.is_decimal128(arrow) and 0 <= arrow.scale <= arrow.precision:
        return DecimalType(arrow.precision, arrow.scale)
    if pa.types.is_fixed_size_binary(arrow):
        return FixedType(arrow.byte_width)
    if arrow not in _PRIMITIVES:
        raise UnsupportedTypeError(f"Iceberg has no type for Arrow's {arrow}.")
    return _PRIMITIVES[arrow]


def iceberg_form(arrow: pa.DataType) -> pa.DataType:
    """The type of this module that holds every value of `arrow`, where there is one.

    Timestamps are an exception: what is finer than a microsecond does not fit.
    """
    if pa.types.is_dictionary(arrow):
        return iceberg_form(arrow.value_type)
    if pa.types.is_struct(arrow):
        return pa.struct([pa.field(field.name, iceberg_form(field.type)) for field in arrow])
    if pa.types.is_map(arrow):
        return pa.map_(iceberg_form(arrow.key_type), iceberg_form(arrow.item_type))
    if any(is_list(arrow) for is_list in _LISTS):
        return pa.list_(pa.field("element", iceberg_form(arrow.value_type)))
    if pa.types.is_timestamp(arrow):
        return pa.timestamp("us", tz=arrow.tz and "UTC")
    if pa.types.is_time(arrow):
        return pa.time64("us")
    return _HOLDERS.get(arrow, arrow)


def to_arrow(iceberg: IcebergType) -> pa.DataType:
    """The Arrow type of an Iceberg type; nested fields carry their field ids.

    Raises:
        UnsupportedTypeError: a type of format version 3, which is not written yet.
    """
    match iceberg:
        case StructType():
            return pa.struct([_arrow_field(field) for field in iceberg.fields])
        case ListType():
            return pa.list_(_arrow_field(iceberg.element_field))
        case MapType():
            return pa.map_(_arrow_field(iceberg.key_field), _arrow_field(iceberg.value_field))
        case DecimalType():
            return pa.decimal128(iceberg.precision, iceberg.scale)
        case FixedType():
            return pa.binary(len(iceberg))
        case UUIDType():
            return pa.binary(16)
        case PrimitiveType() if iceberg in _ARROW:
            return _ARROW[iceberg]
    raise UnsupportedTypeError(f"A column of Iceberg's type {iceberg} cannot be written.")


def _arrow_field(field: NestedField) -> pa.Field:
    is_key = field.name == "key" and field.required
    return pa.field(
        field.name,
        to_arrow(field.field_type),
        nullable=not is_key,
        metadata={_FIELD_ID: str(field.field_id)},
    )


def arrow_file_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of a data file: every column with its field id, at every depth."""
    return pa.schema([_arrow_field(field) for field in schema.fields])


def columns_of(schema: Schema, lineage: frozenset[str]) -> Columns:
    """The table's own columns, without the lineage columns of the ingestion."""
    return tuple(
        Column(field.name, to_arrow(field.field_type), field.required, None, field.doc)
        for field in schema.fields
        if field.name not in lineage
    )
