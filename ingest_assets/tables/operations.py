"""What a person can ask of a table's schema, one thing at a time.

A path names a column or what is inside of it: the fields of a struct by their names, the elements
of a list as `element`, the values of a map as `value`. Each operation sees the schema, and a fill
the rows, that the ones before it leave.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

Path = tuple[str, ...]


@dataclass(frozen=True)
class AddColumn:
    """A new column or field, null in all rows there are; `path` ends with its name."""

    path: Path
    type: pa.DataType
    doc: str | None = None


@dataclass(frozen=True)
class Promote:
    """A column becomes wider, in place (`schema.promotion`)."""

    path: Path
    type: pa.DataType


@dataclass(frozen=True)
class Rename:
    """A column has another name and keeps its values."""

    path: Path
    new_name: str


@dataclass(frozen=True)
class Drop:
    """A column is gone; its values stay in the data files until they are rewritten."""

    path: Path


@dataclass(frozen=True)
class Retype:
    """A column has another type and the same values in it (`schema.conversion`).

    A new field stands in its place; all data files are rewritten. What becomes text is JSON under
    the names of the table's nested fields, or under those that files spell if `known` is the type
    at the path as the ledger keeps it (`schema.column.SOURCE_NAME`).
    """

    path: Path
    type: pa.DataType
    known: pa.DataType | None = None


@dataclass(frozen=True)
class Constant:
    """A value as JSON or Python has it: a text may stand for a date, time or decimal."""

    value: Any


@dataclass(frozen=True)
class Expression:
    """SQL over one row, as duckdb reads it: `coalesce(customer_id, client)`."""

    sql: str


@dataclass(frozen=True)
class Fill:
    """A top-level column has a value in those rows in which it is null."""

    column: str
    value: Constant | Expression


Operation = AddColumn | Promote | Rename | Drop | Retype | Fill


def path_of(operation: Operation) -> Path:
    """What the operation is about."""
    return (operation.column,) if isinstance(operation, Fill) else operation.path


_WORDS: dict[type, str] = {
    AddColumn: "Add",
    Promote: "Widen",
    Rename: "Rename",
    Drop: "Drop",
    Retype: "Change the type of",
    Fill: "Fill",
}


def described(operation: Operation) -> str:
    """The operation as a person would say it, for messages: `Drop shop.city`."""
    return f"{_WORDS[type(operation)]} {dotted(path_of(operation))}"


def dotted(path: Path) -> str:
    """The path as people write it."""
    return ".".join(path)
