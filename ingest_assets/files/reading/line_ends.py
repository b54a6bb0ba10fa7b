"""Lines that end with a carriage return alone, as old Macs write them, with line feeds instead."""

from collections.abc import Iterable, Iterator


def has_bare_returns(head: bytes, quote: str | None) -> bool:
    """Outside of quotes, lines end with a carriage return and none with a line feed."""
    if head.count(b"\r") == head.count(b"\r\n"):
        return False
    outside = b"".join(head.split(quote.encode())[::2]) if quote else head
    return b"\n" not in outside and b"\r" in outside.rstrip(b"\r")


def with_line_feeds(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces with a line feed for each carriage return, or pair of the two."""
    held = b""
    for piece in pieces:
        data = held + piece
        held = b"\r" if data.endswith(b"\r") else b""
        data = data.removesuffix(held) if held else data
        yield data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if held:
        yield b"\n"
