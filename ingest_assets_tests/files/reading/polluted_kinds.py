"""The kinds of pollution of a CSV file, each with what becomes of it."""

from collections.abc import Iterator
from dataclasses import replace

from ingest_assets_tests.files.reading.polluted_csv import (
    CLEAN,
    HEADER,
    ROWS,
    Dialect,
    Polluted,
    table,
)

_PLAIN = Dialect()
_QUOTED = Dialect(quotes_all=True)
_STYLES = {"quoted where needed": _PLAIN, "all quoted": _QUOTED}
_PLACES = {"header": -1, "first row": 0, "middle row": 41, "last row": 83}
_NUMBERED = tuple(f"column_{n}" for n in range(1, 10))


def kinds() -> Iterator[Polluted]:
    """All of them."""
    yield from _whole_files()
    yield from _tops()
    yield from _several_tables()
    yield from _dialects()
    yield from _rows_of_another_width()
    yield from _rows_with_other_quotes()
    yield from _rows_in_another_dialect()


def _whole_files() -> Iterator[Polluted]:
    yield CLEAN
    yield replace(CLEAN, name="no line end at the end", last_line_end="")
    yield replace(CLEAN, name="two line ends at the end", last_line_end="\n\n")
    yield table("lines that end with CR LF", Dialect(line_end="\r\n"))
    yield table("lines that end with CR", Dialect(line_end="\r"))
    yield table("lines that end with CR, all quoted", Dialect(line_end="\r", quotes_all=True))
    yield Polluted("no bytes", (), {})
    yield table("a header alone", rows=())
    yield table("one row", rows=ROWS[:1])
    yield replace(table("no header", header=()), names=_NUMBERED)
    yield replace(CLEAN, name="UTF-16 with its mark", encoding="utf-16")
    utf_16 = replace(CLEAN, name="UTF-16 without its mark", encoding="utf-16-le")
    yield replace(utf_16, fate="declared", options={"encoding": "utf-16-le"})
    accented = [(*row[:6], f"Kür, {n}", *row[7:]) for n, row in enumerate(ROWS)]
    latin = replace(table("Latin-1", rows=accented), encoding="latin-1")
    yield replace(latin, fate="declared", options={"encoding": "latin-1"})
    names = ("jour", "clé", *HEADER[2:])
    latin = table("Latin-1 in the header alone", header=[_PLAIN.line(names)])
    latin = replace(latin, encoding="latin-1", names=names)
    yield replace(latin, fate="declared", options={"encoding": "latin-1"})
    names = HEADER + tuple(f"more{n}" for n in range(1000))
    wide = table("1009 columns", rows=[row + ("x",) * 1000 for row in ROWS])
    yield replace(wide, lines=(_PLAIN.line(names), *wide.lines[1:]))


def _tops() -> Iterator[Polluted]:
    """What stands above the first row."""
    head = _PLAIN.line(HEADER)
    for count in (1, 3):
        titles = [f"Sales report {n}" for n in range(count)]
        cut = [title + "," * 8 for title in titles]
        yield table(f"{count} lines of a title", before=titles)
        yield table(f"{count} lines of a title and a blank one", before=[*titles, ""])
        yield table(f"{count} lines of a title with delimiters", before=cut)
        yield table(f"{count} lines of a title and one of delimiters", before=[*cut, "," * 8])
    yield table("a title with other delimiters", before=["Sales; north", "Made | by hand"])
    yield table("a title in quotes", before=['"Sales, north"'])
    yield table("a name in rows of their own", before=[",,HEADER,,,,,,"] * 2)
    for what, before in (
        ("a title with the delimiter in it", ["Sales, north, 2024"]),
        ("names and values above the header", ["made by:,someone", "day:,2024-01-01"]),
        ("a header row of groups", ["When,,What,,,,,,Rest"]),
    ):
        file = table(what, before=before)
        yield replace(file, fate="declared", options={"skip_lines": len(before)})
    file = table("a title and no header", before=["Sales"], header=())
    yield replace(file, fate="declared", options={"skip_lines": 1}, names=_NUMBERED)
    for count in (2, 3):
        file = table(f"the header {count} times", header=[head] * count)
        yield replace(file, fate="declared", options={"header": count})
    units = ["ISO", "h:m", "pieces", "code", "EUR", "one of three", "words", "link", "free text"]
    names = tuple(f"{name} {unit}" for name, unit in zip(HEADER, units, strict=True))
    file = table("a header row of units", header=[head, ",".join(units)])
    yield replace(file, fate="declared", options={"header": 2}, names=names)
    file = table("two columns of one name", header=[head.replace("clock", "day")])
    yield replace(file, fate="named")
    file = table("two columns without a name", header=[head.replace("clock,quantity", ",")])
    yield replace(file, fate="named")
    yield replace(
        table("a column without a name", header=[head.replace("clock", "")]),
        names=("day", "unnamed", *HEADER[2:]),
    )


def _several_tables() -> Iterator[Polluted]:
    for gap, apart in (((), "right below"), (("",), "below a blank line")):
        for words, width in (("fewer", 3), ("more", 12)):
            rows = [[f"{what}{n}" for n in range(width)] for what in ("name", *"abcdef")]
            file = table(f"a table of {words} columns {apart}", after=[*gap, *map(",".join, rows)])
            yield replace(file, fate="named")
        names = ",".join(f"name{n}" for n in range(9))
        file = table(f"a table of as many columns {apart}", after=[*gap, names, *CLEAN.lines[1:7]])
        yield replace(file, fate="named")
        file = table(f"the same table again {apart}", after=[*gap, *CLEAN.lines[:7]])
        begin = len(file.lines) - 5
        again = dict(enumerate(ROWS[:6], start=begin))
        yield replace(file, rows={**file.rows, **again}, fate="named")
    yield replace(table("a line below the table", after=["84 rows"]), fate="named")


def _dialects() -> Iterator[Polluted]:
    for style, dialect in _STYLES.items():
        for mark in (",", ";", "\t", "|", " ", ":", ", "):
            yield table(f"delimiter {mark!r}, {style}", replace(dialect, delimiter=mark))
        for mark in ("\t\t", "||", "\\t"):
            file = table(f"delimiter {mark!r}, {style}", replace(dialect, delimiter=mark))
            yield replace(file, fate="declared", options={"delimiter": mark})
        yield table(f"backslash escapes, {style}", replace(dialect, escape="\\"))
        file = table(f"single quotes, {style}", replace(dialect, quote="'"))
        yield file if dialect is _QUOTED else replace(file, fate="declared", options={"quote": "'"})


def _with(file: str, dialect: Dialect, row: int, line: str) -> Polluted:
    """One record, of the header if `row` is -1, is another line, and no row any more."""
    whole = table(file, dialect)
    number = row + 2
    rows = {n: cells for n, cells in whole.rows.items() if n != number}
    lines = (*whole.lines[: number - 1], line, *whole.lines[number:])
    return replace(whole, lines=lines, rows=rows, fate="named")


def _cells(row: int) -> tuple[str, ...]:
    return HEADER if row < 0 else ROWS[row]


def _as_written(file: Polluted, row: int, cells: tuple[str, ...]) -> Polluted:
    """The record is read as it stands there: `cells` are its values, or the names."""
    if row < 0:
        return replace(file, fate="written", names=cells)
    return replace(file, fate="written", rows={**file.rows, row + 2: cells})


def _rows_of_another_width() -> Iterator[Polluted]:
    for style, dialect in _STYLES.items():
        for place, row in _PLACES.items():
            cells = [dialect.cell(cell) for cell in _cells(row)]
            lines = {
                "a delimiter before all": "," + ",".join(cells),
                "a delimiter after all": ",".join(cells) + ",",
                "5 fields": ",".join(cells[:5]),
                "15 fields": ",".join([*cells, *["x"] * 6]),
            }
            for column in (1, 4, 8):
                left, right = ",".join(cells[:column]), ",".join(cells[column:])
                lines[f"no delimiter before field {column}"] = left + right
                lines[f"two delimiters before field {column}"] = f"{left},,{right}"
            for what, line in lines.items():
                yield _with(f"{what} in the {place}, {style}", dialect, row, line)
    lines = table("", Dialect(line_end="\r\n")).lines
    for place, row in list(_PLACES.items())[:-1]:
        merged = (*lines[: row + 1], lines[row + 1] + "\r" + lines[row + 2], *lines[row + 3 :])
        rows = {
            n if n < row + 2 else n - 1: cells
            for n, cells in CLEAN.rows.items()
            if n not in (row + 2, row + 3)
        }
        name = f"a line end of CR in the {place}"
        yield Polluted(name, merged, rows, "named", line_end="\r\n")
    file = table("a line end of CR in the last row", Dialect(line_end="\r\n"))
    yield replace(file, last_line_end="\r")


def _rows_with_other_quotes() -> Iterator[Polluted]:
    for style, dialect in _STYLES.items():
        for place, row in _PLACES.items():
            cells = tuple(map(dialect.cell, _cells(row)))
            for column in (0, 2, 5, 6, 8):
                for what, cell in _stray_quotes(cells[column]).items():
                    line = ",".join([*cells[:column], cell, *cells[column + 1 :]])
                    name = f"{what} field {column} of the {place}, {style}"
                    file = _with(name, dialect, row, line)
                    if cell.startswith('"') or "," in cell:
                        yield file
                    else:
                        values = _cells(row)
                        values = (*values[:column], cell, *values[column + 1 :])
                        yield _as_written(file, row, values)


def _stray_quotes(cell: str) -> dict[str, str]:
    middle = len(cell) // 2
    found = {
        "a quote before": '"' + cell,
        "a quote behind": cell + '"',
        "a quote inside": cell[:middle] + '"' + cell[middle:],
    }
    if cell.startswith('"'):
        found |= {"no opening quote in": cell[1:], "no closing quote in": cell[:-1]}
    return found


def _rows_in_another_dialect() -> Iterator[Polluted]:
    for style, dialect in _STYLES.items():
        for place, row in _PLACES.items():
            cells = [dialect.cell(cell) for cell in _cells(row)]
            for mark in ";\t|":
                name = f"delimiter {mark!r} in the {place}, {style}"
                yield _with(name, dialect, row, mark.join(cells))
            single = tuple(map(replace(dialect, quote="'").cell, _cells(row)))
            file = _with(f"single quotes in the {place}, {style}", dialect, row, ",".join(single))
            yield file if row >= 0 else _as_written(file, row, single)
            values = tuple(f'{cell}"' for cell in _cells(row))
            line = replace(dialect, escape="\\").line(values)
            file = _with(f"backslash escapes in the {place}, {style}", dialect, row, line)
            yield _as_written(file, row, values)
