"""The types of what SQL makes, and duckdb's errors in the words of a file's failure."""

import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from ingest_assets.transforms.errors import TransformError
from ingest_assets.transforms.made import Source

_CASTS = {
    "INTERVAL": "cast(… as varchar), or epoch(…) for its seconds",
    "TIME WITH TIME ZONE": "cast(… as time)",
    "BIT": "cast(… as varchar)",
    "BIGNUM": "cast(… as decimal(38,0)), or as varchar",
    "UHUGEINT": "cast(… as decimal(38,0))",
    "UNION": "cast(… as varchar)",
    "VARIANT": "cast(… as json)",
    "GEOMETRY": "st_astext(…)",
}
_WORD = re.compile(r"\b(" + "|".join(_CASTS) + r")\b")


def checked(types: Sequence[tuple[str, str]], schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    """The columns of a result as Arrow has them; `types` are duckdb's words for the same.

    Raises:
        TransformError: a type that Iceberg cannot hold; the message names the cast to write.
    """
    for name, type_ in types:
        bare = re.sub(r'"[^"]*"', "", type_)
        match = _WORD.search(bare)
        if match is not None:
            raise TransformError(
                f"its column {name!r} is of the type {type_}, which Iceberg cannot hold; write "
                f"{_CASTS[match[1]]}"
            )
    return [(field.name, field.type) for field in schema]


def said(error: duckdb.Error, source: Source, place: str | None = None) -> TransformError:
    """What duckdb says, with the columns that the file has where it misses one."""
    text = str(error).split("\n\nLINE ")[0].strip()
    where = "" if place is None else f"{place}: "
    if isinstance(error, duckdb.BinderException):
        names = ", ".join(column.name for column in (*source.present, *source.absent))
        return TransformError(f"{where}{text.splitlines()[0]} The columns of source are {names}")
    if isinstance(error, duckdb.OutOfMemoryException):
        text += " An aggregate, a join or a sort holds more rows than fit into its memory"
    return TransformError(f"{where}{text}")
