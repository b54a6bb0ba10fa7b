"""Where the records of a block of CSV begin and end, if its quotes leave no doubt.

Quotes leave no doubt when each opening one stands right after a delimiter or line end, and each
closing one right before. Then a line feed ends a record exactly if an even number of quotes stands
before it, and Arrow's reader sees the same records.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_LINE_FEED, _RETURN = 10, 13
_CARRIED_LIMIT_BYTES = 64 * 1024**2
_WINDOW_BYTES = 256 * 1024


@dataclass(frozen=True)
class Block:
    """Whole records. `lines`: the line, from 0 in the block, on which each one begins.

    `line_count` counts all lines. `lines` is None for bytes whose quotes leave doubts: they are
    the rest of what was read, and its last record may go on.
    """

    data: bytes
    lines: pa.Array | None
    line_count: int


def record_blocks(
    blocks: Iterable[bytes],
    delimiter: str,
    quote: str | None,
    is_in_doubt: Callable[[bytes], bool] = lambda block: False,
) -> Iterator[Block]:
    """The blocks of lines as blocks of records; ends at the first one with doubts.

    What follows a block with doubts is left in `blocks`.
    """
    carried = b""
    for data in blocks:
        block = carried + data if carried else data
        cut, found = (0, None) if is_in_doubt(block) else _cut(block, delimiter, quote)
        if found is None or len(block) - cut > _CARRIED_LIMIT_BYTES:
            yield Block(block, None, 0)
            return
        carried = block[cut:]
        if cut:
            yield found
    if carried:
        yield Block(carried, None, 0)


def _bytes(data: bytes) -> pa.Array:
    return pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])


def _positions(data: pa.Array, byte: int) -> pa.Array:
    """Where the byte stands; by a filter, because `pc.indices_nonzero` takes five times as long."""
    wanted, found = pa.scalar(byte, pa.uint8()), [pa.array([], pa.int64())]
    for start in range(0, len(data), _WINDOW_BYTES):
        window = data.slice(start, _WINDOW_BYTES)
        inside = _window_positions().slice(0, len(window)).filter(pc.equal(window, wanted))
        found.append(pc.add(pc.cast(inside, pa.int64()), start))
    return pa.concat_arrays(found)


@functools.cache
def _window_positions() -> pa.Array:
    return pc.cast(pa.arange(0, _WINDOW_BYTES), pa.int32())


def _cut(block: bytes, delimiter: str, quote: str | None) -> tuple[int, Block | None]:
    """Where the last whole record ends, and the block up to there; None: doubts."""
    has_quotes = quote is not None and quote.encode() in block
    if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
        return 0, None
    data = _bytes(block)
    feeds = _positions(data, _LINE_FEED)
    ends = feeds
    quotes = None
    if has_quotes and quote is not None:
        quotes = _positions(data, ord(quote))
        if not _are_clear(data, quotes, delimiter):
            return 0, None
        parity = pc.bit_wise_and(pc.search_sorted(quotes, feeds), 1)
        ends = feeds.filter(pc.equal(parity, 0))
    is_whole = quotes is None or len(quotes) % 2 == 0
    cut = len(block) if is_whole else (ends[-1].as_py() + 1 if len(ends) else 0)
    starts = pa.concat_arrays([pa.array([0], pa.int64()), pc.add(ends, 1)])
    starts = starts.filter(pc.less(starts, cut))
    is_line_each = len(ends) == len(feeds)
    lines = pa.arange(0, len(starts)) if is_line_each else pc.search_sorted(feeds, starts)
    first = data.take(starts)
    is_blank = pc.is_in(first, pa.array([_LINE_FEED, _RETURN], pa.uint8()))
    lines = pc.cast(lines, pa.int64()).filter(pc.invert(is_blank))
    line_count = pc.search_sorted(feeds, cut).as_py()
    line_count += cut == len(block) and not block.endswith(b"\n")
    return cut, Block(block[:cut], lines, line_count)


def _are_clear(data: pa.Array, quotes: pa.Array, delimiter: str) -> bool:
    """Each opening quote follows, and each closing one precedes, a delimiter, line end or quote."""
    opening = quotes.take(pa.arange(0, len(quotes), 2))
    closing = quotes.take(pa.arange(1, len(quotes), 2))
    before = pc.subtract(opening.filter(pc.greater(opening, 0)), 1)
    after = pc.add(closing, 1)
    after = after.filter(pc.less(after, len(data)))
    neighbours = pa.array([ord(delimiter), _LINE_FEED, data[quotes[0].as_py()].as_py()], pa.uint8())
    return _are_all_in(data.take(before), neighbours) and _are_all_in(
        data.take(after), pa.concat_arrays([neighbours, pa.array([_RETURN], pa.uint8())])
    )


def _are_all_in(values: pa.Array, allowed: pa.Array) -> bool:
    return pc.all(pc.is_in(values, allowed)).as_py() is not False
