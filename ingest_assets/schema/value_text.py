"""Any value as the text that stands for it in a column of strings and in `_rescued_data`."""

import datetime
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def text_of(value: Any) -> str:
    """A text as it is, also that of a date, time, decimal or of bytes; else compact JSON."""
    if isinstance(value, Decimal | datetime.date | datetime.time | bytes):
        value = _plain(value)
    if isinstance(value, str):
        return str(value)
    return _JSON.encode(value)


def raw_row(row: Mapping[str, Any]) -> bytes:
    """What is kept of a row that is rejected after it was read: JSON of all that is not null.

    NaN and infinity, which JSON lacks, are text.
    """
    kept = {name: _spelled(value) for name, value in row.items() if value is not None}
    return text_of(kept).encode()


def _spelled(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {name: _spelled(part) for name, part in value.items()}
        case list() | tuple():
            return [_spelled(part) for part in value]
        case _:
            return value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        if value.is_finite() and value.as_tuple().exponent == 0:
            return int(value)  # as files write it; beyond 2**53 a float has other digits
        as_float = float(value)
        return as_float if Decimal(repr(as_float)) == value else str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


# Made once: `json.dumps` makes one for each value.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)
