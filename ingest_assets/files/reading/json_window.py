"""A JSON file as brackets, commas and strings, of which no more is held than the current record."""

import re
from collections.abc import Iterable, Iterator

from ingest_assets.errors import CorruptFileError
from ingest_assets.files.reading.blocks import refuse_endless

Tokens = Iterable[tuple[bytes, int, int]]
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},"]', re.DOTALL)


class Window:
    """The part of the file from where the current record begins to where the last piece ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._begin = 0
        self._buffer = b""

    def tokens(self, pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int, int]]:
        """Brackets, commas and whole strings, each with where it begins and ends in the window."""
        position = 0
        for piece in pieces:
            position -= self._begin
            self._buffer = self._buffer[self._begin :] + piece
            self._begin = 0
            refuse_endless(len(self._buffer) - len(piece), self.name)
            for token in _TOKEN.finditer(self._buffer, position):
                if token.group() == b'"':
                    # The string goes on in the next piece.
                    position = token.start()
                    break
                yield token.group(), token.start(), token.end()
            else:
                position = len(self._buffer)

    def take(self, end: int, after: int) -> bytes:
        """The record that ends before `end`; the next one begins at `after`."""
        raw = self._buffer[self._begin : end].strip()
        self._begin = after
        return raw

    @property
    def rest(self) -> bytes:
        """What follows the last record."""
        return self._buffer[self._begin :].strip()

    def cut_short(self, row: int) -> CorruptFileError:
        return CorruptFileError(
            f"{self.name} is cut short: its JSON is not closed after record {row}. Nothing of the "
            "file was written."
        )
