"""A text file as blocks of whole lines."""

from collections.abc import Iterable, Iterator

from ingest_assets.errors import CorruptFileError

BLOCK_BYTES = 4 * 1024**2
MAX_RECORD_BYTES = 512 * 1024**2
"""A longer line or record is taken for a file that lost its line ends."""
_BOM = b"\xef\xbb\xbf"


def without_bom(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces without a UTF-8 byte order mark at their very beginning."""
    start: bytes | None = b""
    for piece in pieces:
        if start is None:
            yield piece
            continue
        start += piece
        if len(start) >= len(_BOM):
            yield start.removeprefix(_BOM)
            start = None
    if start:
        yield start


def line_blocks(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Blocks of about `BLOCK_BYTES` or one longer line; all but the last end with a line feed.

    Raises:
        CorruptFileError: a line is longer than `MAX_RECORD_BYTES`.
    """
    held: list[bytes] = []
    size = 0
    for piece in without_bom(pieces):
        size += len(piece)
        cut = piece.rfind(b"\n") + 1 if size >= BLOCK_BYTES else 0
        if not cut:
            held.append(piece)
            refuse_endless(size, name)
            continue
        yield b"".join([*held, piece[:cut]])
        held, size = [piece[cut:]], len(piece) - cut
    rest = b"".join(held)
    if rest:
        yield rest


def without_lines(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The blocks of lines without the first `count` lines."""
    for block in blocks:
        position = 0
        while count and position < len(block):
            position = block.find(b"\n", position) + 1 or len(block)
            count -= 1
        if position < len(block):
            yield block[position:]


def refuse_endless(size_bytes: int, name: str) -> None:
    """Nothing, unless a record of this size is too long to be one.

    Raises:
        CorruptFileError: it is.
    """
    if size_bytes > MAX_RECORD_BYTES:
        raise CorruptFileError(
            f"{name} has a record of more than {MAX_RECORD_BYTES} bytes; its line ends or closing "
            "brackets are missing. Nothing of the file was written."
        )
