"""CSV records line by line, for what Arrow's reader cannot be trusted with (RFC 4180, but exact).

A record whose quotes are not as `csv_fields` has them, that has another number of fields than the
header, or is not UTF-8 is rejected with its raw bytes. When a quoted field went over lines before
that happened, its quote was never closed where it should have been, and the file fails.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest_assets.errors import UnterminatedQuoteError
from ingest_assets.files.reading.csv_fields import FieldSplitter, Malformed, Marks, OpenQuote

_MAX_QUOTED_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Record:
    """`fields` (None for null) or, of a record that is rejected, the `reason`."""

    line: int
    raw: bytes
    fields: list[str | None] | None
    reason: str | None = None


class Splitter:
    """Lines to records. `width` None: the number of fields is not checked."""

    def __init__(
        self,
        name: str,
        marks: Marks,
        null_values: frozenset[str] = frozenset({""}),
        width: int | None = None,
    ) -> None:
        self._name = name
        self._marks = marks
        self._fields_of = FieldSplitter(marks)
        self._delimiter = marks.delimiter.encode()
        self._special = [m.encode() for m in (marks.quote, marks.escape) if m is not None]
        self._comment = (marks.comment or "").encode()
        self._null_values = null_values
        self._width = width

    def records(self, lines: Iterable[bytes], first_line: int) -> Iterator[Record]:
        """The records of lines that keep their line ends; blank ones are passed over.

        Raises:
            UnterminatedQuoteError: a quote is never closed.
        """
        source = iter(lines)
        number = first_line
        for line in source:
            if not _without_line_end(line) or self._is_comment(line):
                number += 1
                continue
            if not any(mark in line for mark in self._special):
                yield self._plain(number, line)
                number += 1
                continue
            record, line_count = self._quoted(number, line, source)
            yield record
            number += line_count

    def _is_comment(self, line: bytes) -> bool:
        return bool(self._comment) and line.startswith(self._comment)

    def _plain(self, number: int, line: bytes) -> Record:
        raw = _without_line_end(line)
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            return Record(number, raw, None, f"not valid UTF-8 at byte {error.start} of the record")
        nulls = self._null_values
        fields = [None if f in nulls else f for f in text.split(self._marks.delimiter)]
        return self._checked(number, raw, fields)

    def _checked(self, number: int, raw: bytes, fields: list[str | None]) -> Record:
        if self._width is None or len(fields) == self._width:
            return Record(number, raw, fields)
        return Record(number, raw, None, f"{len(fields)} fields, expected {self._width}")

    def _quoted(self, number: int, line: bytes, source: Iterator[bytes]) -> tuple[Record, int]:
        """The record that begins with `line`, and how many lines it has."""
        lines = [line]
        while True:
            raw = _without_line_end(b"".join(lines))
            try:
                fields = self._fields_of(raw)
            except OpenQuote:
                self._extend(lines, source, number)
            except Malformed as error:
                if len(lines) > 1:
                    raise self._unterminated(number) from error
                return Record(number, raw, None, str(error)), 1
            else:
                return self._decoded(number, raw, fields, lines), len(lines)

    def _extend(self, lines: list[bytes], source: Iterator[bytes], number: int) -> None:
        """More lines are taken, up to one in which the quoted field is closed."""
        size = 0
        for line in source:
            lines.append(line)
            size += len(line)
            if self._fields_of.closes(line):
                return
            if size > _MAX_QUOTED_BYTES:
                break
        raise self._unterminated(number)

    def _decoded(
        self, number: int, raw: bytes, fields: list[tuple[bytes, bool]], lines: list[bytes]
    ) -> Record:
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            return Record(number, raw, None, f"not valid UTF-8 at byte {error.start} of the record")
        nulls = self._null_values
        decoded = [(value.decode(), is_quoted) for value, is_quoted in fields]
        texts = [None if text in nulls and not quoted else text for text, quoted in decoded]
        record = self._checked(number, raw, texts)
        if record.fields is None and any(self._is_whole(line) for line in lines[1:]):
            raise self._unterminated(number)
        return record

    def _is_whole(self, line: bytes) -> bool:
        """The line inside a quoted field of a ragged record would be a record by itself."""
        return self._width is not None and line.count(self._delimiter) == self._width - 1

    def _unterminated(self, number: int) -> UnterminatedQuoteError:
        return UnterminatedQuoteError(
            f"{self._name}: a quoted field begins in the record of line {number} and is not "
            "closed. The lines after it cannot be told apart, so nothing of the file was written. "
            "Close the quote, or set format.options.quote to the character the files use.",
            line=number,
        )


def _without_line_end(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r")
