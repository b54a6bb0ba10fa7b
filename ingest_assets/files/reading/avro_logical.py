"""What an Avro logical type makes of its type.

| logical type | Arrow |
|---|---|
| date | date32 |
| time-millis, time-micros | time32[ms], time64[us] |
| timestamp-millis, -micros, -nanos | timestamp with UTC |
| local-timestamp-millis, -micros, -nanos | timestamp without zone |
| decimal(p, s) of bytes or fixed | decimal |
| uuid | string |
| duration | string, as ISO 8601 has it: `P1M2DT3.004S` |
| another logical type, or one that does not go with its type | its type |

Values are read without their logical types: Python's own moments end with the year 9999, and
fastavro rounds a decimal of more digits than it declares.
"""

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa

LOGICAL = "declaredLogicalType"
"""Where a schema says its logical type after `without_logical_types`."""
Convert = Callable[[Any], Any]
_LOGICAL: dict[tuple[str, str], pa.DataType] = {
    ("int", "date"): pa.date32(),
    ("int", "time-millis"): pa.time32("ms"),
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-millis"): pa.timestamp("ms", "UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
    ("long", "timestamp-nanos"): pa.timestamp("ns", "UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("long", "local-timestamp-nanos"): pa.timestamp("ns"),
}
_MAX_DIGITS = 76
_EXACT = Context(prec=_MAX_DIGITS * 4)
_DURATION_BYTES = 12


@dataclass(frozen=True)
class AvroType:
    """Values that fastavro reads as `python`, and null perhaps.

    `convert` makes of one that is not null what Arrow takes for `arrow`; None: it is taken as is.
    Of a file's records, `has_named_branches` says that a union among them has several branches
    with names: only then fastavro is to say which one a value is, which takes half its time more.
    """

    arrow: pa.DataType
    python: type
    convert: Convert | None = None
    has_named_branches: bool = False


def without_logical_types(schema: Any) -> Any:
    """The JSON schema with its logical types under another name, which fastavro leaves alone."""
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    nested = ("type", "items", "values", "fields")
    plain = {k: without_logical_types(v) if k in nested else v for k, v in schema.items()}
    if "logicalType" in plain:
        plain[LOGICAL] = plain.pop("logicalType")
    return plain


def logical_type(schema: Any) -> AvroType | None:
    """What a logical type makes of its type; None where it makes nothing of it."""
    type_, logical = schema["type"], schema.get(LOGICAL)
    if (type_, logical) in _LOGICAL:
        return AvroType(_LOGICAL[type_, logical], int)
    if logical == "decimal" and type_ in ("bytes", "fixed"):
        return _decimal(schema.get("precision"), schema.get("scale", 0))
    if logical == "uuid" and (type_, schema.get("size")) == ("fixed", 16):
        return AvroType(pa.string(), bytes, lambda value: str(uuid.UUID(bytes=value)))
    if logical == "duration" and (type_, schema.get("size")) == ("fixed", _DURATION_BYTES):
        return AvroType(pa.string(), bytes, _duration)
    return None


def _decimal(precision: Any, scale: Any) -> AvroType | None:
    if type(precision) is not int or type(scale) is not int:
        return None
    if not 0 <= scale <= precision or not 1 <= precision <= _MAX_DIGITS:
        return None
    make = pa.decimal128 if precision <= 38 else pa.decimal256

    def convert(value: bytes) -> Decimal:
        unscaled = int.from_bytes(value, "big", signed=True)
        return Decimal(unscaled).scaleb(-scale, _EXACT)

    return AvroType(make(precision, scale), bytes, convert)


def _duration(value: bytes) -> str:
    months, days, millis = struct.unpack("<III", value)
    return f"P{months}M{days}DT{millis // 1000}.{millis % 1000:03}S"
