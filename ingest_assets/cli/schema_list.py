"""`ingest-assets schema list`: the registry of one ingestion."""

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_text import counted
from ingest_assets.ledger import registry
from ingest_assets.ledger.registry import VersionRow
from ingest_assets.schema.difference import Change, ChangeKind

_SHOWN = 5
_COLUMNS = ("version", "status", "verdict", "compatibility", "changes", "files", "decided")


@click.command("list")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a version.")
def list_command(name: str, as_json: bool) -> None:
    """Show every schema version of the ingestion NAME."""
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    with deployment.ledger.transaction() as connection:
        versions = registry.versions(connection, ingestion.name)
    if as_json:
        click.echo(json.dumps([as_object(version) for version in versions], indent=2))
        return
    _print(name, versions)
    for version in versions:
        if version.status == "PENDING":
            click.echo(_next_step(name, version), err=True)


def as_object(version: VersionRow) -> dict[str, Any]:
    """One version for `--json`; its `diff` has a list of changes for each kind of difference."""
    found = version.difference
    return {
        "version": version.version,
        "table": version.route or None,
        "status": version.status,
        "verdict": version.verdict,
        "compatibility": version.compatibility,
        "fields": version.fields,
        "diff": grouped(found.changes if found else ()),
        "files": version.files,
        "file_count": version.file_count,
        "parked_files": version.parked_files,
        "created_at": version.created_at.isoformat(),
        "last_written_at": version.last_written_at and version.last_written_at.isoformat(),
        "resolution": version.resolution,
        "resolved_by": version.resolved_by,
        "resolved_at": version.resolved_at and version.resolved_at.isoformat(),
        "note": version.note,
        "samples": version.samples,
    }


def grouped(changes: tuple[Change, ...]) -> dict[str, list[dict[str, Any]]]:
    """The changes by kind: path, before and after, and for `renamed` the new name and the score."""
    kinds: dict[str, list[dict[str, Any]]] = {kind.value: [] for kind in ChangeKind}
    for change in changes:
        item: dict[str, Any] = {
            "path": change.path,
            "before": change.before,
            "after": change.after,
            "breaking": change.is_breaking,
        }
        if change.kind is ChangeKind.RENAMED:
            item |= {"renamed_to": change.renamed_to, "score": change.score}
        kinds[change.kind.value].append(item)
    return kinds


def _next_step(name: str, version: VersionRow) -> str:
    """What to do about a PENDING version, and whether anything waits for that."""
    show = f"ingest-assets schema show {name} {version.version}"
    if not version.file_count:
        return (
            f"Version {version.version}, a change of the declaration, waits for a decision: {show}"
        )
    if not version.parked_files:
        return (
            f"Version {version.version} is PENDING, but no file waits for it: leave it, or reject "
            "it."
        )
    files = counted(version.parked_files, "file")
    return f"Version {version.version} waits for a decision, with {files}: {show}"


def _print(name: str, versions: list[VersionRow]) -> None:
    """A table on a terminal; elsewhere a line a version, fields parted by tabs."""
    lines = [_line(version) for version in versions]
    console = Console()
    if not console.is_terminal:
        for line in (_COLUMNS, *lines):
            click.echo("\t".join(line))
        return
    table = Table(title=f"{name}: {counted(len(versions), 'schema version')}", show_lines=True)
    for column in ("version", "status", "verdict", "changes", "files", "decided"):
        table.add_column(column, overflow="fold")
    for version, line in zip(versions, lines, strict=True):
        number, status, verdict, compatibility, _, files, decided = line
        changes = "\n".join(_changes(version))
        judged = f"{verdict}\n{compatibility}"
        table.add_row(*map(Text, (number, status, judged, changes, files, decided)))
    console.print(table)


def _line(version: VersionRow) -> tuple[str, ...]:
    changes = "; ".join(_changes(version))
    decided = f"{version.resolution} by {version.resolved_by}" if version.resolution else ""
    if version.note:
        decided += f": {version.note}"
    compatibility = version.compatibility or ""
    files = str(version.file_count)
    number = str(version.version) + (f" of {version.route}" if version.route else "")
    return number, version.status, version.verdict, compatibility, changes, files, decided


def _changes(version: VersionRow) -> list[str]:
    """The first changes, a line each."""
    if version.verdict == "INITIAL":
        return [counted(len(version.fields), "column")]
    changes = version.difference.changes if version.difference else ()
    said = [change.explanation().removeprefix("column ") for change in changes]
    more = [f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else []
    return [*said[:_SHOWN], *more]
