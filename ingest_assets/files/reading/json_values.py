"""One JSON record: bytes to an object, exact and without a silent loss.

orjson decides whether the bytes are JSON (strict UTF-8, no NaN, no lone surrogates). What it would
change goes to the standard library's slower parser: integers beyond 64 bits, decimals, and objects
that may name a key twice.
"""

import json
import re
from decimal import Decimal
from typing import Any

import orjson

from ingest_assets.schema.storable import MAX_DEPTH

_KEY = re.compile(rb'"[ \t\r\n]*:')
_LONG_DIGITS = re.compile(rb"[0-9]{20}")
_KINDS: dict[type, str] = {
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


class BadRecord(ValueError):
    """The record cannot be a row; the message says why."""


class _Twice(BadRecord):
    """An object names a key twice."""


def parse_record(raw: bytes, *, exact_decimals: bool = False) -> dict[str, Any]:
    """The object that the bytes hold; with `exact_decimals` fractions are `Decimal`.

    Raises:
        BadRecord: the bytes are no JSON, no object, or an object that names a key twice.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRecord(_reason(raw, error)) from error
    if type(value) is not dict:
        raise BadRecord(f"the record is {_KINDS[type(value)]}, not an object")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_too_deep(value):
        raise BadRecord(f"it is nested more than {MAX_DEPTH} levels deep")
    if (
        exact_decimals
        or len(_KEY.findall(raw)) != _key_count(value)
        or _LONG_DIGITS.search(raw) is not None
    ):
        return _parse_exactly(raw, exact_decimals)
    return value


def _is_too_deep(value: Any) -> bool:
    """Level by level, because Python's own recursion ends early too."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            part
            for item in level
            for part in (item.values() if type(item) is dict else item)
            if type(part) in (dict, list)
        ]
    return bool(level)


def _reason(raw: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError as problem:
        return f"not valid UTF-8 at byte {problem.start} of the record"
    if not raw.strip():
        return "an element is missing between commas"
    return f"not valid JSON: {error.msg}, at column {error.colno}"


def _key_count(value: Any) -> int:
    if type(value) is dict:
        return len(value) + sum(
            _key_count(item) for item in value.values() if type(item) in (dict, list)
        )
    return sum(_key_count(item) for item in value if type(item) in (dict, list))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Twice(f"the key {twice!r} stands twice in one object")
    return value


def _parse_exactly(raw: bytes, exact_decimals: bool) -> dict[str, Any]:
    parse_float = Decimal if exact_decimals else float
    try:
        value: dict[str, Any] = json.loads(raw, object_pairs_hook=_unique, parse_float=parse_float)
    except _Twice:
        raise
    except ValueError as error:
        raise BadRecord(f"not readable JSON: {error}") from error
    return value
