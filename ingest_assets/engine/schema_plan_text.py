"""A plan of a decision in words, for the person who is about to agree to it."""

from collections.abc import Iterator

from ingest_assets.engine.schema_decisions import DecisionPlan
from ingest_assets.ledger.registry import VersionRow
from ingest_assets.schema.column import Columns
from ingest_assets.schema.types import format_type
from ingest_assets.tables.reshape_plan import ReshapePlan

_OUTCOMES = {
    "accept": "The files' schema becomes the table's. Files of the old shape wait from now on "
    "where they no longer fit.",
    "merge": "Files of both shapes go into the table from now on.",
    "ignore": "The table's schema stays. In files with these differences, now and later, what does "
    "not fit goes to _rescued_data, and a column that is missing is null.",
    "backfill": "The new columns are added, and the rows that are there get values in them.",
    "new_table": "The table's schema stays. These files, and later ones of their shape, go into a "
    "table of their own; a file that changes its shape moves from the one to the other.",
    "reject": "The table's schema stays, and these files never come into it. A file that is "
    "uploaded again under its key is judged anew.",
}


def plan_lines(plan: DecisionPlan) -> Iterator[str]:
    """What happens to the table, its readers and the files that wait, a line each."""
    table = plan.basis.route or plan.ingestion.table.identifier
    yield f"{plan.action} for {plan.ingestion.name} ({table})"
    if plan.action in _OUTCOMES:
        yield _OUTCOMES[plan.action]
    if plan.pending is not None:
        yield _files(plan.pending, is_rejected=plan.action == "reject")
    if plan.new_table is not None:
        columns = ", ".join(f"{c.name} {format_type(c.type)}" for c in plan.after)
        yield f"The table: CREATE TABLE {plan.new_table} ({columns}), with its first rows."
        yield f"Readers of {plan.ingestion.table.identifier} see no difference."
        return
    yield from _requirements(plan.basis.columns, plan.after)
    if plan.table is None:
        yield "The Iceberg table stays as it is; its readers see no difference."
        return
    yield "The table:"
    yield from (f"  {line}" for line in plan.table.ddl)
    yield "Its readers:"
    yield from (f"  {line}" for line in plan.table.readers_see)
    yield _cost(plan.table)
    yield f"Undo: {plan.table.undo}"


def _cost(table: ReshapePlan) -> str:
    if not table.rewrites_data:
        return table.estimate
    return (
        f"Rewritten: {table.rows:,} rows in {table.data_files} data files, about "
        f"{table.estimated_seconds} s ({table.estimate})"
    )


def _files(pending: VersionRow, *, is_rejected: bool) -> str:
    count, records = pending.parked_files, pending.parked_records
    size = f"{count} files wait, {pending.parked_bytes:,} bytes, {records:,} records"
    what = "are REJECTED" if is_rejected else "are read again"
    return f"{size}; they {what}." if count else "No file waits for it any more."


def _requirements(before: Columns, after: Columns) -> Iterator[str]:
    was = {column.name: column.is_required for column in before}
    is_now = {column.name: column.is_required for column in after}
    freed = [name for name, required in was.items() if required and not is_now.get(name, False)]
    bound = [name for name, required in is_now.items() if required and not was.get(name, False)]
    if freed:
        yield f"Files may lack from now on: {', '.join(freed)}"
    if bound:
        yield f"Files must have from now on: {', '.join(bound)}"
