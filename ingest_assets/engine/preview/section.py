"""The parts of a report, for whatever shows them: a terminal, a page, Dagster's metadata."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "good", "warn", "bad", "dim"]


@dataclass(frozen=True)
class Said:
    """A sentence, or a few."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Grid:
    """Rows under a header; `tones` one a row. A narrow place may show the first `most` columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    tones: tuple[Tone, ...]
    numbers: frozenset[str] = frozenset()
    most: int | None = None


@dataclass(frozen=True)
class Code:
    """Text that keeps its lines."""

    text: str


Block = Said | Grid | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


def grid(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    tones: Sequence[Tone] | None = None,
    *,
    numbers: Sequence[str] = (),
    most: int | None = None,
) -> Grid:
    """The rows, plain where no tones are given; columns named in `numbers` are right-aligned."""
    return Grid(
        tuple(columns),
        tuple(tuple(row) for row in rows),
        tuple(tones) if tones is not None else tuple("plain" for _ in rows),
        frozenset(numbers),
        most,
    )


def bytes_text(size_bytes: float) -> str:
    """`12.3 kB`, as people say it; powers of a thousand."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes:.0f} bytes"


def counted(count: int, word: str, plural: str | None = None) -> str:
    """`1 file`, `1,200 files`."""
    return f"{count:,} {word if count == 1 else plural or word + 's'}"


def money(amount: float, currency: str) -> str:
    """The amount with as many digits as say something."""
    digits = 2 if amount >= 1 or amount == 0 else 4
    shown = "< 0.0001" if 0 < amount < 0.0001 else f"{amount:,.{digits}f}"
    return f"{shown} {currency}".rstrip()


def quantity(number: float) -> str:
    """The number as a whole one, or with the digits that say something."""
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.3g}"
