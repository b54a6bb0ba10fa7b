"""Whole arrays of text as values of a type, by the grammar of `schema.text`.

Arrow's own casts do the work where they provably agree with the grammar; what they refuse, or read
more generously, goes through the grammar text by text.
"""

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.schema.text import TIMESTAMP_MAX_US, TIMESTAMP_MIN_US, text_parser
from ingest_assets.schema.types import TIMESTAMPTZ

_EXACT_DOUBLE = float(2**53)
_TRIED_FIRST = 16


def fit_text(text: pa.Array, type_: pa.DataType) -> tuple[pa.Array, pa.Array | None]:
    """The values (null where a text does not fit), and which texts do not; None when all do."""
    if pa.types.is_string(type_):
        return text, None
    if text.null_count == len(text):
        return pa.nulls(len(text), type_), None
    fitted = _cast(text, type_)
    if fitted is not None:
        return fitted, None
    return _parse_each(text, type_)


def fits_wholly(text: pa.Array, type_: pa.DataType) -> bool:
    """Every text of the array is a value of the type, as far as Arrow can tell by itself."""
    return _cast(text, type_) is not None


def _parse_each(text: pa.Array, type_: pa.DataType) -> tuple[pa.Array, pa.Array | None]:
    encoded = text.dictionary_encode()
    parse = text_parser(type_)
    values = [parse(item) for item in encoded.dictionary.to_pylist()]
    fitted = pa.array(values, type=type_).take(encoded.indices)
    if fitted.null_count == text.null_count:
        return fitted, None
    return fitted, pc.and_(fitted.is_null(), text.is_valid())


def _cast(text: pa.Array, type_: pa.DataType) -> pa.Array | None:
    """The texts cast, or None when the cast fails or might differ from the grammar.

    A cast that fails is slow: Arrow words an error for each value. So the first ones go before.
    """
    try:
        if len(text) > _TRIED_FIRST and _cast(_first(text), type_) is None:
            return None
        if pa.types.is_integer(type_):
            values = pc.cast(text, type_)
            return values if pc.cast(values, pa.string()).equals(text) else None
        if pa.types.is_float64(type_):
            return _cast_double(text)
        if pa.types.is_date32(type_):
            return pc.cast(text, type_) if _is_all(pc.equal(pc.binary_length(text), 10)) else None
        if pa.types.is_timestamp(type_):
            return _cast_timestamp(text, type_)
    except pa.ArrowInvalid:
        return None
    if pa.types.is_boolean(type_):
        lower = pc.ascii_lower(text)
        is_true = pc.equal(lower, "true")
        return is_true if _is_all(pc.or_(is_true, pc.equal(lower, "false"))) else None
    return None


def _first(text: pa.Array) -> pa.Array:
    """The first texts that are not null."""
    return (text.drop_null() if text.null_count else text).slice(0, _TRIED_FIRST)


def _is_all(mask: pa.Array) -> bool:
    return bool(pc.all(mask).as_py())


def _is_any(mask: pa.Array) -> bool:
    return bool(pc.any(mask).as_py())


def _cast_double(text: pa.Array) -> pa.Array | None:
    """Arrow also takes `007`, `+1`, `nan` and `inf`, and rounds integers beyond 2**53."""
    values = pc.cast(text, pa.float64())
    extent = pc.min_max(values)
    low, high = extent["min"].as_py(), extent["max"].as_py()
    if not (low > -_EXACT_DOUBLE and high < _EXACT_DOUBLE) or _is_any(pc.is_nan(values)):
        return None
    if _is_any(pc.match_substring_regex(text, r"^(-?0[0-9]|\+)")):
        return None
    return values


def _cast_timestamp(text: pa.Array, type_: pa.DataType) -> pa.Array | None:
    """Texts that all have a zone, or all have none."""
    try:
        pc.cast(_first(text), TIMESTAMPTZ)
        has_zone = True
    except pa.ArrowInvalid:
        has_zone = False
    values = pc.cast(text, TIMESTAMPTZ if has_zone else pa.timestamp("us"))
    numbers = pc.cast(values, pa.int64())
    extent = pc.min_max(numbers)
    if extent["min"].as_py() < TIMESTAMP_MIN_US or extent["max"].as_py() > TIMESTAMP_MAX_US:
        return None
    return pc.cast(numbers, type_)
