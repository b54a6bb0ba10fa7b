"""`ingest-assets replay`: files are read again, chosen by state, error, key or age."""

import json
from datetime import timedelta
from typing import Any

import click

from ingest_assets.cli.agreement import agreed_note
from ingest_assets.cli.schema_act import by_option, yes_option
from ingest_assets.declaration.age import parse_age
from ingest_assets.deployment import Deployment
from ingest_assets.engine.replay import Choice, plan_replay, replay
from ingest_assets.engine.replay_text import done_line, plan_json, plan_lines
from ingest_assets.ledger.replays import REPLAYABLE
from ingest_assets.ledger.states import FileStatus


class _Age(click.ParamType[timedelta]):
    name = "age"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        try:
            return parse_age(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("name")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in REPLAYABLE], case_sensitive=False),
    help="Files in this state; again for another. Default: FAILED, DEAD_LETTER and PARKED.",
)
@click.option("--error-type", help="Files whose error is of this type, as in CorruptFileError.")
@click.option("--error", metavar="TEXT", help="Files whose error contains this text.")
@click.option("--key", metavar="GLOB", help="Files whose key below the prefix matches.")
@click.option("--older-than", type=_Age(), help="State unchanged for so long: 90s 15m 12h 2d 1w.")
@click.option("--newer-than", type=_Age(), help="State changed within this time.")
@click.option(
    "--rejected-rows",
    is_flag=True,
    help="Files that have rows in <table>__rejected beside those in the table, in any state.",
)
@click.option("--all", "all_files", is_flag=True, help="No other condition than the state.")
@by_option
@click.option("--note", help="Why; it stays in the audit.")
@click.option("--dry-run", is_flag=True, help="Show what would be read again, and ask nothing.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object; asks nothing.")
def command(
    name: str,
    statuses: tuple[str, ...],
    rejected_rows: bool,
    by: str,
    note: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **conditions: Any,
) -> None:
    """Read files of the ingestion NAME again; at least one condition, and all must hold.

    Shows the plan first: how many files of which state and size. Without --yes it asks, on a
    terminal; elsewhere it changes nothing. The files get all their attempts again, and their rows
    in the table are replaced by what is read, never doubled.
    """
    deployment = Deployment.from_env()
    choice = Choice(
        statuses=tuple(FileStatus(status.upper()) for status in statuses),
        has_rejected_rows=rejected_rows,
        **conditions,
    )
    plan = plan_replay(deployment, deployment.ingestion(name), choice)
    if as_json:
        replayed = replay(deployment, plan, by, note or "") if yes and not dry_run else 0
        click.echo(json.dumps({**plan_json(plan), "replayed": replayed}, indent=2))
        return
    for line in plan_lines(plan):
        click.echo(line)
    if dry_run or not plan.files:
        return
    reason = agreed_note(note, kept="stays in the audit", yes=yes)
    if reason is not None:
        click.echo(done_line(plan, replay(deployment, plan, by, reason)))
