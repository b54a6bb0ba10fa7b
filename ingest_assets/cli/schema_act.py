"""What every command that changes a schema does: show the plan, ask, act, say what became of it."""

import getpass
import json
import platform
from collections.abc import Callable, Sequence
from typing import Any

import click

from ingest_assets.cli.agreement import agreed_note
from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_plan import DecisionPlan
from ingest_assets.engine.decision_text import done_line, plan_lines
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.tables.operations import Constant, Expression

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _person() -> str:
    return f"{getpass.getuser()}@{platform.node()}"


note_option: Decorator = click.option("--note", help="Why; it stays with the version.")
by_option: Decorator = click.option(
    "--by", default=_person, show_default="you@host", help="Who decides."
)
yes_option: Decorator = click.option("--yes", is_flag=True, help="Do it without asking.")


def act(
    deployment: Deployment, plan: DecisionPlan, *, note: str | None, by: str, yes: bool
) -> None:
    """The plan is shown and, if it is agreed to, carried out."""
    for line in plan_lines(plan):
        click.echo(line)
    reason = agreed_note(note, kept="stays with the version", yes=yes)
    if reason is not None:
        click.echo(done_line(plan, carry_out(deployment, plan, by, reason)))


def parse_values(
    defaults: Sequence[str], expressions: Sequence[str]
) -> dict[str, Constant | Expression]:
    """The values by column, as `--default` and `--sql` give them.

    Raises:
        click.UsageError: one is not COLUMN=..., or a column is there twice.
    """
    values: dict[str, Constant | Expression] = {}
    for option, texts in (("--default", defaults), ("--sql", expressions)):
        for text in texts:
            column, is_there, value = text.partition("=")
            if not is_there or not column:
                raise click.UsageError(f"{option} {text!r} should be COLUMN=VALUE")
            if column in values:
                raise click.UsageError(f"{column} has two values; give it one")
            is_constant = option == "--default"
            values[column] = Constant(_literal(value)) if is_constant else Expression(value)
    return values


def _literal(text: str) -> Any:
    """JSON where it is an object, a list or a quoted text; a plain text is read by its column."""
    if not text.startswith(("{", "[", '"')):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
