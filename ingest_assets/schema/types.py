"""Types and columns as text and JSON: what people read, and what the ledger keeps.

A type is written in Iceberg's words (https://iceberg.apache.org/spec/#schemas-and-data-types):
`long`, `decimal(10,2)`, `fixed(16)`, `list<string>`, `map<string, long>`, `struct<a: long>`.
The JSON form of a column adds what the words leave out: how files spell the nested names.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from ingest_assets.schema.column import (
    Column,
    Columns,
    accepts_any,
    name_in_files,
    nested_field,
)

TIMESTAMPTZ = pa.timestamp("us", tz="UTC")
_PRIMITIVES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": TIMESTAMPTZ,
    "string": pa.string(),
    "binary": pa.binary(),
}
_NAMES = {type_: name for name, type_ in _PRIMITIVES.items()}
_TOKEN = re.compile(r"\s*([A-Za-z_0-9]+|[<>():,])")


def format_type(type_: pa.DataType) -> str:
    """The type in Iceberg's words.

    Raises:
        ValueError: Iceberg has no such type.
    """
    name = _NAMES.get(type_)
    if name is not None:
        return name
    if pa.types.is_decimal128(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if pa.types.is_fixed_size_binary(type_):
        return f"fixed({type_.byte_width})"
    if pa.types.is_list(type_):
        return f"list<{format_type(type_.value_type)}>"
    if pa.types.is_map(type_):
        return f"map<{format_type(type_.key_type)}, {format_type(type_.item_type)}>"
    if pa.types.is_struct(type_):
        return f"struct<{', '.join(f'{f.name}: {format_type(f.type)}' for f in type_)}>"
    raise ValueError(f"Iceberg has no type for Arrow's {type_}")


def parse_type(text: str) -> pa.DataType:
    """The Arrow type that the words name.

    Raises:
        ValueError: the text names no type; the message says what would be right.
    """
    tokens = _tokens(text)
    type_ = _parse(tokens, text)
    if tokens:
        raise ValueError(f"{text!r}: nothing may follow the type, found {tokens[-1]!r}")
    return type_


def _tokens(text: str) -> list[str]:
    """The tokens of `text`, the first one last, so that `pop` takes them in order."""
    found, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise ValueError(f"{text!r}: {stripped[position]!r} has no meaning in a type")
        found.append(match.group(1))
        position = match.end()
    return found[::-1]


def _take(tokens: list[str], expected: str, text: str) -> None:
    found = tokens.pop() if tokens else "the end"
    if found != expected:
        raise ValueError(f"{text!r}: expected {expected!r}, found {found!r}")


def _number(tokens: list[str], text: str, low: int, high: int) -> int:
    found = tokens.pop() if tokens else "the end"
    if not found.isdigit() or not low <= int(found) <= high:
        raise ValueError(f"{text!r}: expected a number from {low} to {high}, found {found!r}")
    return int(found)


def _parse(tokens: list[str], text: str) -> pa.DataType:
    word = tokens.pop() if tokens else "the end"
    if word in _PRIMITIVES:
        return _PRIMITIVES[word]
    if word in ("decimal", "fixed"):
        return _parse_sized(word, tokens, text)
    if word not in ("list", "map", "struct"):
        raise ValueError(
            f"{text!r}: {word!r} is no type. Types are {', '.join(_PRIMITIVES)}, decimal(p,s), "
            "fixed(n), list<type>, map<type, type>, struct<name: type, ...>"
        )
    _take(tokens, "<", text)
    type_: pa.DataType
    if word == "list":
        type_ = pa.list_(pa.field("element", _parse(tokens, text)))
    elif word == "map":
        key = _parse(tokens, text)
        _take(tokens, ",", text)
        type_ = pa.map_(key, _parse(tokens, text))
    else:
        type_ = pa.struct(_parse_fields(tokens, text))
    _take(tokens, ">", text)
    return type_


def _parse_sized(word: str, tokens: list[str], text: str) -> pa.DataType:
    _take(tokens, "(", text)
    size = _number(tokens, text, 1, 38 if word == "decimal" else 2**31 - 1)
    type_: pa.DataType = pa.binary(size)
    if word == "decimal":
        _take(tokens, ",", text)
        type_ = pa.decimal128(size, _number(tokens, text, 0, size))
    _take(tokens, ")", text)
    return type_


def _parse_fields(tokens: list[str], text: str) -> list[pa.Field]:
    fields: list[pa.Field] = []
    while not fields or (tokens and tokens[-1] == ","):
        if fields:
            tokens.pop()
        name = tokens.pop() if tokens else "the end"
        _take(tokens, ":", text)
        fields.append(pa.field(name, _parse(tokens, text)))
    return fields


def columns_to_json(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Plain lists and dicts, for a JSONB column; `columns_from_json` gives the same columns back.

    Raises:
        ValueError: a type that Iceberg does not have.
    """
    return [
        _field_to_json(column.type, column.name, column.source_name, column.accepts_any)
        | ({"is_required": True} if column.is_required else {})
        | ({"description": column.description} if column.description is not None else {})
        for column in columns
    ]


def columns_from_json(stored: Iterable[dict[str, Any]]) -> Columns:
    """The columns that `columns_to_json` wrote."""
    return tuple(
        Column(
            name=item["name"],
            type=_type_from_json(item["type"]),
            is_required=item.get("is_required", False),
            source_name=item.get("source_name"),
            description=item.get("description"),
            accepts_any=item.get("accepts_any", False),
        )
        for item in stored
    )


def _field_to_json(
    type_: pa.DataType, name: str, source_name: str | None, takes_any: bool
) -> dict[str, Any]:
    item: dict[str, Any] = {"name": name, "type": _type_to_json(type_)}
    if source_name is not None:
        item["source_name"] = source_name
    if takes_any:
        item["accepts_any"] = True
    return item


def _nested_to_json(field: pa.Field) -> dict[str, Any]:
    spelled = name_in_files(field)
    source_name = None if spelled == field.name else spelled
    return _field_to_json(field.type, field.name, source_name, accepts_any(field))


def _nested_from_json(item: dict[str, Any]) -> pa.Field:
    return nested_field(
        item["name"],
        _type_from_json(item["type"]),
        source_name=item.get("source_name"),
        accepts_any=item.get("accepts_any", False),
    )


def _type_to_json(type_: pa.DataType) -> Any:
    if pa.types.is_struct(type_):
        return {"struct": [_nested_to_json(field) for field in type_]}
    if pa.types.is_list(type_):
        return {"list": _nested_to_json(type_.value_field)}
    if pa.types.is_map(type_):
        return {"map": [_type_to_json(type_.key_type), _nested_to_json(type_.item_field)]}
    return format_type(type_)


def _type_from_json(stored: Any) -> pa.DataType:
    if isinstance(stored, str):
        return parse_type(stored)
    if "struct" in stored:
        return pa.struct([_nested_from_json(item) for item in stored["struct"]])
    if "list" in stored:
        return pa.list_(_nested_from_json(stored["list"]))
    key, item = stored["map"]
    return pa.map_(_type_from_json(key), _nested_from_json(item))


def fingerprint(columns: Iterable[Column]) -> str:
    """The same text for the same names, types and `is_required`, whatever their order."""
    shape = sorted([c.name, _shape(c.type), c.is_required] for c in columns)
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()


def _shape(type_: pa.DataType) -> Any:
    if pa.types.is_struct(type_):
        return ["struct", sorted([f.name, _shape(f.type)] for f in type_)]
    if pa.types.is_list(type_):
        return ["list", _shape(type_.value_type)]
    if pa.types.is_map(type_):
        return ["map", _shape(type_.key_type), _shape(type_.item_type)]
    return format_type(type_)
