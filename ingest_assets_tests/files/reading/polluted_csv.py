"""One small table as CSV, polluted in one way at a time.

The kinds are those that were counted in real files for Pollock, a benchmark of data loading
(Vitagliano and others, PVLDB 16(8), 2023): in the file as a whole, in its dialect, and in one row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

HEADER = ("day", "clock", "quantity", "product", "price", "kind", "description", "url", "comment")
_TEXTS = ("Lamp, small", 'Pipe, 5" wide', "Chair", "Desk; oak | pine", "Shelf", 'The "old" one')
_COMMENTS = ("", "late", "", "it's dented", "call back: noon", "two, not one", "")
ROWS = tuple(
    (
        f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}",
        f"{n % 24:02}:{n * 7 % 60:02}",
        str(n * 13 % 97),
        f"{n:03}-{'ABC'[n % 3]}",
        f"{n * 3 % 50}.{n * 37 % 90 + 10}",
        ("tool", "light", "seat")[n % 3],
        f"{_TEXTS[n % 6]}, no. {n}",
        f"http://shop.example/p?id={n}",
        _COMMENTS[n % 7],
    )
    for n in range(1, 85)
)

Fate = Literal["right", "written", "declared", "named"]
"""`right`: every row, without a word. `written`: every row, with the quote or escape that stands
there. `declared`: every row with the options; without them what is wrong is named. `named`: by a
rejected row with its line, a rescued value, or an error."""


@dataclass(frozen=True)
class Dialect:
    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    line_end: str = "\n"
    quotes_all: bool = False

    def line(self, cells: Iterable[str]) -> str:
        """The cells as a record without its line end."""
        return self.delimiter.join(self.cell(cell) for cell in cells)

    def cell(self, text: str) -> str:
        special = (self.delimiter, self.quote, self.escape or self.quote, '"', " ")
        if not (self.quotes_all or any(mark in text for mark in special)):
            return text
        for mark in filter(None, (self.escape, self.quote)):
            text = text.replace(mark, (self.escape or self.quote) + mark)
        return self.quote + text + self.quote


@dataclass(frozen=True)
class Polluted:
    """`lines`, without their ends; `rows`: the values of the record that begins on each line."""

    name: str
    lines: tuple[str, ...]
    rows: Mapping[int, tuple[str, ...]]
    fate: Fate = "right"
    options: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = HEADER
    line_end: str = "\n"
    last_line_end: str | None = None
    encoding: str = "utf-8"

    @property
    def data(self) -> bytes:
        end = self.line_end if self.last_line_end is None else self.last_line_end
        text = self.line_end.join(self.lines) + (end if self.lines else "")
        return text.encode(self.encoding)


_PLAIN = Dialect()


def table(
    name: str,
    dialect: Dialect = _PLAIN,
    *,
    rows: Sequence[tuple[str, ...]] = ROWS,
    before: Iterable[str] = (),
    header: Iterable[str] | None = None,
    after: Iterable[str] = (),
) -> Polluted:
    """The table in the dialect, with lines before the header and after the rows."""
    heads = [*before, *([dialect.line(HEADER)] if header is None else header)]
    lines = (*heads, *map(dialect.line, rows), *after)
    numbered = dict(enumerate(rows, start=len(heads) + 1))
    return Polluted(name, lines, numbered, line_end=dialect.line_end)


CLEAN = table("a clean file")
