"""What people wrote as a value, as a value of a column's type."""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pyarrow.types as pt

from ingest_assets.schema.types import format_type


class UnfitRuleError(Exception):
    """A rule cannot be put to these rows; the message says why, without a full stop."""


def accepted_value(value: Any, type_: pa.DataType, column: str) -> pa.Scalar:
    """The value in the column's own type.

    Raises:
        UnfitRuleError: the column can hold no such value.
    """
    if pt.is_integer(type_) and isinstance(value, float | Decimal) and value != int(value):
        raise _unfit(value, type_, column)
    return _scalar(value, type_, column)


def end_value(
    value: Any, type_: pa.DataType, column: str, side: Literal["min", "max"]
) -> pa.Scalar:
    """A value that divides the column's values as the one that was written does.

    Raises:
        UnfitRuleError: the column's values cannot be compared with it.
    """
    if pt.is_integer(type_) and isinstance(value, float | Decimal):
        value = math.ceil(value) if side == "min" else math.floor(value)
    if pt.is_decimal(type_) and _is_number(value):
        return pa.scalar(Decimal(str(value)))  # of more digits than the column's, if need be
    if pt.is_boolean(type_):
        raise _unfit(value, type_, column)
    return _scalar(value, type_, column)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _scalar(value: Any, type_: pa.DataType, column: str) -> pa.Scalar:
    try:
        found = _converted(value, type_)
        if found is not None:
            return pa.scalar(found, type_)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise _unfit(value, type_, column) from error
    raise _unfit(value, type_, column)


def _converted(value: Any, type_: pa.DataType) -> Any:
    """The value as Python has those of the type; None where it is no such value."""
    if pt.is_boolean(type_):
        return value if isinstance(value, bool) else None
    if pt.is_integer(type_):
        return int(value) if _is_number(value) else None
    if pt.is_floating(type_):
        return float(value) if _is_number(value) else None
    if pt.is_decimal(type_):
        return Decimal(str(value)) if _is_number(value) else None
    if pt.is_string(type_):
        return value if isinstance(value, str) else None
    if pt.is_date(type_):
        return _date(value)
    if pt.is_timestamp(type_):
        return _moment(value, has_zone=type_.tz is not None)
    if pt.is_time(type_):
        return time.fromisoformat(value) if isinstance(value, str) else _only(value, time)
    return None


def _only(value: Any, kind: type) -> Any:
    return value if isinstance(value, kind) else None


def _date(value: Any) -> date | None:
    if isinstance(value, str):
        return date.fromisoformat(value)
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _moment(value: Any, *, has_zone: bool) -> datetime | None:
    """A date is its midnight; without a zone it is UTC where the column has one."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime) or (value.tzinfo is not None and not has_zone):
        return None
    return value.replace(tzinfo=value.tzinfo or UTC) if has_zone else value


def _unfit(value: Any, type_: pa.DataType, column: str) -> UnfitRuleError:
    hint = ""
    if pt.is_string(type_) and not isinstance(value, str):
        hint = "; write it in quotes"
    return UnfitRuleError(
        f"{column} is {format_type(type_)}, and {value!r} is no value of it{hint}"
    )
