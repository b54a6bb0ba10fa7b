"""The elements of a JSON array as JSON lines, by whole arrays of bytes: for the fast path.

Which bytes are inside of strings, and how many brackets are open, are running sums over a block; an
escaped quote is none, so escapes are blanked for them. The sums wrap, and text that is no JSON may
mislead them: then some line is no object, and whoever parses the lines refuses it. Where each is an
object, they are the elements.
"""

import re
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.files.reading import blocks
from ingest_assets.files.reading.blocks import without_bom
from ingest_assets.files.reading.chunk import Stumbled

_LARGE_BYTES = 64 * 1024**2
"""A longer element is left to the careful path: each look at a block begins at its first byte."""
_QUOTE, _COMMA, _LINE_FEED, _SPACE = (pa.scalar(char, pa.uint8()) for char in b'",\n ')
_OPENING, _CLOSING = (pa.array(list(chars), pa.uint8()) for chars in (b"[{", b"]}"))
_ODD = pa.scalar(1, pa.uint8())
_IN_ARRAY, _BEHIND_ARRAY = (pa.scalar(depth, pa.int8()) for depth in (0, -1))
_BLANKS_AFTER, _BLANKS_BEFORE = re.compile(rb"\n[ \t\r]+"), re.compile(rb"[ \t\r]+\n")


def element_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The elements of the array that the pieces are, one a line, in blocks of whole ones.

    Raises:
        Stumbled: it is no array, is not closed, or goes on after its end; nothing is between two
            commas, a string has a line feed, or an element is very large.
    """
    rest = b""
    is_begun = is_closed = awaits_element = False
    for piece in _large(without_bom(pieces)):
        text = rest + piece
        if not is_begun:
            text = text.lstrip()
            if not text.startswith(b"["):
                raise Stumbled
            text, is_begun = text[1:], True
        if len(text) > _LARGE_BYTES or (is_closed and text.strip()):
            raise Stumbled
        if is_closed:
            continue
        block = _Block(text)
        is_closed = block.end >= 0
        if is_closed and not text.startswith(b"]", block.end):
            raise Stumbled
        cut = block.end if is_closed else block.last_comma
        rest = text[cut + 1 :]
        lines = block.lines(cut)
        if lines:
            yield lines
        elif is_closed and awaits_element:
            raise Stumbled
        awaits_element |= cut >= 0
    if not is_closed or rest.strip():
        raise Stumbled


def _large(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, several as one where they are small."""
    held: list[bytes] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= blocks.BLOCK_BYTES:
            yield b"".join(held)
            held = []
    if held:
        yield b"".join(held)


class _Block:
    """Text inside of an array, from the beginning of an element on.

    `end`: where the bracket is that closes the array; `last_comma`: the last one between elements.
    -1: there is none.
    """

    def __init__(self, text: bytes) -> None:
        self._bytes = _as_array(text)
        plain = _as_array(text.replace(b"\\\\", b"  ").replace(b'\\"', b"  "))
        quotes = pc.cast(pc.equal(plain, _QUOTE), pa.uint8())
        self._is_inside = pc.equal(pc.bit_wise_and(pc.cumulative_sum(quotes), _ODD), _ODD)
        is_outside = pc.invert(self._is_inside)
        opening, closing = (
            pc.cast(pc.and_(pc.is_in(plain, value_set=brackets), is_outside), pa.int8())
            for brackets in (_OPENING, _CLOSING)
        )
        depth = pc.cumulative_sum(pc.subtract(opening, closing))
        is_comma = pc.and_(pc.equal(plain, _COMMA), is_outside)
        self._is_between = pc.and_(is_comma, pc.equal(depth, _IN_ARRAY))
        self.end = pc.index(depth, _BEHIND_ARRAY).as_py()
        commas = pc.indices_nonzero(self._is_between)
        self.last_comma = commas[-1].as_py() if len(commas) else -1

    def lines(self, size: int) -> bytes:
        """The elements in the first `size` bytes; none where all of them are blank.

        Raises:
            Stumbled: as `element_lines`.
        """
        if size <= 0:
            return b""
        found, is_inside, is_between = (
            array.slice(0, size) for array in (self._bytes, self._is_inside, self._is_between)
        )
        is_line_feed = pc.equal(found, _LINE_FEED)
        if pc.any(pc.and_(is_line_feed, is_inside)).as_py():
            raise Stumbled
        found = pc.if_else(is_between, _LINE_FEED, pc.if_else(is_line_feed, _SPACE, found))
        text = found.buffers()[1].to_pybytes()[:size].strip(b" \t\r")
        text = _BLANKS_AFTER.sub(b"\n", text)
        if any(blank in text for blank in (b" \n", b"\t\n", b"\r\n")):
            text = _BLANKS_BEFORE.sub(b"\n", text)
        if text.startswith(b"\n") or text.endswith(b"\n") or b"\n\n" in text:
            raise Stumbled
        return text


def _as_array(text: bytes) -> pa.UInt8Array:
    return pa.Array.from_buffers(pa.uint8(), len(text), [None, pa.py_buffer(text)])
