"""How a CSV file is written: delimiter, quote, header. Detected unless declared.

The delimiter is the one of `,` tab `;` `|` in the first line that cuts most records of the
beginning into as many fields as that line has, so one ragged row decides nothing. The first record
is a header unless one of its fields is a number, date, timestamp or boolean; one that names a
column of the table always is, and none is where the table's columns are numbered.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest_assets.errors import WrongFormatError
from ingest_assets.files.reading.compression import HEAD_BYTES
from ingest_assets.files.reading.csv_beginning import (
    DELIMITERS,
    Beginning,
    beginning,
    header_below,
    is_title,
    marks_of,
    name_a_column,
)
from ingest_assets.files.reading.csv_fields import Marks
from ingest_assets.files.reading.csv_names import (
    BLANK_NAMES,
    blank,
    check_alone,
    check_names,
    names_above,
    numbered,
)
from ingest_assets.files.reading.csv_records import Record, Splitter
from ingest_assets.files.reading.line_ends import has_bare_returns, with_line_feeds
from ingest_assets.schema.kinds import kind_of_text

_GLANCED_RECORDS = 3
"""So many tell that a file begins as it should; more are looked at where they do not."""
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Dialect:
    """`fields` are the names of the header or, without one, column_1, column_2, ...; none: the file
    is empty. The first `lines_before` stand before the records, `skipped_lines` of them before the
    header: declared ones, comments, and those of a title that was found.
    """

    marks: Marks
    fields: tuple[str, ...]
    header_rows: int
    lines_before: int
    null_values: tuple[str, ...] = ("",)
    skipped_lines: int = 0
    has_bare_returns: bool = False
    encoding: str = "utf-8"
    is_header_guessed: bool = False
    has_title: bool = False

    def splitter(self, name: str) -> Splitter:
        """What splits the file's lines into records of this dialect."""
        return Splitter(name, self.marks, frozenset(self.null_values), len(self.fields))

    def is_in_doubt(self, block: bytes) -> bool:
        """There is something in the block that only the records one by one can tell."""
        marks = self.marks
        if len(marks.delimiter) > 1 or (marks.escape and marks.escape.encode() in block):
            return True
        mark = (marks.comment or "").encode()
        return bool(mark) and (block.startswith(mark) or b"\n" + mark in block)

    @property
    def is_header_known_again(self) -> bool:
        """A record with the header's texts is the header, and not a row."""
        return self.header_rows == 1 and len(self.fields) > 1 and all(self.fields)

    @property
    def detected(self) -> dict[str, str | int | bool]:
        """What a person would want to know of it."""
        told: dict[str, str | int | bool] = {
            "delimiter": self.marks.delimiter,
            "quote": self.marks.quote or "none",
            "header": self.header_rows if self.header_rows > 1 else bool(self.header_rows),
        }
        if self.marks.escape is not None:
            told["escape"] = self.marks.escape
        if self.has_bare_returns:
            told["line_end"] = "CR"
        if self.encoding != "utf-8":
            told["encoding"] = self.encoding
        if self.skipped_lines:
            told["skipped_lines"] = self.skipped_lines
        return told


def detect(
    head: bytes,
    name: str,
    options: Mapping[str, Any],
    known: Collection[str] = (),
    encoding: str = "utf-8",
) -> Dialect:
    """The dialect of a file in `encoding`; `known` are the table's column names.

    `head` are the first bytes, in UTF-8.

    Raises:
        ColumnNameError: two fields of the header would become one column, or have no name.
        WrongFormatError: the header cannot be read, or does not fit what follows.
    """
    head = head.removeprefix(_BOM)
    is_bare = has_bare_returns(head, options.get("quote", '"'))
    lines = _whole_lines(head, is_bare)
    skipped = _skipped(lines, options.get("skip_lines", 0), options.get("comment"))
    lines = lines[skipped:]
    marks = marks_of(lines, name, options)
    found = beginning(lines, marks, name, skipped + 1, _GLANCED_RECORDS)
    if not found.is_even or is_title(found.records[0]):
        found = beginning(lines, marks, name, skipped + 1)
    below = _below_title(lines, marks, found, name, options, known)
    if below is not None:
        marks, title_lines = below
        skipped += title_lines
        found = beginning(lines[title_lines:], marks, name, skipped + 1)
    header_rows = _header_rows(found.records, name, options.get("header"), known)
    top = found.records[:header_rows]
    is_guessed = "header" not in options and (header_rows > 0 or "column_1" not in known)
    fields = names_above(top) if top else numbered(found, is_guessed=is_guessed)
    if top or is_guessed:
        check_names(found.records, header_rows, fields, name)
    if is_guessed and known and len(found.records) == header_rows == 1 and not _is_cut(head):
        check_alone(fields, known, name)
    return Dialect(
        marks,
        tuple(fields),
        header_rows,
        top[-1].line + top[-1].raw.count(b"\n") if top else skipped,
        ("", *options.get("null_values", ())),
        skipped,
        is_bare,
        encoding,
        is_guessed and header_rows > 0,
        below is not None,
    )


def _is_cut(head: bytes) -> bool:
    """The file may go on after its first bytes."""
    return len(head) >= HEAD_BYTES - len(_BOM)


def _whole_lines(head: bytes, has_bare_returns: bool) -> list[bytes]:
    """Lines with their ends; one that may go on after the head is left out."""
    is_cut = _is_cut(head)
    if has_bare_returns:
        head = b"".join(with_line_feeds([head]))
    parts = head.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    if parts[-1] and (not is_cut or not lines):
        lines.append(parts[-1])
    return lines


def _skipped(lines: list[bytes], declared: int, comment: str | None) -> int:
    """How many lines stand before the header: the declared ones, and comments after them."""
    count = declared
    while comment and count < len(lines) and lines[count].startswith(comment.encode()):
        count += 1
    return count


def _below_title(
    lines: Sequence[bytes],
    marks: Marks,
    found: Beginning,
    name: str,
    options: Mapping[str, Any],
    known: Collection[str],
) -> tuple[Marks, int] | None:
    """The marks of a table below a title, and the title's lines; only if there is none above it."""
    first = found.records[0].fields if found.records else None
    may_be_found = "skip_lines" not in options and options.get("header") in (None, True)
    if first is None or not may_be_found:
        return None
    is_table = found.widths.count(len(first)) >= found.widths.count(found.width)
    if is_table and blank(first) < BLANK_NAMES:
        return None
    others = [] if "delimiter" in options else [replace(marks, delimiter=d) for d in DELIMITERS]
    return header_below(lines, [marks, *others], name, known)


def _header_rows(
    records: Sequence[Record], name: str, declared: int | None, known: Collection[str]
) -> int:
    if not records or declared == 0:
        return 0
    first = [field or "" for field in records[0].fields or ()]
    if declared is None and name_a_column(first, known):
        return 1
    if declared is None and "column_1" in known:
        return 0
    for record in records[: declared or 1]:
        if record.fields is None:
            is_encoded = "UTF-8" in (record.reason or "")
            raise WrongFormatError(
                f"{name}: line {record.line} may be its header, but cannot be read: "
                f"{record.reason}. Nothing of the file was written. Mend the line, or set "
                f"format.options.{'encoding' if is_encoded else 'header to false'}."
            )
    if declared is not None:
        return min(int(declared), len(records))
    return int(not any(field and kind_of_text(field) != "string" for field in first))
