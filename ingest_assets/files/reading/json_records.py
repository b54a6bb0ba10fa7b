"""The records of a JSON file as raw bytes, one by one, in bounded memory.

| shape | what the file is | `_source_row` |
|---|---|---|
| lines | an object a line; blank lines are passed over | the line, from 1 |
| array | one array of objects | the element, from 1 |
| document | one object over several lines, or several such | the object, from 1 |
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import orjson

from ingest_assets.errors import WrongFormatError
from ingest_assets.files.reading.blocks import line_blocks, without_bom
from ingest_assets.files.reading.json_path import RecordPath
from ingest_assets.files.reading.json_window import Tokens, Window

Shape = Literal["lines", "array", "document"]
_BOM = b"\xef\xbb\xbf"
_NAME_OF_LINES = re.compile(r"\.(jsonl|ndjson)(\.\w+)?$", re.IGNORECASE)


def shape_of(head: bytes, name: str) -> Shape:
    """The shape that the first bytes of a file show, and its name where they may be a bad line."""
    text = head.removeprefix(_BOM).lstrip()
    first, line_end, rest = text.partition(b"\n")
    if text.startswith(b"["):
        return "lines" if rest.strip() and _is_json(first) else "array"
    if not text.startswith(b"{") or not line_end or _is_json(first):
        return "lines"
    is_bad_line = rest.lstrip().startswith(b"{") or _NAME_OF_LINES.search(name)
    return "lines" if is_bad_line else "document"


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def raw_records(
    pieces: Iterable[bytes], shape: Shape, name: str, path: RecordPath | None = None
) -> Iterator[tuple[int, bytes]]:
    """`_source_row` and the bytes of each record, in order; those at the `path` of documents.

    Raises:
        CorruptFileError: an array or object is never closed.
        WrongFormatError: something follows the array's end, or no array is at the path.
    """
    window = Window(name)
    if path is not None:
        return path.records(window, window.tokens(without_bom(pieces)))
    if shape == "lines":
        return _lines(pieces, name)
    if shape == "array":
        return _elements(window, window.tokens(without_bom(pieces)))
    return _documents(window, window.tokens(without_bom(pieces)))


def _lines(pieces: Iterable[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    for block in line_blocks(pieces, name):
        lines = block.split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                yield number, line.rstrip(b"\r")
        if not lines[-1]:
            number -= 1


def _documents(window: Window, tokens: Tokens) -> Iterator[tuple[int, bytes]]:
    row = depth = 0
    for token, _, end in tokens:
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth = max(0, depth - 1)
            if depth == 0:
                row += 1
                yield row, window.take(end, end)
    if depth:
        raise window.cut_short(row)
    if window.rest:
        yield row + 1, window.rest


def _elements(window: Window, tokens: Tokens) -> Iterator[tuple[int, bytes]]:
    row, depth, is_closed = 0, -1, False
    for token, start, end in tokens:
        if is_closed:
            break
        if token in (b"{", b"["):
            depth += 1
            if depth == 0:
                window.take(end, end)
        elif token == b"]" and depth == 0:
            is_closed = True
            last = window.take(start, end)
            if last or row:
                yield row + 1, last
        elif token == b"," and depth == 0:
            row += 1
            yield row, window.take(start, end)
        elif token in (b"}", b"]"):
            depth = max(0, depth - 1)
    if not is_closed:
        raise window.cut_short(row)
    if window.rest:
        raise WrongFormatError(
            f"{window.name} goes on after the end of its JSON array. Nothing of the file was "
            "written. Set format.options to {shape: lines} if each line is a record of its own."
        )
