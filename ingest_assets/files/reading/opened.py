"""The bytes of one source file, wherever they are kept while it is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Content:
    """`open` gives a new, seekable stream from the start at each call, still compressed.

    `name` is the key: it is named in messages, and its suffix is a hint. `size_bytes` is the size
    as stored.
    """

    name: str
    size_bytes: int
    open: Callable[[], BinaryIO]
