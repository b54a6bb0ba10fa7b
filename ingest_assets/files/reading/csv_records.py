"""CSV records line by line, for what Arrow's reader cannot be trusted with (RFC 4180, but exact).

A quote opens only at the beginning of a field, is doubled inside, and closes right before a
delimiter or line end. A record that does otherwise, has another number of fields than the header,
or is not UTF-8 is rejected with its raw bytes. When a quoted field went over lines before that
happened, its quote was never closed where it should have been, and the file fails.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest_assets.errors import UnterminatedQuoteError

_MAX_QUOTED_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Record:
    """`fields` (None for null) or, of a record that is rejected, the `reason`."""

    line: int
    raw: bytes
    fields: list[str | None] | None
    reason: str | None = None


class _Malformed(ValueError):
    """Text follows a closing quote."""


class _OpenQuote(Exception):
    """A quoted field goes on in the next line."""


class Splitter:
    """Lines to records. `width` None: the number of fields is not checked."""

    def __init__(
        self,
        name: str,
        delimiter: str,
        quote: str | None,
        null_values: frozenset[str] = frozenset({""}),
        width: int | None = None,
    ) -> None:
        self._name = name
        self._text_delimiter = delimiter
        self._delimiter = delimiter.encode()
        self._quote = None if quote is None else quote.encode()
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
            if not _without_line_end(line):
                number += 1
                continue
            if self._quote is None or self._quote not in line:
                yield self._plain(number, line)
                number += 1
                continue
            record, line_count = self._quoted(number, line, source)
            yield record
            number += line_count

    def _plain(self, number: int, line: bytes) -> Record:
        raw = _without_line_end(line)
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            return Record(number, raw, None, f"not valid UTF-8 at byte {error.start} of the record")
        nulls = self._null_values
        fields = [None if f in nulls else f for f in text.split(self._text_delimiter)]
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
                fields = self._fields(raw)
            except _OpenQuote:
                self._extend(lines, source, number)
            except _Malformed as error:
                if len(lines) > 1:
                    raise self._unterminated(number) from error
                return Record(number, raw, None, str(error)), 1
            else:
                return self._decoded(number, raw, fields, lines), len(lines)

    def _extend(self, lines: list[bytes], source: Iterator[bytes], number: int) -> None:
        """More lines are taken, up to one in which the quoted field is closed."""
        assert self._quote is not None
        size = 0
        for line in source:
            lines.append(line)
            size += len(line)
            if _closing(line, 0, self._quote) >= 0:
                return
            if size > _MAX_QUOTED_BYTES:
                break
        raise self._unterminated(number)

    def _fields(self, raw: bytes) -> list[tuple[bytes, bool]]:
        """Each field's bytes and whether it was quoted."""
        assert self._quote is not None
        quote, delimiter = self._quote, self._delimiter
        fields = []
        position = 0
        while True:
            if raw.startswith(quote, position):
                end = _closing(raw, position + 1, quote)
                if end < 0:
                    raise _OpenQuote
                value = raw[position + 1 : end].replace(quote * 2, quote)
                fields.append((value, True))
                end += 1
                if end < len(raw) and not raw.startswith(delimiter, end):
                    raise _Malformed("text follows a closing quote")
            else:
                end = raw.find(delimiter, position)
                end = len(raw) if end < 0 else end
                fields.append((raw[position:end], False))
            if end >= len(raw):
                return fields
            position = end + 1

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


def _closing(text: bytes, position: int, quote: bytes) -> int:
    """Where the first quote from `position` stands that is not doubled, or -1."""
    while (found := text.find(quote, position)) >= 0:
        if not text.startswith(quote, found + 1):
            return found
        position = found + 2
    return -1


def _without_line_end(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r")
