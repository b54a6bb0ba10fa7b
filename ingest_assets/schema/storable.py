"""Which type that Iceberg holds an Arrow type of a file becomes.

| in the file | in the table |
|---|---|
| int8, int16, uint8, uint16 | int |
| uint32 | long |
| uint64 | decimal(20,0) |
| float16 | float |
| decimal32, decimal64, decimal256 up to 38 digits | decimal of the same digits |
| date64 | date |
| time32, time64[ns] | time |
| timestamp of any unit, with any zone | timestamptz, the same instant |
| timestamp of any unit, without zone | timestamp |
| large or view string or binary | string, binary |
| fixed-size and large lists | list |
| dictionary, run-end encoded, extension | what it stands for |
| null | nothing: the column says nothing |
| duration, interval, union, empty struct | `UnsupportedTypeError` |

A nanosecond that is not a whole microsecond does not fit and is rescued as its text.
"""

import pyarrow as pa

from ingest_assets.errors import UnsupportedTypeError
from ingest_assets.schema.column import nested_field
from ingest_assets.schema.names import claim_name
from ingest_assets.schema.types import TIMESTAMPTZ, format_type

_EQUAL: dict[pa.DataType, pa.DataType] = {
    pa.int8(): pa.int32(),
    pa.int16(): pa.int32(),
    pa.uint8(): pa.int32(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(),
    pa.date64(): pa.date32(),
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
}


MAX_DEPTH = 50
"""Objects, lists or elements inside of each other. PyIceberg 0.12 writes the metadata of a table
with some 65 and cannot read it again: pydantic reads 200 levels of JSON, a struct takes three."""


def storable_type(type_: pa.DataType, path: str) -> pa.DataType | None:
    """The type by the table above, nested names by `schema.names`; None for one of nulls only.

    Raises:
        UnsupportedTypeError: Iceberg cannot hold it, or it is nested more than `MAX_DEPTH` levels
            deep; `path` names the column.
        ColumnNameError: two fields of a struct would become one.
    """
    if _is_too_deep(type_):
        raise UnsupportedTypeError(
            f"The field {path!r} is nested more than {MAX_DEPTH} levels deep. Nothing of the file "
            "was written. Write what is deeper as a string of JSON."
        )
    return _stored(type_, path)


def _is_too_deep(type_: pa.DataType) -> bool:
    level = [type_]
    for _ in range(MAX_DEPTH):
        level = [t.field(index).type for t in level for index in range(t.num_fields)]
    return bool(level)


def _stored(type_: pa.DataType, path: str) -> pa.DataType | None:
    if pa.types.is_null(type_):
        return None
    if type_ in _EQUAL:
        return _EQUAL[type_]
    if isinstance(type_, pa.BaseExtensionType):
        return _stored(type_.storage_type, path)
    if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
        return _stored(type_.value_type, path)
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us") if type_.tz is None else TIMESTAMPTZ
    if pa.types.is_time(type_):
        return pa.time64("us")
    if pa.types.is_decimal(type_):
        return _decimal(type_, path)
    if pa.types.is_nested(type_):
        return _nested(type_, path)
    try:
        format_type(type_)
    except ValueError as error:
        raise _unsupported(type_, path) from error
    return type_


def _decimal(type_: pa.DataType, path: str) -> pa.DataType:
    if type_.precision > 38 or not 0 <= type_.scale <= type_.precision:
        raise _unsupported(type_, path)
    return pa.decimal128(type_.precision, type_.scale)


def _nested(type_: pa.DataType, path: str) -> pa.DataType | None:
    if pa.types.is_struct(type_):
        return _struct(type_, path)
    if pa.types.is_map(type_):
        key = _stored(type_.key_type, f"{path} (key)")
        item = _stored(type_.item_type, f"{path}{{}}")
        return None if key is None or item is None else pa.map_(key, item)
    if (
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    ):
        element = _stored(type_.value_type, f"{path}[]")
        return None if element is None else pa.list_(nested_field("element", element))
    raise _unsupported(type_, path)


def _struct(type_: pa.StructType, path: str) -> pa.DataType:
    taken: dict[str, str] = {}
    fields = []
    for field in type_:
        name = claim_name(field.name, taken)
        stored = _stored(field.type, f"{path}.{field.name}")
        if stored is not None:
            fields.append(nested_field(name, stored, source_name=field.name))
    if not fields:
        raise _unsupported(type_, path)
    return pa.struct(fields)


def _unsupported(type_: pa.DataType, path: str) -> UnsupportedTypeError:
    return UnsupportedTypeError(
        f"The field {path!r} has the type {type_}, which Iceberg cannot hold. Nothing of the file "
        "was written. Write it as another type, for example as a number or string."
    )
