"""The kind of a value, and the type of values of the same or of several kinds.

| what all values are | type |
|---|---|
| integers of 64 bits | long |
| integers, some of up to 38 digits | decimal(38,0) |
| numbers | double |
| true and false | boolean |
| texts that are ISO 8601 dates | date |
| texts that are ISO 8601 timestamps, or those and dates | timestamptz |
| other texts | string |
| objects | struct, merged field by field |
| lists | list of what all elements are |
| anything else together | string that accepts any value as its text |

In CSV and XML every value is a text that may stand for another one: true and false in any case are
booleans, numbers are what `schema.text` takes for some.
"""

from typing import Any

import pyarrow as pa

from ingest_assets.schema.text import (
    LONG_MAX,
    LONG_MIN,
    Untyped,
    parse_boolean,
    parse_date,
    parse_double,
    parse_integer,
    parse_timestamp,
)
from ingest_assets.schema.types import TIMESTAMPTZ

KIND_TYPES: dict[frozenset[str], pa.DataType] = {
    frozenset({"long"}): pa.int64(),
    frozenset({"big"}): pa.decimal128(38, 0),
    frozenset({"long", "big"}): pa.decimal128(38, 0),
    frozenset({"boolean"}): pa.bool_(),
    frozenset({"date"}): pa.date32(),
    frozenset({"timestamp"}): TIMESTAMPTZ,
    frozenset({"date", "timestamp"}): TIMESTAMPTZ,
}
_TEXTS = frozenset({"date", "timestamp", "string"})
_NUMBERS = frozenset({"long", "big", "double"})


def scalar_type(kinds: frozenset[str]) -> pa.DataType | None:
    """The type of values of these kinds; None when only text of any value can hold them."""
    if kinds in KIND_TYPES:
        return KIND_TYPES[kinds]
    if kinds <= _NUMBERS:
        return pa.float64()
    return pa.string() if kinds <= _TEXTS else None


def kind_of(value: Any) -> str:
    """The kind of one value that is not null: long, big, double, boolean, object, list, ..."""
    if type(value) is str:
        return _kind_of_string(value)
    if type(value) is bool:
        return "boolean"
    if type(value) is int:
        if LONG_MIN <= value <= LONG_MAX:
            return "long"
        return "big" if abs(value) < 10**38 else "huge"
    if type(value) is float:
        return "double"
    if type(value) is Untyped:
        return kind_of_text(value.strip())
    return "object" if type(value) is dict else "list" if type(value) is list else "huge"


def _kind_of_string(text: str) -> str:
    if len(text) < 10 or text[4] != "-" or not text[0].isdigit():
        return "string"
    if parse_date(text) is not None:
        return "date"
    return "string" if parse_timestamp(text) is None else "timestamp"


def kind_of_text(text: str) -> str:
    """The kind of one text: long, big, double, date, timestamp, boolean or string."""
    integer = parse_integer(text)
    if integer is not None:
        return "long" if LONG_MIN <= integer <= LONG_MAX else "big"
    if parse_double(text) is not None:
        return "double"
    if parse_date(text) is not None:
        return "date"
    if parse_timestamp(text) is not None:
        return "timestamp"
    return "string" if parse_boolean(text) is None else "boolean"
