"""The records that a JSON document has in an array inside of it, as CloudTrail's `Records`.

The brackets and commas of the document are followed up to the array at the path and through it, so
the document may be larger than the memory. Several documents may follow each other.
"""

import json
from collections.abc import Iterator

from ingest_assets.errors import WrongFormatError
from ingest_assets.files.reading.json_window import Tokens, Window

_NAMES_AT_MOST = 10


class RecordPath:
    """`path`: the keys that lead to the array, from the outside in.

    `outside`: keys beside the path of the documents that were read, some at least.
    """

    def __init__(self, path: tuple[str, ...]) -> None:
        self.path = path
        self.outside: dict[str, None] = {}
        self._open: list[str] = []
        self._keys: list[str | None] = []
        self._row = 0

    def records(self, window: Window, tokens: Tokens) -> Iterator[tuple[int, bytes]]:
        """`_source_row` (the element, from 1, through all documents) and the bytes of each record.

        Raises:
            CorruptFileError: a document is never closed.
            WrongFormatError: a document has no array at the path.
        """
        is_found, awaits_key = True, False
        source = iter(tokens)
        for token, start, end in source:
            if not self._open and (window.take(start, start) or token not in (b"{", b"[")):
                raise self._missing(window.name)
            if token.startswith(b'"'):
                if awaits_key:
                    self._note_key(json.loads(token))
                    awaits_key = False
            elif token == b"[" and self._is_at_path():
                window.take(end, end)
                is_found = True
                yield from self._elements(window, source)
                continue
            elif token in (b"{", b"["):
                if not self._open:
                    is_found = False
                self._open.append(token.decode())
                self._keys.append(None)
                awaits_key = token == b"{"
            elif token == b",":
                awaits_key = self._open[-1:] == ["{"]
            else:
                self._open, self._keys = self._open[:-1], self._keys[:-1]
                if not self._open and not is_found:
                    raise self._missing(window.name)
            window.take(end, end)
        if self._open:
            raise window.cut_short(self._row)
        if window.rest:
            raise self._missing(window.name)

    def _is_at_path(self) -> bool:
        return tuple(self._keys) == self.path and "[" not in self._open

    def _note_key(self, key: str) -> None:
        self._keys[-1] = key
        here = tuple(self._keys)
        is_on_path = here[:-1] == self.path[: len(here) - 1] and len(here) <= len(self.path)
        if (
            is_on_path
            and here[-1] != self.path[len(here) - 1]
            and len(self.outside) < _NAMES_AT_MOST
        ):
            self.outside[".".join(map(str, here))] = None

    def _elements(self, window: Window, tokens: Tokens) -> Iterator[tuple[int, bytes]]:
        """The elements up to the end of the array whose beginning was the last token."""
        depth, is_first = 0, True
        for token, start, end in tokens:
            if token == b"]" and depth == 0:
                last = window.take(start, end)
                if last or not is_first:
                    self._row += 1
                    yield self._row, last
                return
            if token == b"," and depth == 0:
                self._row, is_first = self._row + 1, False
                yield self._row, window.take(start, end)
            elif token in (b"{", b"["):
                depth += 1
            elif token in (b"}", b"]"):
                depth -= 1
        raise window.cut_short(self._row)

    def _missing(self, name: str) -> WrongFormatError:
        beside = f"; beside it there are {', '.join(self.outside)}" if self.outside else ""
        return WrongFormatError(
            f"{name} has a document without an array at {'.'.join(self.path)!r}, which "
            f"format.options.record_path declares{beside}. Nothing of the file was written."
        )
