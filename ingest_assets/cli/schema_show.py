"""`ingest-assets schema show` and `diff`: one version, or what is between two."""

import json
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest_assets.cli.schema_list import as_object, grouped
from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_text import counted
from ingest_assets.ledger import registry
from ingest_assets.ledger.registry import FILES_SHOWN, VersionRow
from ingest_assets.schema.difference import Change, ChangeKind, difference
from ingest_assets.schema.resolution import Resolution
from ingest_assets.schema.types import columns_from_json, format_type


@click.command("show")
@click.argument("name")
@click.argument("version", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_command(name: str, version: int, as_json: bool) -> None:
    """Show the schema VERSION of the ingestion NAME, and what can be decided about it."""
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    with deployment.ledger.transaction() as connection:
        found = registry.version(connection, ingestion.name, version)
    if as_json:
        click.echo(json.dumps(as_object(found), indent=2))
        return
    said = f"{name}, schema version {version}: {found.status}, {found.verdict}"
    click.echo(said + (f", compatibility {found.compatibility}" if found.compatibility else ""))
    click.echo(f"since {found.created_at:%Y-%m-%d %H:%M:%S %Z}", nl=not found.last_written_at)
    if found.last_written_at:
        click.echo(f"; last written {found.last_written_at:%Y-%m-%d %H:%M:%S %Z}")
    if found.route:
        click.echo(f"of the table {found.route}")
    if found.resolution:
        note = f": {found.note}" if found.note else ""
        moment = f"{found.resolved_at:%Y-%m-%d %H:%M:%S %Z}"
        click.echo(f"{found.resolution} by {found.resolved_by} at {moment}{note}")
    columns = columns_from_json(found.fields)
    rows = [
        (c.name, format_type(c.type), "required" if c.is_required else "", c.description or "")
        for c in columns
    ]
    _table(("column", "type", "", "description"), rows)
    known = found.difference
    if known is not None and known.changes and found.verdict != "INITIAL":
        click.echo("\nDifferences to the version that was ACTIVE before it:")
        print_changes(known.changes, found.samples)
    _print_files(found)
    if found.status == "PENDING":
        click.echo(f"\nSee the plan and decide: ingest-assets schema resolve {name} {version} --as")
        print_choices()


@click.command("diff")
@click.argument("name")
@click.argument("before", type=int)
@click.argument("after", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, a list a kind.")
def diff_command(name: str, before: int, after: int, as_json: bool) -> None:
    """Show what differs from the schema version BEFORE to AFTER of the ingestion NAME."""
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    with deployment.ledger.transaction() as connection:
        one, other = (registry.version(connection, ingestion.name, n) for n in (before, after))
    found = difference(columns_from_json(one.fields), columns_from_json(other.fields))
    if as_json:
        said = {"verdict": found.verdict.value, "compatibility": found.compatibility.value}
        click.echo(json.dumps({**said, "diff": grouped(found.changes)}, indent=2))
        return
    click.echo(
        f"{name}, version {before} to {after}: {found.verdict}, compatibility {found.compatibility}"
    )
    print_changes(found.changes)


def print_changes(
    changes: tuple[Change, ...], samples: Mapping[str, Sequence[str]] | None = None
) -> None:
    """A line a change, on a terminal as a table; with values of a file where there are any."""
    rows = [[change.kind.value, change.path, _before(change), _after(change)] for change in changes]
    names = ["difference", "column", "before", "after"]
    if samples:
        names.append("samples")
        for row in rows:
            row.append(", ".join(samples.get(row[1], ())))
    _table(names, rows)


def print_choices() -> None:
    """What can be decided, a line each."""
    for choice in Resolution:
        click.echo(f"  {choice:9} {choice.meaning}")


def _before(change: Change) -> str:
    """With what files must have, because only the lack of that parks them."""
    if change.kind is ChangeKind.MISSING:
        return f"{change.before}, {'required' if change.is_breaking else 'optional'}"
    return change.before or ""


def _after(change: Change) -> str:
    if change.renamed_to is not None:
        return f"perhaps {change.renamed_to} (score {change.score})"
    return change.after or ""


def _print_files(found: VersionRow) -> None:
    if not found.files:
        return
    parked = f", of which {found.parked_files} parked" if found.parked_files else ""
    click.echo(f"\nBrought by {counted(found.file_count, 'file')}{parked}:")
    for key in found.files:
        click.echo(f"  {key}")
    if found.file_count > FILES_SHOWN:
        click.echo(f"  and {found.file_count - FILES_SHOWN} more")


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console = Console()
    if not console.is_terminal:
        for row in (names, *rows):
            click.echo("\t".join(row).rstrip())
        return
    table = Table(*names)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
