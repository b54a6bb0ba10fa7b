"""How a field of a file is called in the table: lower-case snake_case, as Athena wants it.

The rules, in order:

1. Accents go (`é` is `e`, `ß` is `ss`); a letter or digit that is not ASCII after that is written
   as `u` and its code point in hexadecimal (`名` is `u540d`).
2. Words are split where lower case meets upper case, and before the last capital of a run that a
   lower-case letter follows: `OrderID` is `order_id`, `HTTPStatus` is `http_status`.
3. Whatever is no letter or digit becomes `_`; runs of it become one; those at the end go.
4. A name that began with `_` gets `source` in front: `_id` is `source_id`, `_file_id` is
   `source_file_id`. So no file can write a reserved column.
5. A name that begins with a digit gets `n_` in front: `2024` is `n_2024`.
6. A name of which nothing is left is `unnamed`.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from ingest_assets.errors import ColumnNameError

_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=65_536)
def column_name(field: str) -> str:
    """The column that the field becomes, by the rules above."""
    ascii_name = "".join(_ascii(char) for char in unicodedata.normalize("NFKD", field))
    words = _NO_WORD.sub("_", _WORD_ENDS.sub("_", ascii_name).lower())
    name = words.strip("_")
    if not name:
        return "unnamed"
    if field.startswith("_"):
        return f"source_{name}"
    return f"n_{name}" if name[0].isdigit() else name


def _ascii(char: str) -> str:
    if char.isascii():
        return char
    if "\u0300" <= char <= "\u036f":
        return ""
    folded = char.casefold()
    if folded.isascii():
        return folded
    return f"u{ord(char):x}" if unicodedata.category(char)[0] in "LNM" else "_"


def column_names(fields: Iterable[str]) -> dict[str, str]:
    """Each field's column name.

    Raises:
        ColumnNameError: two fields would become one column; both originals are named.
    """
    taken: dict[str, str] = {}
    for field in fields:
        claim_name(field, taken)
    return {field: name for name, field in taken.items()}


def claim_name(field: str, taken: dict[str, str], name: str | None = None) -> str:
    """The field's column name (`name`, or by the rules), noted in `taken` (name to field).

    Raises:
        ColumnNameError: another field, or the same one twice, already has that name.
    """
    name = column_name(field) if name is None else name
    if name in taken:
        raise ColumnNameError(
            f"The fields {taken[name]!r} and {field!r} would both become the column {name!r}. "
            "Nothing of the file was written. Rename one of them where the file is made."
        )
    taken[name] = field
    return name
