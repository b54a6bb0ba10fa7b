"""One value against the type of its column: what the column holds of it, and what is left over.

A value fits or not. An integer fits a double that can hold it, a number without fraction fits a
long, a text fits a date, time, timestamp, binary or decimal if it parses. A number or boolean does
not fit a string, a text does not fit a number, unless it is `Untyped`.

What is left over keeps the names and the nesting of the file: a struct leaves an object of the
fields that did not fit or that the type lacks, a list leaves a list of the same length with null
where the element fitted. An empty or all-null field that the type lacks leaves nothing.
"""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ingest_assets.schema.column import accepts_any, name_in_files
from ingest_assets.schema.names import column_name
from ingest_assets.schema.text import (
    LONG_MAX,
    LONG_MIN,
    Untyped,
    as_float,
    fit_decimal,
    is_exact_double,
    text_parser,
)
from ingest_assets.schema.value_text import text_of


class _Fits:
    """Nothing is left over."""


FITS = _Fits()
Fitter = Callable[[Any], tuple[Any, Any]]
"""From a value to (what `pa.array` takes for the column, what is left over or `FITS`)."""


_SPELLINGS_KEPT = 100_000


def field_for(type_: pa.StructType, key: str) -> pa.Field | None:
    """The field of the struct that a file's `key` belongs to: by its spelling, else by its name."""
    for field in type_:
        if name_in_files(field) == key:
            return field
    index = type_.get_field_index(column_name(key))
    return None if index < 0 else type_.field(index)


def fitter(type_: pa.DataType, *, takes_any: bool = False) -> Fitter:
    """A function that fits values to the type. `takes_any`: every value, as its text."""
    if pa.types.is_struct(type_):
        return struct_fitter(type_)
    if pa.types.is_list(type_):
        field = type_.value_field
        return _list_fitter(fitter(field.type, takes_any=accepts_any(field)))
    if pa.types.is_map(type_):
        item = type_.item_field
        return _map_fitter(fitter(type_.key_type), fitter(item.type, takes_any=accepts_any(item)))
    if takes_any:
        return lambda value: (None if value is None else text_of(value), FITS)
    return _scalar_fitter(type_)


def struct_fitter(type_: pa.StructType, ignored: frozenset[str] = frozenset()) -> Fitter:
    """A function that fits objects to the struct; fields named in `ignored` are dropped.

    A field belongs to the type's field of that spelling, else to that of its column name.
    """
    fitters = {f.name: fitter(f.type, takes_any=accepts_any(f)) for f in type_}
    slots: dict[str, tuple[str, Fitter | None]] = {}

    def slot(key: str) -> tuple[str, Fitter | None]:
        field = field_for(type_, key)
        found = (column_name(key), None) if field is None else (field.name, fitters[field.name])
        if len(slots) < _SPELLINGS_KEPT:
            slots[key] = found
        return found

    def fit(value: Any) -> tuple[Any, Any]:
        if type(value) is not dict:
            return None, FITS if value is None else value
        fitted: dict[str, Any] = {}
        left: dict[str, Any] = {}
        for key, item in value.items():
            name, fit_item = slots.get(key) or slot(key)
            if fit_item is None or name in fitted:
                if name not in ignored and not says_nothing(item):
                    left[key] = item
                continue
            fitted[name], rest = fit_item(item)
            if rest is not FITS:
                left[key] = rest
        return fitted, left or FITS

    return fit


def _list_fitter(fit_item: Fitter) -> Fitter:
    def fit(value: Any) -> tuple[Any, Any]:
        if type(value) is not list:
            return None, FITS if value is None else value
        pairs = [fit_item(item) for item in value]
        fitted = [pair[0] for pair in pairs]
        if all(rest is FITS for _, rest in pairs):
            return fitted, FITS
        return fitted, [None if rest is FITS else rest for _, rest in pairs]

    return fit


def _map_fitter(fit_key: Fitter, fit_item: Fitter) -> Fitter:
    def fit(value: Any) -> tuple[Any, Any]:
        if value is None:
            return None, FITS
        if type(value) is dict:
            entries = list(value.items())
        elif type(value) is list and all(type(e) is tuple and len(e) == 2 for e in value):
            entries = value
        else:
            return None, value
        fitted, left = [], {}
        for key, item in entries:
            fitted_key, rest_of_key = fit_key(key)
            fitted_item, rest = fit_item(item)
            if rest_of_key is not FITS or fitted_key is None:
                left[str(key)] = item
                continue
            fitted.append((fitted_key, fitted_item))
            if rest is not FITS:
                left[str(key)] = rest
        return fitted, left or FITS

    return fit


def _scalar_fitter(type_: pa.DataType) -> Fitter:
    convert, parse = _converter(type_), _untyped_parser(type_)

    def fit(value: Any) -> tuple[Any, Any]:
        if value is None:
            return None, FITS
        fitted = parse(value) if type(value) is Untyped else convert(value)
        return (None, value) if fitted is None else (fitted, FITS)

    return fit


def _untyped_parser(type_: pa.DataType) -> Callable[[str], Any]:
    parse = text_parser(type_)
    return parse if pa.types.is_string(type_) else lambda text: parse(text.strip())


def _converter(type_: pa.DataType) -> Callable[[Any], Any]:
    """A function from a value to what Arrow takes for the type; None when it does not fit."""
    if pa.types.is_string(type_):
        return lambda value: value if type(value) is str else None
    if pa.types.is_boolean(type_):
        return lambda value: value if type(value) is bool else None
    if pa.types.is_integer(type_):
        low, high = (LONG_MIN, LONG_MAX) if type_.bit_width == 64 else (-(2**31), 2**31 - 1)
        return lambda value: _as_integer(value, low, high)
    if pa.types.is_float32(type_):
        return lambda value: as_float(_as_double(value))
    if pa.types.is_floating(type_):
        return _as_double
    if pa.types.is_decimal(type_):
        parse = text_parser(type_)
        return lambda value: _as_decimal(value, type_.precision, type_.scale, parse)
    parse = text_parser(type_)
    natural = _natural_classes(type_)
    return lambda value: parse(value) if type(value) is str else _as_is(value, natural)


def _natural_classes(type_: pa.DataType) -> tuple[type, ...]:
    if pa.types.is_date(type_):
        return (datetime.date,)
    if pa.types.is_timestamp(type_):
        return (datetime.datetime,)
    if pa.types.is_time(type_):
        return (datetime.time,)
    return (bytes,)


def _as_is(value: Any, natural: tuple[type, ...]) -> Any:
    return value if type(value) in natural else None


def _as_integer(value: Any, low: int, high: int) -> int | None:
    if type(value) is int:
        return value if low <= value <= high else None
    if (type(value) is float and value.is_integer()) or (
        type(value) is Decimal and value.is_finite() and value == value.to_integral_value()
    ):
        return int(value) if low <= value <= high else None
    return None


def _as_double(value: Any) -> float | None:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value) if is_exact_double(value) else None
    if type(value) is Decimal and value.is_finite():
        return float(value)
    return None


def _as_decimal(
    value: Any, precision: int, scale: int, parse: Callable[[str], Decimal | None]
) -> Decimal | None:
    if type(value) is str:
        return parse(value)
    if type(value) is float:
        value = Decimal(repr(value))
    elif type(value) is int:
        value = Decimal(value)
    return fit_decimal(value, precision, scale) if type(value) is Decimal else None


def says_nothing(value: Any) -> bool:
    """Null, or an object or list in which there is nothing but that."""
    if type(value) is dict:
        return all(says_nothing(item) for item in value.values())
    if type(value) is list:
        return all(says_nothing(item) for item in value)
    return value is None
