"""`ingest-assets files`: where each file is, and why."""

import json
from dataclasses import asdict
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest_assets.deployment import Deployment
from ingest_assets.errors import UnknownFileError
from ingest_assets.files.pattern import matcher
from ingest_assets.ingestion import Ingestion
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
_COLUMNS = ("key", "status", "rows", "rescued", "rejected", "attempts", "why")


@click.command()
@click.argument("name")
@click.option(
    "--status",
    type=click.Choice([status.value for status in FileStatus], case_sensitive=False),
    help="Only the files in this state.",
)
@click.option("--key", help="Only the file with this key below the prefix, or this whole URI.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a file.")
def command(name: str, status: str | None, key: str | None, as_json: bool) -> None:
    """Show the ledger of the ingestion NAME: the state of each file, and why it is so."""
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    keys = None if key is None else [key, key.removeprefix(ingestion.source.uri_of(""))]
    with deployment.ledger.transaction() as connection:
        wanted = status.upper() if status else None
        rows = lookup.files(connection, ingestion.name, status=wanted, keys=keys)
        if keys is not None and not lookup.file_ids(connection, ingestion.name, keys):
            listed_at = lookup.last_listed_at(connection, ingestion.name)
            raise UnknownFileError(_unknown(ingestion, keys[-1], listed_at))
    if as_json:
        found = [asdict(row) for row in rows]
        listed = [{field: row[field] for field in _JSON_FIELDS} for row in found]
        click.echo(json.dumps(listed, indent=2))
    else:
        _print(name, rows)


def _unknown(ingestion: Ingestion, key: str, listed_at: datetime | None) -> str:
    """Why the ledger has no such file, as far as that can be told, and what to do."""
    name, source = ingestion.name, ingestion.source
    prefix = source.uri_of("")
    if "://" in key:
        return f"{key} is not under {prefix}, where the files of {name} are."
    if not matcher(source.pattern)(key):
        return f"{key!r} does not match source.pattern {source.pattern!r}, so {name} leaves it out."
    if listed_at is None:
        cause = f"{prefix} has not been listed yet"
    else:
        cause = f"it was not under {prefix} at the last listing, {listed_at:%Y-%m-%d %H:%M:%S %Z}"
    return (
        f"{name} knows no file {key!r}: {cause}. A key is what follows that prefix. Once the file "
        f"is there, `ingest-assets run {name}` or the next tick of its sensor finds it."
    )


def _print(name: str, rows: list[FileRow]) -> None:
    """A table on a terminal; elsewhere a line a file below the header, fields parted by tabs."""
    lines = [[_quoted(row.key), row.status, *_numbers(row), _why(row)] for row in rows]
    console = Console()
    if not console.is_terminal:
        for line in (_COLUMNS, *lines):
            click.echo("\t".join(line))
        return
    table = Table(title=f"{name}: {len(rows)} files")
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
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
