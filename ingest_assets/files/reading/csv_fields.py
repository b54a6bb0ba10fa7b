"""The fields of one CSV record (RFC 4180, but exact).

A quote opens only at the beginning of a field, is doubled inside, and closes right before a
delimiter or line end. An escape character, where one is declared, takes the meaning from a quote, a
delimiter or itself, in quotes or not; before anything else both stand for themselves.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Marks:
    """What means something: a delimiter of one or more characters, and single ones, or None.

    `comment` begins a line.
    """

    delimiter: str
    quote: str | None
    escape: str | None = None
    comment: str | None = None


class Malformed(ValueError):
    """Text follows a closing quote."""


class OpenQuote(Exception):
    """A quoted field goes on in the next line."""


class FieldSplitter:
    """From a record, without its line end, to the bytes of each field and whether it was quoted."""

    def __init__(self, marks: Marks) -> None:
        self._delimiter = marks.delimiter.encode()
        self._quote = (marks.quote or "").encode()
        self._escape = (marks.escape or "").encode()
        delimiter, quote, escape = map(re.escape, (self._delimiter, self._quote, self._escape))
        plain = b"[^%s%s]+" % (delimiter[: 1 + (delimiter[:1] == b"\\")], escape)
        inside = b"[^%s%s]+" % (quote or b"\n", escape)
        if len(self._delimiter) > 1:
            plain += b"|(?!%s)%s" % (delimiter, re.escape(self._delimiter[:1]))
        if quote:
            inside += b"|" + quote * 2
        if escape:
            plain += b"|%s(?:.|$)" % escape
            inside += b"|%s." % escape
        self._plain = re.compile(b"(?:%s)*" % plain, re.DOTALL)
        self._inside = re.compile(b"(?:%s)*" % inside, re.DOTALL)

    def __call__(self, raw: bytes) -> list[tuple[bytes, bool]]:
        """The fields.

        Raises:
            OpenQuote: the last one is not closed.
            Malformed: text follows a closing quote.
        """
        fields = []
        position = 0
        while True:
            is_quoted = bool(self._quote) and raw.startswith(self._quote, position)
            end = self._closing(raw, position + 1) if is_quoted else self._plain_end(raw, position)
            value = raw[position + 1 : end] if is_quoted else raw[position:end]
            fields.append((self._meant(value, is_quoted), is_quoted))
            end += is_quoted
            if end >= len(raw):
                return fields
            if not raw.startswith(self._delimiter, end):
                raise Malformed("text follows a closing quote")
            position = end + len(self._delimiter)

    def closes(self, line: bytes) -> bool:
        """A quoted field that goes on in the line ends there."""
        return self._inside_end(line, 0) < len(line)

    def _closing(self, raw: bytes, position: int) -> int:
        end = self._inside_end(raw, position)
        if end == len(raw):
            raise OpenQuote
        return end

    def _inside_end(self, raw: bytes, position: int) -> int:
        """Where the quote stands that closes a field; the end of `raw` if none does."""
        match = self._inside.match(raw, position)
        end = match.end() if match else position
        return end if raw.startswith(self._quote, end) else len(raw)

    def _plain_end(self, raw: bytes, position: int) -> int:
        match = self._plain.match(raw, position)
        return match.end() if match else position

    def _meant(self, value: bytes, is_quoted: bool) -> bytes:
        if self._escape and self._escape in value:
            return self._unescaped(value, is_quoted)
        return value.replace(self._quote * 2, self._quote) if is_quoted else value

    def _unescaped(self, value: bytes, is_quoted: bool) -> bytes:
        special = {self._delimiter[:1], self._escape, self._quote}
        found, position = bytearray(), 0
        while position < len(value):
            char, following = value[position : position + 1], value[position + 1 : position + 2]
            is_doubled = is_quoted and char == following == self._quote
            if is_doubled or (char == self._escape and following in special - {b""}):
                char, position = following, position + 1
            found += char
            position += 1
        return bytes(found)
