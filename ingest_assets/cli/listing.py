"""Rows for people and for programs: a table on a terminal, elsewhere lines parted by tabs."""

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str,
    styles: Sequence[str] | None = None,
) -> None:
    """The rows below their header; `title` and `styles`, one a row, are for a terminal alone."""
    console = Console()
    if not console.is_terminal:
        for row in (columns, *rows):
            click.echo("\t".join(row))
        return
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row, style in zip(rows, styles or [""] * len(rows), strict=True):
        table.add_row(*map(Text, row), style=style)
    console.print(table)
