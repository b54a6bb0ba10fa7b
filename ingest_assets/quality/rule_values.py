"""The values that people write in rules, validated: columns, ends, durations, expressions."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from ingest_assets.declaration.age import parse_age
from ingest_assets.schema.names import column_name

_NAME_CHARACTERS = 60


def _of_the_table(name: str) -> str:
    if name.startswith("_"):
        raise ValueError(
            f"{name!r}: names that begin with _ are the ingestion's own, and no rule is about them"
        )
    if name != column_name(name):
        raise ValueError(
            f"{name!r} is not a name of the table's; a field {name!r} of the files becomes the "
            f"column {column_name(name)}"
        )
    return name


def _once_each(names: list[str]) -> list[str]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"has {name!r} twice; leave one out")
    return names


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    found = parse_age(str(value))
    if not found:
        raise ValueError(f"{value!r} is no time at all")
    return found


def duration_text(duration: timedelta) -> str:
    """The duration as it is written, in the largest unit that it is a whole number of."""
    seconds = duration.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _regex(text: str) -> str:
    try:
        pc.match_substring_regex(pa.array([""]), whole(text))
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{text!r} is not a regular expression of RE2, which has no look-around and no "
            f"back-references: {str(error).split(': ')[-1]}"
        ) from error
    return text


def whole(regex: str) -> str:
    """The expression that matches a text from its beginning to its end."""
    return rf"\A(?:{regex})\z"


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (list, dict)):
        raise ValueError(f"{value!r} is not a single value")
    if isinstance(value, float) and value != value:
        raise ValueError("nan is not a value that others can be compared with")
    return value


ColumnName = Annotated[str, AfterValidator(_of_the_table)]
ColumnNames = Annotated[list[ColumnName], Field(min_length=1), AfterValidator(_once_each)]
Scalar = Annotated[
    bool | int | float | Decimal | datetime | date | time | str, BeforeValidator(_scalar)
]
Amount = Annotated[int | float | Decimal | datetime | date | time | str, BeforeValidator(_scalar)]
AcceptedValues = Annotated[list[Scalar], Field(min_length=1)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Regex = Annotated[str, AfterValidator(_regex)]
Duration = Annotated[
    timedelta, BeforeValidator(_duration), PlainSerializer(duration_text, return_type=str)
]


def _table(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", value):
        raise ValueError(f"{value!r} should be namespace.table in lower-case letters, digits and _")
    return value


TableName = Annotated[str, AfterValidator(_table)]


def slug(*parts: str) -> str:
    """A name of lower-case letters, digits and `_`, of at most 60 characters."""
    words = re.sub(r"[^a-z0-9]+", "_", "_".join(parts).lower()).strip("_")
    return words[:_NAME_CHARACTERS].rstrip("_")
