"""`ingest-assets maintain`: small files put together, old snapshots and orphans gone."""

import json
import sys
from typing import Any

import click

from ingest_assets.alerts.message import in_utc
from ingest_assets.cli.agreement import is_agreed
from ingest_assets.cli.main import EXIT_OUT_OF_REACH
from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.deployment import Deployment
from ingest_assets.engine import maintenance
from ingest_assets.engine.chores import Chore, MaintenanceReport
from ingest_assets.engine.maintenance_text import as_json, chores_of, report_lines
from ingest_assets.errors import IngestError
from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.instance import open_instance
from ingest_assets.orchestration.maintenance_job import observe


def _chores(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    try:
        return chores_of(value)
    except ValueError as error:
        known = ", ".join(Chore)
        raise click.BadParameter(f"{value!r}; the chores are {known}") from error


@click.command()
@click.argument("name", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every ingestion that is declared.")
@click.option("--dry-run", is_flag=True, help="Say exactly what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before anything is changed.")
@click.option(
    "--only",
    "chores",
    callback=_chores,
    metavar="CHORES",
    help="Some of compact,manifests,expire,orphans; all of them without it.",
)
@click.option("--json", "is_json", is_flag=True, help="A JSON list, one object an ingestion.")
def command(
    name: str | None,
    is_all: bool,
    dry_run: bool,
    yes: bool,
    chores: tuple[Chore, ...],
    is_json: bool,
) -> None:
    """Keep the tables of the ingestion NAME: few large files, little history, no leftovers.

    Works beside running ingestions, and changes no row. Shows the plan and asks, on a terminal;
    elsewhere it changes nothing without --yes. How large files should be and how much history
    stays is in `maintenance` of the declaration. Exit code 0: done, or nothing was to be done; 1:
    a table could not be seen to, because a service is out of reach or others were faster.
    """
    if (name is None) != is_all:
        raise click.UsageError("Name an ingestion, or say --all.")
    if is_json and not dry_run and not yes:
        raise click.UsageError("--json asks nothing; with it say --dry-run or --yes.")
    deployment = Deployment.from_env()
    deployment.ledger.ledger_id()  # says so now if Postgres is out of reach
    told, has_failed = list[dict[str, Any]](), False
    for ingestion in _named(deployment, name):
        try:
            report = _see_to(deployment, ingestion, chores, dry_run=dry_run, yes=yes or is_json)
        except IngestError as error:
            if not is_all:
                raise
            click.echo(f"{ingestion.name}: {type(error).__name__}: {error}", err=True)
            told.append({"ingestion": ingestion.name, "error": str(error)})
            has_failed = True
            continue
        if report is None:
            continue
        told.append(as_json(report))
        has_failed |= report.has_failed
        if not is_json:
            click.echo("\n".join(report_lines(report)))
    if is_json:
        click.echo(json.dumps(told, indent=2, default=in_utc))
    sys.exit(EXIT_OUT_OF_REACH if has_failed else 0)


def _named(deployment: Deployment, name: str | None) -> list[Ingestion]:
    if name is not None:
        return [deployment.ingestion(name)]
    return [declared.ingestion for declared in load_declarations(deployment.settings.defs)]


def _see_to(
    deployment: Deployment,
    ingestion: Ingestion,
    chores: tuple[Chore, ...],
    *,
    dry_run: bool,
    yes: bool,
) -> MaintenanceReport | None:
    """The report of what was done; the plan if nothing was to be, None if nobody agreed to it."""
    if not yes or dry_run:
        plan = maintenance.plan(deployment, ingestion, chores)
        if dry_run or not plan.has_work:
            return plan
        click.echo("\n".join(report_lines(plan)))
        if not is_agreed(f"Do this for {ingestion.name}?", aim="do it", yes=False):
            return None
    report = maintenance.maintain(deployment, ingestion, chores)
    with open_instance(deployment.settings) as instance:
        observe(report, instance)
    return report
