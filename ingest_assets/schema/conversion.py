"""Whole arrays of one type as values of another: exactly, or counted as misfits.

| from | to |
|---|---|
| anything | string: its text, as a column that `accepts_any` has it (`schema.fit.text_of`) |
| string | any scalar, by the grammar of `schema.text` |
| int, long, float, double, decimal | each other |
| date, timestamp, timestamptz | each other, in UTC; a moment is a date only at midnight |
| binary, fixed | each other, of the same length |
| list, map, struct | its like, inside by this table; keys stay, a struct loses no field |
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.schema.fit import fitter
from ingest_assets.schema.nested import entries_of, with_entries
from ingest_assets.schema.text_arrays import fit_text
from ingest_assets.schema.value_text import text_of

_EXAMPLE_CHARS = 60
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_MOMENTS = (pa.types.is_date, pa.types.is_timestamp)
_BYTES = (pa.types.is_binary, pa.types.is_fixed_size_binary)


@dataclass(frozen=True)
class Misfits:
    """How many values did not convert, and the text of one of them."""

    count: int = 0
    example: str = ""

    def __add__(self, other: "Misfits") -> "Misfits":
        return Misfits(self.count + other.count, self.example if self.count else other.example)


NO_MISFITS = Misfits()


def can_convert(before: pa.DataType, after: pa.DataType) -> bool:
    """Some value of `before` has its like in `after`."""
    t = pa.types
    if before == after or t.is_string(after) or t.is_null(before):
        return True
    if t.is_list(before) and t.is_list(after):
        return can_convert(before.value_type, after.value_type)
    if t.is_map(before) and t.is_map(after):
        return before.key_type == after.key_type and can_convert(before.item_type, after.item_type)
    if t.is_struct(before) and t.is_struct(after):
        known = {field.name: field.type for field in after}
        return all(f.name in known and can_convert(f.type, known[f.name]) for f in before)
    if t.is_nested(before) or t.is_nested(after):
        return False
    families = (_NUMBERS, _MOMENTS, _BYTES)
    return t.is_string(before) or any(_is_of(before, f) and _is_of(after, f) for f in families)


def convert(array: pa.Array, type_: pa.DataType) -> tuple[pa.Array, Misfits]:
    """The values as `type_`; null where they were null or do not convert, and how many do not.

    A nested value inside of which something does not convert keeps the rest, and counts.

    Raises:
        ValueError: not `can_convert`; or a moment outside of the years 1 to 9999.
    """
    t = pa.types
    if array.type == type_:
        return array, NO_MISFITS
    if array.null_count == len(array):
        return pa.nulls(len(array), type_), NO_MISFITS
    if not can_convert(array.type, type_):
        raise ValueError(f"no value of {array.type} is one of {type_}")
    if t.is_string(type_):
        return texts(array), NO_MISFITS
    if t.is_struct(type_):
        return _struct(array, type_)
    if t.is_list(type_) or t.is_map(type_):
        return _entries(array, type_)
    values = _scalars(array, type_)
    return values, _misfits(array, values)


def texts(array: pa.Array) -> pa.Array:
    """The text of each value, null where it is null."""
    t = pa.types
    if t.is_string(array.type):
        return array
    if t.is_integer(array.type) or t.is_boolean(array.type) or t.is_date(array.type):
        return pc.cast(array, pa.string())
    if t.is_timestamp(array.type):
        wall = pc.cast(array.view(pa.timestamp("us")), pa.string())
        iso = pc.replace_substring(wall, " ", "T", max_replacements=1)
        zone = "" if array.type.tz is None else "+00:00"
        return pc.binary_join_element_wise(
            pc.replace_substring_regex(iso, r"\.000000$", ""), zone, ""
        )
    return _each(array, pa.string(), text_of)


def _each(array: pa.Array, type_: pa.DataType, function: Callable[[Any], Any]) -> pa.Array:
    """The function of each value that is not null; equal values are looked at once.

    Not so floats, because 0.0 equals -0.0, nor nested values, which Arrow cannot tell apart.
    """
    if pa.types.is_floating(array.type) or pa.types.is_nested(array.type):
        found = [None if value is None else function(value) for value in array.to_pylist()]
        return pa.array(found, type_)
    encoded = array.dictionary_encode()
    found = [function(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(found, type_).take(encoded.indices)


def _struct(array: pa.StructArray, type_: pa.StructType) -> tuple[pa.Array, Misfits]:
    parts = dict(zip([field.name for field in array.type], array.flatten(), strict=True))
    children, misfits = [], NO_MISFITS
    for field in type_:
        part = parts.get(field.name, pa.nulls(len(array), field.type))
        child, found = convert(part, field.type)
        children.append(child)
        misfits += found
    return pa.StructArray.from_arrays(children, fields=list(type_), mask=array.is_null()), misfits


def _entries(array: pa.Array, type_: pa.DataType) -> tuple[pa.Array, Misfits]:
    entries = entries_of(array)
    if pa.types.is_list(type_):
        converted, misfits = convert(entries, type_.value_type)
        return with_entries(array, converted, type_), misfits
    keys, items = entries.flatten()
    converted, misfits = convert(items, type_.item_type)
    pairs = pa.StructArray.from_arrays([keys, converted], ["key", "value"])
    return with_entries(array, pairs, type_), misfits


def _scalars(array: pa.Array, type_: pa.DataType) -> pa.Array:
    t = pa.types
    if t.is_string(array.type):
        return fit_text(array, type_)[0]
    if _is_of(array.type, _MOMENTS):
        return _moments(array, type_)
    if t.is_fixed_size_binary(type_):
        is_long = pc.equal(pc.binary_length(pc.cast(array, pa.binary())), type_.byte_width)
        none = pa.scalar(None, pa.binary())
        return pc.cast(pc.if_else(is_long, pc.cast(array, pa.binary()), none), type_)
    if t.is_binary(type_):
        return pc.cast(array, type_)
    if t.is_integer(array.type) and t.is_integer(type_):
        try:
            return pc.cast(array, type_)
        except pa.ArrowInvalid:
            pass  # some do not fit: which, is found below
    return _each(array, type_, _number(type_))


def _moments(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if not pa.types.is_date(type_):
        if pa.types.is_date(array.type):
            array = pc.cast(array, pa.timestamp("us"))
        return array.view(pa.int64()).view(type_)
    moments = array.view(pa.int64()).view(pa.timestamp("us"))
    days = pc.cast(moments, pa.date32(), safe=False)
    is_midnight = pc.equal(pc.cast(days, moments.type), moments)
    return pc.if_else(is_midnight, days, pa.scalar(None, pa.date32()))


def _number(type_: pa.DataType) -> Callable[[Any], Any]:
    """A function from a number to the same one of the type; None for one that would differ."""
    fit = fitter(type_)
    if not pa.types.is_floating(type_):
        return lambda value: fit(value)[0]
    is_double = pa.types.is_float64(type_)

    def exact(value: Any) -> Any:
        fitted = fit(value)[0]
        if fitted is None:
            return None
        held = pa.scalar(fitted, type_).as_py()
        if type(value) is Decimal:
            return fitted if Decimal(repr(held) if is_double else held) == value else None
        return fitted if held == value or value != value else None

    return exact


def _misfits(array: pa.Array, values: pa.Array) -> Misfits:
    count = values.null_count - array.null_count
    if not count:
        return NO_MISFITS
    lost = array.filter(pc.and_(values.is_null(), array.is_valid()))
    text = text_of(lost[0].as_py())
    is_cut = len(text) > _EXAMPLE_CHARS
    return Misfits(count, text[:_EXAMPLE_CHARS] + "..." * is_cut)


def _is_of(type_: pa.DataType, family: tuple[Callable[[pa.DataType], bool], ...]) -> bool:
    return any(is_kind(type_) for is_kind in family)
