"""How a CSV file is written: delimiter, quote, header. Detected unless declared.

The delimiter is the one of `,` tab `;` `|` in the first line that cuts most records of the
beginning into as many fields as that line has, so one ragged row decides nothing. The first record
is a header unless one of its fields is a number, date, timestamp or boolean; one that names a
column of the table always is, and none is where the table's columns are numbered.
"""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingest_assets.errors import UnterminatedQuoteError, WrongFormatError
from ingest_assets.files.reading.compression import HEAD_BYTES
from ingest_assets.files.reading.csv_fields import Marks
from ingest_assets.files.reading.csv_records import Splitter
from ingest_assets.files.reading.text_encoding import is_encoding
from ingest_assets.schema.kinds import kind_of_text
from ingest_assets.schema.names import column_name, column_names

DELIMITERS = (",", "\t", ";", "|")
_OPTIONS = (
    "delimiter",
    "quote",
    "escape",
    "header",
    "encoding",
    "null_values",
    "skip_lines",
    "comment",
)
_MARKS = ("delimiter", "quote", "escape", "comment")
_SAMPLED_RECORDS = 200
_BOM = b"\xef\xbb\xbf"
_TSV_NAME = re.compile(r"\.(tsv|tab)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """`fields` are the names of the header or, without one, column_1, column_2, ...; none: the file
    is empty. The first `skipped_lines` are passed over.
    """

    delimiter: str
    quote: str | None
    has_header: bool
    fields: tuple[str, ...]
    null_values: tuple[str, ...] = ("",)
    escape: str | None = None
    comment: str | None = None
    skipped_lines: int = 0
    encoding: str = "utf-8"

    def splitter(self, name: str) -> Splitter:
        """What splits the file's lines into records of this dialect."""
        marks = Marks(self.delimiter, self.quote, self.escape, self.comment)
        return Splitter(name, marks, frozenset(self.null_values), len(self.fields))

    def is_in_doubt(self, block: bytes) -> bool:
        """There is something in the block that only the records one by one can tell."""
        if self.escape is not None and self.escape.encode() in block:
            return True
        mark = (self.comment or "").encode()
        return bool(mark) and (block.startswith(mark) or b"\n" + mark in block)

    @property
    def detected(self) -> dict[str, str | int | bool]:
        """What a person would want to know of it."""
        told: dict[str, str | int | bool] = {
            "delimiter": self.delimiter,
            "quote": self.quote or "none",
            "header": self.has_header,
        }
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
        ColumnNameError: two fields of the header would become one column.
        WrongFormatError: the lines do not end as lines of CSV do.
    """
    lines = _whole_lines(head.removeprefix(_BOM))
    comment, escape = options.get("comment"), options.get("escape")
    skipped = _skipped(lines, options.get("skip_lines", 0), comment)
    lines = lines[skipped:]
    quote = options.get("quote", '"')
    if "quote" not in options and _is_single_quoted(lines):
        quote = "'"
    marks = Marks(",", quote, escape, comment)
    delimiter = options.get("delimiter") or _delimiter(lines, marks, name)
    nulls = ("", *options.get("null_values", ()))
    first = _first(lines, replace(marks, delimiter=delimiter), name)
    if any("\r" in field for field in first) and b"\n" not in head:
        raise WrongFormatError(
            f"{name}: the lines end with a carriage return alone. Nothing of the file was "
            "written. Convert the line ends to line feeds."
        )
    has_header = options.get("header")
    if has_header is None:
        has_header = _is_header(first, known)
    fields = first if has_header else [f"column_{n}" for n in range(1, len(first) + 1)]
    column_names(fields)
    names = tuple(fields)
    return Dialect(
        delimiter, quote, bool(has_header), names, nulls, escape, comment, skipped, encoding
    )


def _skipped(lines: list[bytes], declared: int, comment: str | None) -> int:
    """How many lines stand before the header: the declared ones, and comments after them."""
    count = declared
    while comment and count < len(lines) and lines[count].startswith(comment.encode()):
        count += 1
    return count


def _whole_lines(head: bytes) -> list[bytes]:
    """Lines with their ends; one that may go on after the head is left out."""
    parts = head.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    if parts[-1] and (len(head) < HEAD_BYTES - len(_BOM) or not lines):
        lines.append(parts[-1])
    return lines


def _is_single_quoted(lines: list[bytes]) -> bool:
    text = b"".join(lines)
    if b'"' in text:
        return False
    marks = (*(delimiter.encode() for delimiter in DELIMITERS), b"\n", b"\r\n")
    return sum(text.count(b"'" + mark) for mark in marks) >= 2 * len(lines) > 0


def _sample(lines: list[bytes], marks: Marks, name: str) -> Iterator[list[str]]:
    """The fields of the first records, texts all; ends where the quotes cannot be followed."""
    splitter = Splitter(name, marks, frozenset())
    try:
        for record in itertools.islice(splitter.records(lines, 1), _SAMPLED_RECORDS):
            if record.fields is not None:
                yield [field or "" for field in record.fields]
    except UnterminatedQuoteError:
        return


def _delimiter(lines: list[bytes], marks: Marks, name: str) -> str:
    first = next((line.decode(errors="replace") for line in lines if line.strip()), "")
    candidates = [delimiter for delimiter in DELIMITERS if delimiter in first]
    if len(candidates) == 1:
        return candidates[0]
    if "\t" in candidates and _TSV_NAME.search(name):
        return "\t"
    scores = []
    for rank, delimiter in enumerate(candidates):
        of_this = replace(marks, delimiter=delimiter)
        widths = [len(fields) for fields in _sample(lines, of_this, name)]
        if not widths:
            continue
        width, count = max(Counter(widths).items(), key=lambda item: (item[1], item[0]))
        share = count / len(widths)
        scores.append((width > 1, widths[0] == width, share, width, -rank, delimiter))
    return max(scores)[-1] if scores else ","


def _first(lines: list[bytes], marks: Marks, name: str) -> list[str]:
    return next(_sample(lines, marks, name), [])


def _is_header(first: list[str], known: Collection[str]) -> bool:
    if any(column_name(field) in known for field in first):
        return True
    if "column_1" in known:
        return False
    return not any(field and kind_of_text(field) != "string" for field in first)


def validate_csv_options(options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options, one line a problem; empty when nothing is."""
    problems = [
        f"{name}: the format csv has no such option; it has {', '.join(_OPTIONS)}"
        for name in options
        if name not in _OPTIONS
    ]
    marks = {name: options[name] for name in _MARKS if name in options}
    for name, value in marks.items():
        is_char = isinstance(value, str) and len(value) == 1 and value.isascii()
        if not (is_char and value not in "\r\n") and not (name != "delimiter" and value is None):
            problems.append(f"{name}: expected one ASCII character, found {value!r}")
    taken: dict[object, str] = {}
    for name, value in ({"quote": '"'} | marks).items():
        if value is not None and value in taken:
            problems.append(f"{name}: is the same character as the {taken[value]}")
        taken.setdefault(value, name)
    if "encoding" in options and not is_encoding(options["encoding"]):
        problems.append(f"encoding: no such encoding is known, found {options['encoding']!r}")
    skipped = options.get("skip_lines", 0)
    if not isinstance(skipped, int) or isinstance(skipped, bool) or skipped < 0:
        problems.append(f"skip_lines: expected a number of lines, found {skipped!r}")
    if not isinstance(options.get("header", True), bool):
        problems.append(f"header: expected true or false, found {options['header']!r}")
    nulls = options.get("null_values", [])
    if not isinstance(nulls, list | tuple) or not all(isinstance(text, str) for text in nulls):
        problems.append(f"null_values: expected a list of texts, found {nulls!r}")
    return problems
