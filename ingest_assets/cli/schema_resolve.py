"""`ingest-assets schema resolve`: a person decides about a pending version."""

import sys

import click

from ingest_assets.cli.schema_act import act, by_option, note_option, parse_values, yes_option
from ingest_assets.cli.schema_show import print_changes, print_choices
from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_plan import pending_version, plan_resolution
from ingest_assets.ledger.registry import VersionRow
from ingest_assets.schema.difference import ChangeKind
from ingest_assets.schema.resolution import Resolution


@click.command("resolve")
@click.argument("name")
@click.argument("version", type=int)
@click.option(
    "--as",
    "resolution",
    type=click.Choice([choice.value for choice in Resolution]),
    help="What to do; asked for on a terminal when it is left out.",
)
@click.option(
    "--default",
    "defaults",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="backfill: what the rows that are there get in a new column: a text, or JSON.",
)
@click.option(
    "--sql",
    "expressions",
    multiple=True,
    metavar="COLUMN=EXPRESSION",
    help="backfill: the same as SQL over the row, as duckdb reads it.",
)
@note_option
@by_option
@yes_option
def resolve_command(
    name: str,
    version: int,
    resolution: str | None,
    defaults: tuple[str, ...],
    expressions: tuple[str, ...],
    note: str | None,
    by: str,
    yes: bool,
) -> None:
    """Decide about the pending schema VERSION of the ingestion NAME.

    Shows the plan first: what becomes of the table, of its readers and of the files that wait.
    Without --yes it asks, on a terminal; elsewhere it changes nothing.
    """
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    pending = pending_version(deployment, ingestion, version)
    if resolution is None:
        if not sys.stdin.isatty():
            raise click.UsageError("Say --as and one of: " + ", ".join(Resolution))
        resolution = _asked(pending)
    if resolution == Resolution.BACKFILL and not (defaults or expressions) and sys.stdin.isatty():
        defaults, expressions = _values_asked(pending)
    fills = parse_values(defaults, expressions)
    plan = plan_resolution(deployment, ingestion, version, Resolution(resolution), fills)
    act(deployment, plan, note=note, by=by, yes=yes)


def _asked(pending: VersionRow) -> str:
    if pending.difference is not None:
        print_changes(pending.difference.changes, pending.samples)
    print_choices()
    choice: str = click.prompt("Decide", type=click.Choice([choice.value for choice in Resolution]))
    return choice


def _values_asked(pending: VersionRow) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What `--default` and `--sql` would have said."""
    changes = pending.difference.changes if pending.difference else ()
    added = [c.path for c in changes if c.kind is ChangeKind.ADDED and "." not in c.path]
    defaults: list[str] = []
    expressions: list[str] = []
    if added:
        click.echo("For the rows that are there: a value, or sql: and an expression over the row.")
    for column in added:
        said: str = click.prompt(column)
        if said.startswith("sql:"):
            expressions.append(f"{column}={said.removeprefix('sql:').strip()}")
        else:
            defaults.append(f"{column}={said}")
    return tuple(defaults), tuple(expressions)
