"""`ingest-assets files`: where each file is, and why."""

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest_assets.deployment import Deployment
from ingest_assets.ledger import lookup
from ingest_assets.ledger.lookup import FileRow
from ingest_assets.ledger.states import FileStatus

_JSON_FIELDS = (
    "key",
    "status",
    "rows",
    "rescued",
    "rejected",
    "attempts",
    "error_type",
    "error",
    "etag",
    "committed_etag",
    "schema_version",
    "snapshot_id",
    "batch_id",
)


@click.command()
@click.argument("name")
@click.option(
    "--status",
    type=click.Choice([status.value for status in FileStatus], case_sensitive=False),
    help="Only the files in this state.",
)
@click.option("--key", help="Only the file with this key (relative to the ingestion's prefix).")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a file.")
def command(name: str, status: str | None, key: str | None, as_json: bool) -> None:
    """Show the ledger of the ingestion NAME: the state of each file, and why it is so."""
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    with deployment.ledger.transaction() as connection:
        rows = lookup.files(
            connection,
            ingestion.name,
            status=status.upper() if status else None,
            keys=None if key is None else [key],
        )
    if as_json:
        found = [asdict(row) for row in rows]
        listed = [{field: row[field] for field in _JSON_FIELDS} for row in found]
        click.echo(json.dumps(listed, indent=2))
    else:
        _print(name, rows)


def _print(name: str, rows: list[FileRow]) -> None:
    """A table on a terminal; elsewhere a line a file, its fields parted by tabs."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            click.echo("\t".join([_quoted(row.key), row.status, *_numbers(row), _why(row)]))
        return
    table = Table(title=f"{name}: {len(rows)} files")
    for column in ("key", "status", "rows", "rescued", "rejected", "attempts", "why"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = [_quoted(row.key), row.status, *_numbers(row), _why(row)]
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


def _quoted(key: str) -> str:
    """The key, with control characters shown so that it stays on its line."""
    return key if key.isprintable() else json.dumps(key, ensure_ascii=False)


def _numbers(row: FileRow) -> list[str]:
    numbers = (row.rows, row.rescued, row.rejected, row.attempts)
    return ["" if number is None else str(number) for number in numbers]


def _why(row: FileRow) -> str:
    if row.error is None:
        return ""
    again = ""
    if row.next_attempt_at is not None:
        again = f" (tried again after {row.next_attempt_at:%Y-%m-%d %H:%M:%S %Z})"
    return f"{'; '.join(row.error.splitlines())}{again}"
