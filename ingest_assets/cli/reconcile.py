"""`ingest-assets reconcile`: what ledger, tables, bucket and Dagster disagree about."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest_assets.cli.agreement import is_agreed
from ingest_assets.cli.main import EXIT_FILES_NEED_ATTENTION, EXIT_OUT_OF_REACH
from ingest_assets.cli.schema_act import by_option
from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_text import counted
from ingest_assets.engine.disagreement import Disagreement, Remedy
from ingest_assets.engine.reconciliation import Reconciliation
from ingest_assets.engine.reconciliation_text import groups, headline, notes, report_lines
from ingest_assets.errors import IngestError
from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.instance import open_instance
from ingest_assets.orchestration.reconciling import mend_all, reconcile_all


@click.command()
@click.argument("name", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every ingestion that is declared.")
@click.option("--apply", "applies", is_flag=True, help="Mend what can be mended safely.")
@click.option("--yes", is_flag=True, help="Do not ask before mending.")
@by_option
@click.option("--no-bucket", is_flag=True, help="Leave the source alone: do not list it.")
@click.option("--sample", default=3, show_default=True, help="So many examples of each kind.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object an ingestion.")
def command(
    name: str | None,
    is_all: bool,
    applies: bool,
    yes: bool,
    by: str,
    no_bucket: bool,
    sample: int,
    as_json: bool,
) -> None:
    """Compare ledger, tables, bucket and Dagster of the ingestion NAME, and say what is amiss.

    Works beside running ingestions, and changes nothing without --apply. That shows the plan and
    asks, on a terminal; elsewhere it changes nothing without --yes. Exit code 0: all agree, or what
    did not is mended; 3: disagreements are left. With --all one that cannot be compared, because a
    service is out of reach, is named and holds up no other (exit code 1).
    """
    if (name is None) != is_all:
        raise click.UsageError("Name an ingestion, or say --all.")
    if as_json and applies and not yes:
        raise click.UsageError("--json asks nothing; with --apply it needs --yes.")
    deployment = Deployment.from_env()
    ingestions = _named(deployment, name)
    deployment.ledger.ledger_id()  # says so now if Postgres is out of reach
    exit_code, told = 0, list[dict[str, Any]]()
    with open_instance(deployment.settings) as instance:
        for ingestion in ingestions:
            try:
                found = reconcile_all(deployment, ingestion, instance, with_bucket=not no_bucket)
                if not as_json:
                    _print(found, sample)
                mended = list[Disagreement]()
                if applies and _is_agreed(found, yes=yes):
                    mended = mend_all(deployment, found, instance, by)
                    click.echo(_mended_line(mended), err=as_json)
            except IngestError as error:
                if not is_all:
                    raise
                click.echo(f"{ingestion.name}: {type(error).__name__}: {error}", err=True)
                told.append({"ingestion": ingestion.name, "error": str(error)})
                exit_code = EXIT_OUT_OF_REACH
                continue
            told.append(_as_json(found, mended))
            if len(mended) < len(found.disagreements):
                exit_code = exit_code or EXIT_FILES_NEED_ATTENTION
    if as_json:
        click.echo(json.dumps(told, indent=2))
    sys.exit(exit_code)


def _named(deployment: Deployment, name: str | None) -> list[Ingestion]:
    if name is not None:
        return [deployment.ingestion(name)]
    return [declared.ingestion for declared in load_declarations(deployment.settings.defs)]


def _is_agreed(found: Reconciliation, *, yes: bool) -> bool:
    """Somebody wants it done, and there is something to do."""
    count = sum(one.remedy not in (None, Remedy.WAIT) for one in found.disagreements)
    if not count:
        return False
    return is_agreed(f"Mend {counted(count, 'disagreement')}?", aim="mend", yes=yes)


def _mended_line(mended: Sequence[Disagreement]) -> str:
    reads = any(one.remedy in (Remedy.READ_AGAIN, Remedy.RECOVER) for one in mended)
    after = " Files to be read again wait for the next tick or run." if reads else ""
    return f"{counted(len(mended), 'disagreement')} mended.{after}"


def _print(found: Reconciliation, sample: int) -> None:
    """A table on a terminal, the same in lines elsewhere."""
    console = Console()
    if not console.is_terminal or not found.disagreements:
        for line in report_lines(found, sample):
            click.echo(line)
        return
    table = Table(title=headline(found))
    for column in ("what", "count", "means", "examples", "way out"):
        table.add_column(column, overflow="fold")
    for group in groups(found):
        examples = "\n".join(group.examples(sample))
        cells = (group.kind.value, f"{len(group.all):,}", group.kind.meaning, examples)
        table.add_row(*map(Text, cells), Text(group.way_out))
    console.print(table)
    for line in notes(found):
        click.echo(line)


def _as_json(found: Reconciliation, mended: Sequence[Disagreement]) -> dict[str, Any]:
    is_mended = {id(one) for one in mended}
    return {
        "ingestion": found.ingestion.name,
        "since": found.since.isoformat(),
        "files": found.files,
        "rows": found.rows,
        "objects": found.objects,
        "moving": found.moving,
        "fresh_objects": found.fresh_objects,
        "gone_objects": found.gone_objects,
        "unmarked_rows": found.unmarked_rows,
        "disagreements": [
            {
                "kind": one.kind,
                "key": one.key,
                "file_id": one.file_id,
                "batch_id": one.batch_id,
                "table": one.table
                or (found.ingestion.table.identifier if one.table == "" else None),
                "cause": one.cause,
                "meaning": one.kind.meaning,
                "remedy": one.remedy,
                "is_mended": id(one) in is_mended,
            }
            for one in found.disagreements
        ],
    }
