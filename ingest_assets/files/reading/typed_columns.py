"""Columns of a file with declared types as columns of the table: cast whole, or value by value."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.schema.calendar import is_in_calendar
from ingest_assets.schema.column import Columns, accepts_any, as_struct
from ingest_assets.schema.fit import FITS, field_for, fitter, says_nothing
from ingest_assets.schema.names import claim_name
from ingest_assets.schema.storable import storable_type
from ingest_assets.schema.text_arrays import fit_text


@dataclass(frozen=True)
class FileColumn:
    """A column of the file. `expected`: the table's field; `own`: its type there by itself."""

    spelled: str
    name: str
    expected: pa.Field | None
    own: pa.DataType | None


def file_columns(schema: pa.Schema, columns: Columns) -> list[FileColumn]:
    """Every column of the file and where it goes.

    Raises:
        UnsupportedTypeError: Iceberg cannot hold one.
        ColumnNameError: two would become one.
    """
    struct = as_struct(columns)
    taken: dict[str, str] = {}
    found = []
    for field in schema:
        expected = field_for(struct, field.name)
        name = claim_name(field.name, taken, None if expected is None else expected.name)
        own = storable_type(field.type, field.name)
        found.append(FileColumn(field.name, name, expected, own))
    return found


def cast_whole(array: pa.Array, type_: pa.DataType) -> pa.Array | None:
    """The array as `type_` if every value is the same there and can be told, else None.

    Texts that are no UTF-8, and moments beyond the years 1 to 9999, cannot.
    """
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return None
    held = _cast(array, type_)
    return held if held is not None and is_in_calendar(held) else None


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array | None:
    array = _plain(array)
    if array.type == type_:
        return array
    if array.null_count == len(array):
        return pa.nulls(len(array), type_)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        values, misfits = fit_text(pc.cast(array, pa.string()), type_)
        return values if misfits is None else None
    if pa.types.is_struct(array.type) and pa.types.is_struct(type_):
        return _cast_struct(array, type_)
    if pa.types.is_list(array.type) and pa.types.is_list(type_):
        return _cast_list(array, type_)
    if not _is_castable(array.type, type_):
        return None
    try:
        return pc.cast(array, type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _cast_struct(array: pa.StructArray, type_: pa.StructType) -> pa.Array | None:
    children = {field.name: pa.nulls(len(array), field.type) for field in type_}
    for index, source in enumerate(array.type):
        child = array.field(index)
        field = field_for(type_, source.name)
        held = None if field is None else _cast(child, field.type)
        if held is not None and field is not None:
            children[field.name] = held
        elif child.null_count < len(child):
            return None
    return pa.StructArray.from_arrays(
        list(children.values()), fields=list(type_), mask=array.is_null()
    )


def _cast_list(array: pa.ListArray, type_: pa.ListType) -> pa.Array | None:
    if array.offset:
        # Arrow cannot build a list from offsets that are themselves a slice.
        array = array.take(pa.arange(0, len(array)))
    values = _cast(array.values, type_.value_type)
    if values is None:
        return None
    return pa.ListArray.from_arrays(array.offsets, values, type=type_, mask=array.is_null())


def _plain(array: pa.Array) -> pa.Array:
    """Without dictionary, run-end or extension."""
    if isinstance(array.type, pa.BaseExtensionType):
        return _plain(array.storage)
    if pa.types.is_dictionary(array.type):
        return _plain(array.dictionary_decode())
    if pa.types.is_run_end_encoded(array.type):
        return _plain(pc.run_end_decode(array))
    return array


def _is_castable(source: pa.DataType, target: pa.DataType) -> bool:
    """Arrow's safe cast between the types keeps every value, or refuses."""
    t = pa.types
    if t.is_large_list(source) or t.is_fixed_size_list(source):
        return bool(t.is_list(target) and source.value_type == target.value_type)
    if t.is_integer(source):
        return bool(t.is_integer(target) or t.is_float64(target) or t.is_decimal(target))
    pairs = (
        (t.is_floating, t.is_float64),
        (t.is_float16, t.is_float32),
        (t.is_decimal, t.is_decimal),
        (t.is_date, t.is_date32),
        (t.is_time, t.is_time),
        (t.is_timestamp, t.is_timestamp),
        (t.is_large_string, t.is_string),
        (t.is_large_binary, t.is_binary),
        (t.is_fixed_size_binary, t.is_binary),
    )
    views = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return views.get(source) == target or any(a(source) and b(target) for a, b in pairs)


def fit_each(column: FileColumn, array: pa.Array) -> tuple[pa.Array | None, dict[int, Any]]:
    """The array value by value for the table's field (None: it has none), and what is left."""
    values = _values(array)
    if column.expected is None:
        return None, {row: v for row, v in enumerate(values) if not says_nothing(v)}
    fit = fitter(column.expected.type, takes_any=accepts_any(column.expected))
    fitted, left = [], {}
    for row, value in enumerate(values):
        held, rest = fit(value)
        fitted.append(held)
        if rest is not FITS:
            left[row] = rest
    return pa.array(fitted, type=column.expected.type), left


def _values(array: pa.Array) -> list[Any]:
    """As Python has them: objects are dicts, lists lists, maps lists of pairs."""
    array = _plain(array)
    type_ = array.type
    if pa.types.is_struct(type_):
        names = [field.name for field in type_]
        parts = [_values(part) for part in array.flatten()]
        values: list[Any] = [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]
    elif pa.types.is_fixed_size_list(type_):
        return _values(pc.cast(array, pa.list_(type_.value_type)))
    elif pa.types.is_nested(type_):
        if pa.types.is_map(type_):
            items = list(zip(_values(array.keys), _values(array.items), strict=True))
        else:
            items = _values(array.values)
        values = [items[begin:end] for begin, end in pairwise(array.offsets.to_pylist())]
    else:
        return _scalars(array)
    is_valid = array.is_valid().to_pylist()
    return [value if valid else None for value, valid in zip(values, is_valid, strict=True)]


def _scalars(array: pa.Array) -> list[Any]:
    """A moment that Python cannot hold is its text, in UTC; a text that is no UTF-8 its bytes."""
    if not _is_of_nanoseconds(array.type):
        try:
            return list(array.to_pylist())
        except UnicodeDecodeError:
            return [_decoded(value) for value in pc.cast(array, pa.large_binary()).to_pylist()]
        except (ValueError, OverflowError):
            if not pa.types.is_temporal(array.type):
                raise
    if not pa.types.is_timestamp(array.type) or array.type.tz is None:
        return list(pc.cast(array, pa.string()).to_pylist())
    texts = pc.cast(array.view(pa.timestamp(array.type.unit)), pa.string())
    return [None if text is None else f"{text}Z" for text in texts.to_pylist()]


def _is_of_nanoseconds(type_: pa.DataType) -> bool:
    has_unit = pa.types.is_timestamp(type_) or pa.types.is_time(type_)
    return has_unit and bool(type_.unit == "ns")


def _decoded(text: bytes | None) -> str | bytes | None:
    try:
        return None if text is None else text.decode()
    except UnicodeDecodeError:
        return text
