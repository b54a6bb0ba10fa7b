"""What a text means as a value of a type; the one grammar for CSV fields and JSON strings.

| type | texts |
|---|---|
| long, int | `-?(0|[1-9][0-9]*)` in range: leading zeros stay text |
| double, float | the same with fraction or exponent, finite; an integer only if no digit is lost |
| decimal | the same, when its digits fit precision and scale |
| boolean | true, false in any case |
| date | `YYYY-MM-DD` |
| time | `HH:MM[:SS[.ffffff]]` |
| timestamp, timestamptz | ISO 8601: date, or date and time down to the hour, maybe with a zone |

Texts without a zone are UTC, for a `timestamp` too: it holds the wall clock of UTC. Digits beyond
microseconds fit only when they are zeros. Spaces around a value make it text.
"""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa

LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
FLOAT_MAX = 3.4028234663852886e38
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_DAY_US = 86_400_000_000
TIMESTAMP_MIN_US = (datetime.date.min.toordinal() - _EPOCH) * _DAY_US
TIMESTAMP_MAX_US = (datetime.date.max.toordinal() - _EPOCH + 1) * _DAY_US - 1

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z", re.ASCII)
_NUMBER = re.compile(r"-?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,5})?\Z", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z", re.ASCII)
_CLOCK = r"(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\Z", re.ASCII)
_TIMESTAMP = re.compile(
    rf"(\d{{4}})-(\d\d)-(\d\d)(?:[T ]{_CLOCK}(Z|[+-]\d\d(?::?\d\d)?)?)?\Z", re.ASCII
)


class Untyped(str):
    """A text of a format that has no other values: it stands for a number, date, ... or itself."""

    __slots__ = ()


def parse_integer(text: str) -> int | None:
    """The integer, of at most 38 digits."""
    if len(text) > 39 or not _INTEGER.match(text):
        return None
    value = int(text)
    return value if abs(value) < 10**38 else None


def is_exact_double(value: int) -> bool:
    """A double holds the integer: as a text it comes back with the same digits."""
    if -(2**53) <= value <= 2**53:
        return True
    if abs(value) >= 10**300:
        return False
    return Decimal(repr(float(value))) == value


def parse_double(text: str) -> float | None:
    """The double; None for an integer that a double would change."""
    if not _NUMBER.match(text) or len(text) > 1000:
        return None
    integer = _INTEGER.match(text)
    if integer and not is_exact_double(int(text)):
        return None
    value = float(text)
    return value if abs(value) != float("inf") else None


def as_float(value: float | None) -> float | None:
    """The number, if 32 bits can hold one of its size; digits may be lost as always in a float."""
    return value if value is None or not FLOAT_MAX < abs(value) < float("inf") else None


def fit_decimal(value: Decimal, precision: int, scale: int) -> Decimal | None:
    """The value, when `decimal(precision, scale)` holds all its digits."""
    if not value.is_finite():
        return None
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    significant = "".join(map(str, digits)).strip("0") or "0"
    if significant == "0":
        return Decimal(0)
    trailing = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    if -(exponent + trailing) > scale or value.adjusted() >= precision - scale:
        return None
    return value


def parse_decimal(text: str, precision: int, scale: int) -> Decimal | None:
    """The decimal number, when the type holds all its digits."""
    if not _NUMBER.match(text) or len(text) > 1000:
        return None
    return fit_decimal(Decimal(text), precision, scale)


def parse_boolean(text: str) -> bool | None:
    """True or false, in any case."""
    return {"true": True, "false": False}.get(text.lower()) if len(text) < 6 else None


@lru_cache(maxsize=65_536)
def parse_date(text: str) -> int | None:
    """Days since 1970-01-01."""
    match = _DATE.match(text)
    return _days(*match.groups()) if match else None


@lru_cache(maxsize=65_536)
def parse_timestamp(text: str) -> int | None:
    """Microseconds since 1970-01-01 UTC."""
    match = _TIMESTAMP.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    days = _days(year, month, day)
    clock = _clock_us(hour or "0", minute, second, fraction)
    offset = _offset_us(zone)
    if days is None or clock is None or offset is None:
        return None
    value = days * _DAY_US + clock - offset
    return value if TIMESTAMP_MIN_US <= value <= TIMESTAMP_MAX_US else None


def parse_time(text: str) -> int | None:
    """Microseconds since midnight."""
    match = _TIME.match(text)
    return _clock_us(*match.groups()) if match else None


def _days(year: str, month: str, day: str) -> int | None:
    try:
        return datetime.date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError:
        return None


def _clock_us(
    hour: str, minute: str | None, second: str | None, fraction: str | None
) -> int | None:
    hours, minutes, seconds = int(hour), int(minute or 0), int(second or 0)
    digits = (fraction or "").ljust(9, "0")
    if hours > 23 or minutes > 59 or seconds > 59 or digits[6:] != "000":
        return None
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int(digits[:6])


def _offset_us(zone: str | None) -> int | None:
    if zone is None or zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        return None
    minutes += hours * 60
    return (minutes if zone[0] == "+" else -minutes) * 60_000_000


@lru_cache(maxsize=256)
def text_parser(type_: pa.DataType) -> Callable[[str], Any]:
    """A function from text to a value that `pa.array(..., type=type_)` takes, None for no fit.

    Dates are days, times and timestamps microseconds. No text is a struct, list or map.
    """
    if pa.types.is_string(type_):
        return str
    if pa.types.is_boolean(type_):
        return parse_boolean
    if pa.types.is_integer(type_):
        limit = 2 ** (type_.bit_width - 1)
        return lambda text: _in_range(parse_integer(text), limit)
    if pa.types.is_float32(type_):
        return lambda text: as_float(parse_double(text))
    if pa.types.is_floating(type_):
        return parse_double
    if pa.types.is_decimal(type_):
        return lambda text: parse_decimal(text, type_.precision, type_.scale)
    if pa.types.is_date(type_):
        return parse_date
    if pa.types.is_time(type_):
        return parse_time
    if pa.types.is_timestamp(type_):
        return parse_timestamp
    if pa.types.is_binary(type_):
        return str.encode
    if pa.types.is_fixed_size_binary(type_):
        width = type_.byte_width
        return lambda text: text.encode() if len(text.encode()) == width else None
    return lambda text: None


def _in_range(value: int | None, limit: int) -> int | None:
    return value if value is not None and -limit <= value < limit else None
