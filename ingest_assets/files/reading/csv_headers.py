"""Headers among the records of a CSV file: the file's own again, or one of other names."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.errors import WrongFormatError
from ingest_assets.files.reading.csv_beginning import are_names, is_typed
from ingest_assets.files.reading.csv_dialect import Dialect
from ingest_assets.files.reading.csv_records import Record
from ingest_assets.schema.kinds import kind_of_text

_LOOKED_AT = 200
_TYPED_COLUMNS = 2
_OTHER_RECORDS = 3


def has_header_again(texts: Sequence[pa.Array], dialect: Dialect) -> bool:
    """Some record may be the header once more."""
    if not dialect.is_header_known_again:
        return False
    # One pass over one column is all that nearly every file takes.
    if pc.index(texts[0], dialect.fields[0]).as_py() < 0:
        return False
    are_equal = [pc.equal(t, field) for t, field in zip(texts, dialect.fields, strict=True)]
    return pc.any(functools.reduce(pc.and_, are_equal)).as_py() is True


def without_header_again(record: Record, dialect: Dialect) -> Record:
    """The record; rejected if it is the header once more, as where files were put together."""
    is_again = dialect.is_header_known_again and record.fields == [*dialect.fields]
    return replace(record, fields=None, reason="the header again") if is_again else record


def refuse_other_header(
    texts: Sequence[pa.Array], lines: pa.Array, dialect: Dialect, name: str
) -> None:
    """Nothing, unless one of the first records has names where all others have other than texts.

    Raises:
        WrongFormatError: one has; below it would be another table, or the first row's types wrong.
    """
    count = min(len(lines), _LOOKED_AT)
    if not dialect.is_header_guessed or count <= _OTHER_RECORDS:
        return
    typed: list[list[str | None]] = []
    suspects = list(range(count))
    for text in texts:
        if is_typed([text[count - 1].as_py()]):
            column = text.slice(0, count).to_pylist()
            typed.append(column)
            suspects = [n for n in suspects if _is_word(column[n])]
            if not suspects:
                return
    others = [n for n in range(count) if n not in suspects]
    sure = [column for column in typed if is_typed([column[n] for n in others])]
    if len(sure) < _TYPED_COLUMNS or len(others) < _OTHER_RECORDS:
        return
    for number in suspects:
        if are_names([text[number].as_py() for text in texts]):
            raise WrongFormatError(
                f"{name}: line {lines[number].as_py()} looks like another header: it has texts "
                "where the other records have numbers or dates. Nothing of the file was written. "
                "Set format.options.header to the number of rows that the header has, or to true "
                "if the line is a record; give a second table a file of its own."
            )


def _is_word(text: str | None) -> bool:
    """A name as columns have it, and not a number that something is wrong with."""
    return text is not None and text[:1].isalpha() and kind_of_text(text) == "string"
