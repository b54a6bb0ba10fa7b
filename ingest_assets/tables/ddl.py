"""Operations as the SQL that Spark has for Iceberg tables; it is shown to people, never run.

https://iceberg.apache.org/docs/latest/spark-ddl/
"""

import re
from collections.abc import Iterator

import pyarrow as pa
from pyiceberg.schema import Schema

from ingest_assets.schema.value_text import text_of
from ingest_assets.tables.field_paths import enclosing, siblings_before
from ingest_assets.tables.operations import (
    AddColumn,
    Constant,
    Drop,
    Expression,
    Fill,
    Operation,
    Path,
    Promote,
    Rename,
    Retype,
)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WORDS: dict[pa.DataType, str] = {
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.timestamp("us"): "TIMESTAMP_NTZ",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP",
    pa.string(): "STRING",
    pa.binary(): "BINARY",
}


def ddl_of(identifier: str, operation: Operation, schema: Schema) -> Iterator[str]:
    """The statements for one operation on a table of this schema."""
    alter = f"ALTER TABLE {identifier}"
    match operation:
        case AddColumn(path, type_, doc):
            yield f"{alter} ADD COLUMN {_name(path)} {_type(type_)}{_comment(doc)}"
        case Promote(path, type_):
            yield f"{alter} ALTER COLUMN {_name(path)} TYPE {_type(type_)}"
        case Rename(path, new_name):
            yield f"{alter} RENAME COLUMN {_name(path)} TO {_quoted(new_name)}"
        case Drop(path):
            yield f"{alter} DROP COLUMN {_name(path)}"
        case Retype(path=path, type=type_):
            whole, type_ = enclosing(schema, path, type_)
            before = siblings_before(schema, whole)
            place = "FIRST" if before is None else f"AFTER {_quoted(before)}"
            yield f"{alter} DROP COLUMN {_name(whole)}"
            yield f"{alter} ADD COLUMN {_name(whole)} {_type(type_)} {place}"
            yield f"-- rewrite of {identifier}: {_name(whole)} has its old values, converted"
        case Fill(column, value):
            sql = _literal(value.value) if isinstance(value, Constant) else value.sql
            name = _quoted(column)
            yield f"UPDATE {identifier} SET {name} = {sql} WHERE {name} IS NULL"
            if isinstance(value, Expression):
                yield "-- the expression is duckdb's SQL"


def _type(type_: pa.DataType) -> str:
    """The type as Spark SQL has it; `TIME` for a time, which Spark has not."""
    t = pa.types
    if t.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if t.is_list(type_):
        return f"ARRAY<{_type(type_.value_type)}>"
    if t.is_map(type_):
        return f"MAP<{_type(type_.key_type)}, {_type(type_.item_type)}>"
    if t.is_struct(type_):
        fields = (f"{_quoted(field.name)}: {_type(field.type)}" for field in type_)
        return f"STRUCT<{', '.join(fields)}>"
    if t.is_fixed_size_binary(type_):
        return f"BINARY({type_.byte_width})"
    return _WORDS[type_]


def _name(path: Path) -> str:
    return ".".join(_quoted(part) for part in path)


def _quoted(name: str) -> str:
    return name if _PLAIN.match(name) else "`" + name.replace("`", "``") + "`"


def _comment(doc: str | None) -> str:
    return "" if doc is None else f" COMMENT {_text(doc)}"


def _literal(value: object) -> str:
    return _text(value) if isinstance(value, str) else text_of(value)


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"
