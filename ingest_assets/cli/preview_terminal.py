"""A preview on a terminal, or as plain text where there is none."""

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ingest_assets.engine.preview.report import Preview
from ingest_assets.engine.preview.section import Block, Code, Grid, Said
from ingest_assets.engine.preview.sections import headline, sections

_STYLES = {"plain": "", "good": "green", "warn": "yellow", "bad": "bold red", "dim": "dim"}


def print_preview(found: Preview) -> None:
    """The whole report; elsewhere than on a terminal, cells are parted by tabs."""
    console = Console()
    if not console.is_terminal:
        _print_plain(found)
        return
    console.print(Text(printable(headline(found)), style="bold"))
    for section in sections(found):
        console.print()
        console.print(Text(section.title, style="bold underline"))
        for block in section.blocks:
            console.print(Padding(_shown(block), (0, 0, 0, 2)))


def _shown(block: Block) -> Text | Table:
    match block:
        case Said(text, tone):
            return Text(printable(text), style=_STYLES[tone])
        case Code(text):
            return Text(printable(text), style="cyan")
        case Grid():
            return _table(block)


def _table(block: Grid) -> Table:
    columns = block.columns[: block.most]
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column, overflow="fold", justify="right" if column in block.numbers else "left"
        )
    for row, tone in zip(block.rows, block.tones, strict=True):
        table.add_row(*(Text(printable(cell)) for cell in row[: len(columns)]), style=_STYLES[tone])
    return table


def _print_plain(found: Preview) -> None:
    click.echo(printable(headline(found)))
    for section in sections(found):
        click.echo(f"\n{section.title}")
        for block in section.blocks:
            match block:
                case Said(text) | Code(text):
                    click.echo(printable(text))
                case Grid():
                    for row in (block.columns, *block.rows):
                        click.echo("\t".join(map(printable, row)).rstrip())


def printable(text: str) -> str:
    """The text without what would steer a terminal: files and keys may hold anything."""
    return "".join(
        char if char == "\n" or char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )
