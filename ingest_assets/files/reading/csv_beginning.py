"""What the first records of a CSV file tell about it: its marks, and where its header stands.

A guess is made only where the file cannot be read otherwise, or where what follows confirms it.
"""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest_assets.errors import UnterminatedQuoteError
from ingest_assets.files.reading.csv_fields import Marks
from ingest_assets.files.reading.csv_records import Record, Splitter
from ingest_assets.schema.kinds import kind_of_text
from ingest_assets.schema.names import column_name

DELIMITERS = (",", "\t", ";", "|")
_RARE_DELIMITERS = (" ", ":")
_RARE_WIDTH = 4
"""Texts have spaces and colons, but hardly all of them as many, and numbers between them."""
_SAMPLED_RECORDS = 200
_TYPED_COLUMNS = 2
_CONFIRMING_RECORDS = 2
_TITLED_WIDTH = 3
_TSV_NAME = re.compile(r"\.(tsv|tab)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Beginning:
    """The records of the first lines. `is_whole`: their quotes could be followed to the end."""

    records: Sequence[Record]
    is_whole: bool

    @property
    def widths(self) -> list[int]:
        return [len(record.fields) for record in self.records if record.fields is not None]

    @property
    def is_even(self) -> bool:
        """All records can be read, and have as many fields as the first."""
        return self.is_whole and len(self.widths) == len(self.records) and len({*self.widths}) == 1

    @property
    def width(self) -> int:
        """Most records have so many fields."""
        counts = Counter(self.widths)
        return max(counts, key=lambda width: (counts[width], width), default=0)


def beginning(
    lines: Sequence[bytes],
    marks: Marks,
    name: str,
    first_line: int = 1,
    count: int = _SAMPLED_RECORDS,
) -> Beginning:
    """The first `count` records of lines that keep their ends."""
    splitter = Splitter(name, marks, frozenset())
    records: list[Record] = []
    try:
        records.extend(itertools.islice(splitter.records(lines, first_line), count))
    except UnterminatedQuoteError:
        return Beginning(records, False)
    return Beginning(records, True)


def marks_of(lines: Sequence[bytes], name: str, options: Mapping[str, Any]) -> Marks:
    """The declared marks, and for the others those that the lines show."""
    quote = options["quote"] if "quote" in options else _quote_of(lines)
    marks = Marks(",", quote, options.get("escape"), options.get("comment"))
    delimiter = options.get("delimiter") or _delimiter_of(lines, marks, name)
    marks = replace(marks, delimiter=delimiter)
    if "escape" not in options and _has_escapes(lines, marks, name):
        return replace(marks, escape="\\")
    return marks


def _quote_of(lines: Sequence[bytes]) -> str:
    """The apostrophe where it ends two fields a record, and none begins with the usual quote.

    The header may have none.
    """
    text = b"\n" + b"".join(lines) + b"\n"
    if b"'" not in text:
        return '"'
    marks = [mark.encode() for mark in DELIMITERS]
    if any(mark + b'"' in text for mark in (*marks, b"\n")):
        return '"'
    closing = sum(text.count(b"'" + mark) for mark in (*marks, b"\n", b"\r\n"))
    return "'" if closing >= 2 * max(len(lines) - 1, 1) else '"'


def _delimiter_of(lines: Sequence[bytes], marks: Marks, name: str) -> str:
    """The delimiter of the first line that cuts most records as it cuts that line."""
    first = next((line.decode(errors="replace") for line in lines if line.strip()), "")
    candidates = [delimiter for delimiter in DELIMITERS if delimiter in first]
    if not candidates:
        return _rare_delimiter(first, lines, marks, name)
    found = candidates[0]
    if "\t" in candidates and _TSV_NAME.search(name):
        found = "\t"
    elif len(candidates) > 1:
        found = max(
            candidates,
            key=lambda c: (_score(_cut(lines, marks, c, name).widths), -candidates.index(c)),
        )
    spaced = f"{found} "
    if spaced in first and _is_better(
        _cut(lines, marks, spaced, name), _cut(lines, marks, found, name)
    ):
        return spaced
    return found


def _cut(lines: Sequence[bytes], marks: Marks, delimiter: str, name: str) -> Beginning:
    return beginning(lines, replace(marks, delimiter=delimiter), name)


def _score(widths: Sequence[int]) -> tuple[bool, bool, float, int]:
    if not widths:
        return (False, False, 0.0, 0)
    width, count = max(Counter(widths).items(), key=lambda item: (item[1], item[0]))
    return (width > 1, widths[0] == width, count / len(widths), width)


def _is_better(spaced: Beginning, bare: Beginning) -> bool:
    """A space follows the delimiter wherever it cuts, or belongs to it before a quote."""
    if len(spaced.widths) < 2 or spaced.width < 2:
        return False
    return spaced.widths == bare.widths or _score(spaced.widths) > _score(bare.widths)


def _rare_delimiter(first: str, lines: Sequence[bytes], marks: Marks, name: str) -> str:
    for delimiter in _RARE_DELIMITERS:
        if first.count(delimiter) + 1 < _RARE_WIDTH:
            continue
        found = _cut(lines, marks, delimiter, name)
        rows, width = found.records[1:], found.width
        is_table = found.is_even and width >= _RARE_WIDTH and len(rows) >= _CONFIRMING_RECORDS
        typed = typed_columns(rows, width) if is_table else ()
        if len(typed) >= _TYPED_COLUMNS and are_names(found.records[0].fields or ()):
            return delimiter
    return ","


def _has_escapes(lines: Sequence[bytes], marks: Marks, name: str) -> bool:
    """With backslashes before quotes all records can be read, and not without.

    No other backslash is there, whose meaning would change.
    """
    text = b"".join(lines)
    escaped = b"\\" + (marks.quote or "").encode()
    if marks.quote is None or not 0 < text.count(b"\\") == text.count(escaped):
        return False
    if beginning(lines, marks, name).is_even:
        return False
    return beginning(lines, replace(marks, escape="\\"), name).is_even


def header_below(
    lines: Sequence[bytes], marks: Sequence[Marks], name: str, known: Collection[str]
) -> tuple[Marks, int] | None:
    """How many lines stand above a header that is hidden by a title, with the marks that show it.

    A title is lines of one text each, above a table of three columns at least. The next line is the
    header only beyond doubt: by the types below it, or by a name of the table's.
    """
    found = []
    for rank, of_this in enumerate(marks):
        records = beginning(lines, of_this, name).records
        titles = list(itertools.takewhile(is_title, records))
        table = Beginning(records[len(titles) :], True)
        width = table.width
        if width < _TITLED_WIDTH or not titles or any(_may_be_cut(t, width) for t in titles):
            continue
        header = table.records[0]
        fields = header.fields or ()
        is_known = name_a_column(fields, known)
        is_above_types = bool(typed_columns(table.records[1:], width))
        if len(fields) == width and are_names(fields) and (is_known or is_above_types):
            share = table.widths.count(width) / len(table.records)
            found.append(((share, width, -rank), of_this, header.line - 1))
    return max(found, key=lambda item: item[0])[1:] if found else None


def typed_columns(records: Sequence[Record], width: int) -> set[int]:
    """Where all texts of the records of this width are of another kind than text."""
    rows = [r.fields for r in records if r.fields is not None and len(r.fields) == width]
    return {index for index in range(width) if is_typed([row[index] for row in rows])}


def is_typed(texts: Sequence[str | None]) -> bool:
    """All that say something are numbers, dates, timestamps or booleans."""
    said = [text for text in texts if text]
    return bool(said) and all(kind_of_text(text) != "string" for text in said)


def are_names(fields: Sequence[str | None]) -> bool:
    """Each is a text, and no two would be one column."""
    names = {column_name(field or "") for field in fields}
    return len(names) == len(fields) and all(f and kind_of_text(f) == "string" for f in fields)


def name_a_column(fields: Sequence[str | None], known: Collection[str]) -> bool:
    """One of them at least is a column of the table."""
    return any(column_name(field or "") in known for field in fields)


def is_title(record: Record) -> bool:
    """It has one text at most."""
    return record.fields is not None and sum(bool(field) for field in record.fields) <= 1


def _may_be_cut(title: Record, width: int) -> bool:
    """It is a row of the table with other delimiters, and no title."""
    return any(title.raw.count(mark.encode()) + 1 == width for mark in DELIMITERS) and (
        len(title.fields or ()) == 1
    )
