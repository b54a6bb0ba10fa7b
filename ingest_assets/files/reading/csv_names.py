"""The names of a CSV file's columns, and whether they can be the names of what follows."""

import itertools
from collections.abc import Collection, Sequence

from ingest_assets.errors import ColumnNameError, WrongFormatError
from ingest_assets.files.reading.csv_beginning import Beginning, name_a_column
from ingest_assets.files.reading.csv_records import Record
from ingest_assets.schema.names import column_names

BLANK_NAMES = 2
"""One column may have no name; more would collide."""


def blank(fields: Sequence[str | None]) -> int:
    """How many have no name."""
    return sum(not field for field in fields)


def numbered(found: Beginning, *, is_guessed: bool) -> list[str]:
    """Names of columns without a header; as many as most records have, unless that is a guess."""
    width = found.widths[0] if is_guessed and found.widths else found.width
    return [f"column_{n}" for n in range(1, width + 1)]


def names_above(top: Sequence[Record]) -> list[str]:
    """The names of the columns: the texts above each, with a space between different ones."""
    rows = [[field or "" for field in record.fields or ()] for record in top]
    if len(rows) == 1:
        return rows[0]
    columns = itertools.zip_longest(*rows, fillvalue="")
    return [" ".join(dict.fromkeys(text for text in column if text)) for column in columns]


def check_names(records: Sequence[Record], header_rows: int, fields: list[str], name: str) -> None:
    """Nothing, if the fields can be the names of what follows."""
    if not records:
        return
    line = records[0].line
    if blank(fields) >= BLANK_NAMES:
        raise ColumnNameError(
            f"{name}: {blank(fields)} of the {len(fields)} fields of the header on line {line} "
            "have no name. Nothing of the file was written. Name them where the file is made; or "
            "set format.options.skip_lines to the number of lines above the header, or "
            "format.options.header to the number of its rows, 0 if there is none."
        )
    try:
        column_names(fields)
    except ColumnNameError as error:
        raise ColumnNameError(
            f"{name}, line {line}: {error} If the line is no header, set format.options.header to "
            "false; if it has more rows, to their number."
        ) from error
    below = Beginning(records[max(header_rows, 1) :], True)
    if len(below.widths) > 1 and len(fields) not in below.widths:
        raise WrongFormatError(
            f"{name}: line {line} has {len(fields)} fields, and no record of those looked at below "
            f"has as many: most have {below.width}. Nothing of the file was written. If lines are "
            "above the table, set format.options.skip_lines to their number; if the delimiter or "
            "the quote is not as detected, set format.options.delimiter or quote; else mend the "
            "line."
        )


def check_alone(fields: list[str], known: Collection[str], name: str) -> None:
    """Nothing, if the only line of a file can be its header: else its one row would be lost."""
    if not name_a_column(fields, known):
        raise WrongFormatError(
            f"{name} has one line, of which no field is a column of the table: it may be a header "
            "without rows, or a row without a header. Nothing of the file was written. Write the "
            "header above it, or set format.options.header to true if it is one."
        )
