"""`ingest-assets run`: one pass of one ingestion, without a daemon."""

import json
import sys
from datetime import timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ingest_assets.cli.main import EXIT_FILES_NEED_ATTENTION
from ingest_assets.deployment import Deployment
from ingest_assets.engine import steps
from ingest_assets.engine.decision_text import counted
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.standing import PausedError
from ingest_assets.orchestration.instance import open_instance
from ingest_assets.orchestration.one_pass import PassResult, ingest_once
from ingest_assets.orchestration.upkeep import keep_up

_SHOWN = 30
UPKEEP_TIME = timedelta(minutes=1)


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with the outcome.")
def command(name: str, as_json: bool) -> None:
    """Discover and ingest the files of the ingestion NAME until nothing is left to do now.

    Exit code 0: all well; 3: a file failed, was dead-lettered, or waits for a decision.
    """
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    deployment.ledger.ledger_id()  # says so now if Postgres is out of reach
    with open_instance(deployment.settings) as instance, _ReadingProgress(not as_json):
        result = ingest_once(deployment, ingestion, instance)
        kept_up = keep_up(deployment, ingestion, instance, UPKEEP_TIME)
    if as_json:
        outcome = {
            "files": result.counts,
            "rows": result.rows,
            "rejected_rows": result.rejected,
            "filtered_rows": result.filtered,
            "seconds": round(result.seconds, 3),
            "snapshot_id": result.snapshot_id,
            "waiting": result.waiting,
            "settling": result.settling,
        }
        if result.received is not None:
            outcome["queue"] = result.received.summary()
        if result.refused:
            outcome["schema"] = result.refused
        click.echo(json.dumps(outcome))
    else:
        _print(name, ingestion.table.identifier, result)
        for said in kept_up:
            click.echo(said)
    if result.resting:
        raise PausedError(f"{result.resting}. What this pass had begun is done.")
    if not result.is_all_well:
        sys.exit(EXIT_FILES_NEED_ATTENTION)


class _ReadingProgress:
    """A bar on a terminal, a line every hundred files elsewhere, nothing when not wanted."""

    def __init__(self, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._console = Console(stderr=True)
        self._count = 0
        self._bar: Progress | None = None

    def __enter__(self) -> None:
        if not self._is_wanted:
            return
        steps.watch_files(self._judged)
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task("reading", total=None)
            self._bar.start()

    def _judged(self, _outcome: FileOutcome) -> None:
        self._count += 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self._count)
        elif self._count % 100 == 0:
            click.echo(f"{self._count} files read", err=True)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _print_broken_rules(result: PassResult) -> None:
    """Of the files that are in the table; those that are not say it themselves."""
    broken = {
        key: [rule.name for rule in quality.results if not rule.has_passed]
        for key, quality in result.qualities.items()
        if not quality.is_all_well
    }
    if broken:
        names = sorted({name for names in broken.values() for name in names})
        verb = "breaks" if len(broken) == 1 else "break"
        click.echo(f"{counted(len(broken), 'file')} in the table {verb} {', '.join(names)}")


def _print(name: str, table: str, result: PassResult) -> None:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in result.counts.items())
    click.echo(
        f"{name}: {counts or 'no new files'}; {counted(result.rows, 'row')}, {result.seconds:.1f} s"
    )
    if result.filtered:
        click.echo(f"{counted(result.filtered, 'row')} left out by the transform")
    if result.rejected:
        click.echo(f"{counted(result.rejected, 'row')} rejected: see {table}__rejected")
    if result.received is not None:
        click.echo(f"queue: {result.received.summary()}")
    _print_broken_rules(result)
    bad = [file for file in result.files.values() if file.outcome != "SUCCESS"]
    if bad:
        shown = Table("key", "outcome", "why")
        for file in bad[:_SHOWN]:
            shown.add_row(Text(file.key), file.outcome, Text(file.error or ""))
        Console(width=None if sys.stdout.isatty() else 160).print(shown)
    if len(bad) > _SHOWN:
        click.echo(f"and {len(bad) - _SHOWN} more: ingest-assets files {name}")
    for said in (result.changed, result.refused):
        if said:
            click.echo(f"{said[0].upper()}{said[1:]}." if said is result.changed else f"{said}.")
    if result.settling:
        click.echo(f"{result.settling} wait for source.settle_seconds; a later run reads them")
    for status, count in result.waiting.items():
        click.echo(f"{count} {status}: ingest-assets files {name} --status {status}")
