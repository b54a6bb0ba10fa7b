"""`ingest-assets delete`: an ingestion is retired; its table stays unless it is to be dropped."""

from collections.abc import Iterator

import click

from ingest_assets.cli.agreement import agreed_note
from ingest_assets.cli.schema_act import by_option, yes_option
from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_text import counted
from ingest_assets.engine.deletion import DeletionPlan, plan_deletion
from ingest_assets.orchestration import standing_changes
from ingest_assets.orchestration.instance import open_instance


@click.command()
@click.argument("name")
@click.option("--drop-table", is_flag=True, help="Take its tables out of the catalog too.")
@click.option("--purge", is_flag=True, help="With --drop-table: delete their data files for good.")
@click.option("--remove-declaration", is_flag=True, help="Remove its defs.yaml too.")
@by_option
@click.option("--note", help="Why; it stays in the audit.")
@yes_option
def command(
    name: str,
    drop_table: bool,
    purge: bool,
    remove_declaration: bool,
    by: str,
    note: str | None,
    yes: bool,
) -> None:
    """Retire the ingestion NAME: nothing is looked for, read or finished for it any more.

    Shows the plan first. Without --yes it asks, on a terminal; elsewhere it changes nothing. The
    ledger keeps its history, and the source its objects.
    """
    if purge and not drop_table:
        raise click.UsageError("--purge goes with --drop-table: it deletes the table's data files.")
    deployment = Deployment.from_env()
    plan = plan_deletion(
        deployment,
        name,
        drops_table=drop_table,
        purges=purge,
        removes_declaration=remove_declaration,
    )
    for line in _plan_lines(plan):
        click.echo(line)
    if _is_done(plan):
        click.echo("Nothing is left to be done.")
        return
    reason = agreed_note(note, kept="stays in the audit", yes=yes)
    if reason is None:
        return
    with open_instance(deployment.settings) as instance:
        standing_changes.delete(deployment, plan, instance, by, reason)
    for line in _done_lines(plan):
        click.echo(line)


def _is_done(plan: DeletionPlan) -> bool:
    has_tables = plan.drops_table and plan.standing.table_dropped_at is None
    has_file = plan.removes_declaration and plan.file is not None
    return plan.standing.is_deleted and not (has_tables or has_file)


def _plan_lines(plan: DeletionPlan) -> Iterator[str]:
    name, source = plan.ingestion.name, plan.ingestion.source
    yield f"To be deleted: {name} ({source.uri} -> {plan.ingestion.table.identifier})"
    if plan.standing.is_deleted:
        yield f"  {plan.standing.sentence(name)}"
    files = ", ".join(f"{count} {status}" for status, count in plan.by_status.items())
    yield f"  files known: {files or 'none'}; {counted(plan.rows, 'row')} of them in tables"
    for table in plan.tables:
        fate = "stays"
        if plan.drops_table:
            fate = "is dropped, with its data files" if plan.purges else "is dropped"
        yield f"  table {table.identifier}, {counted(table.rows, 'row')}: {fate}"
        if plan.drops_table and not plan.purges:
            yield f"    can be registered again from {table.metadata_location}"
    yield "  its partitions leave Dagster, and its queued runs are cancelled"
    yield (
        "  stays: the ledger's history (`ingest-assets files` finds each file), the objects under "
        f"{source.uri}, dead letters"
    )
    yield _file_line(plan)


def _file_line(plan: DeletionPlan) -> str:
    if plan.file is None:
        return "  declaration: there is none any more"
    if plan.removes_declaration:
        return f"  declaration: {plan.file} is removed"
    return f"  declaration: {plan.file} stays; remove it, or add --remove-declaration"


def _done_lines(plan: DeletionPlan) -> Iterator[str]:
    name = plan.ingestion.name
    yield f"Done: {name} is deleted. `ingest-assets resume {name}` undoes it" + (
        ", with a new table." if plan.drops_table else ", with its table as it is."
    )
    if plan.file is not None and not plan.removes_declaration:
        what = f"Remove {plan.file}"
        if not plan.is_alone:
            what = f"Take the declaration of {name} out of {plan.file}, where others stand too,"
        yield f"{what} and reload the code location; until then its sensor ticks and does nothing."
