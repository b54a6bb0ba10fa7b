"""A plan of a decision in words, for the person who is about to agree to it."""

from collections.abc import Iterator

from ingest_assets.engine.decision_plan import DecisionPlan
from ingest_assets.ledger.registry import VersionRow
from ingest_assets.schema.column import Columns
from ingest_assets.schema.resolution import Resolution
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
    "drop_column": "What files bring for the column is rescued from now on.",
    "rename_column": "Files spell the column by its new name from now on. A file that spells it "
    "the old way lacks it, and brings a new column.",
    "reject": "The table's schema stays, and these files never come into it. A file that is "
    "uploaded again under its key is judged anew.",
}


_UNDO = {
    "ignore": "nothing in the table is to be undone. Later files of this shape go the same way; no "
    "command takes the decision back.",
    "new_table": "no command takes it back. A file that is uploaded again in the old shape moves "
    "to the old table with all its rows.",
    "reject": "upload the files again under their keys, and they are judged anew.",
}


def counted(count: int, noun: str) -> str:
    """`1 file`, `1,200 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def done_line(plan: DecisionPlan, version: int | None) -> str:
    """What became of a plan that was carried out; `version` is the number it came to."""
    name, pending = plan.ingestion.name, plan.pending
    if pending is None and version is None:
        return f"Done: {plan.action} of {name}. The next tick or pass tells the ledger of it."
    if pending is None:
        return f"Done: version {version} of {name} is ACTIVE."
    said = f"Done: {plan.action} of version {pending.version} of {name}."
    if not pending.parked_files:
        return said
    files = counted(pending.parked_files, "parked file")
    if plan.action == Resolution.REJECT:
        return f"{said} REJECTED: {files}."
    return (
        f"{said} To be read again: {files}, at the next tick of the sensor, or at once by "
        f"`ingest-assets run {name}`."
    )


def plan_lines(plan: DecisionPlan) -> Iterator[str]:
    """What happens to the table, its readers and the files that wait, a line each."""
    about = f" of schema version {plan.pending.version}" if plan.pending else ""
    table = plan.basis.route or plan.ingestion.table.identifier
    yield f"{plan.action}{about} for {plan.ingestion.name} ({table})"
    if plan.action in _OUTCOMES:
        yield _OUTCOMES[plan.action]
    if plan.pending is not None:
        yield _files(plan.pending, is_rejected=plan.action == Resolution.REJECT)
    if plan.new_table is not None:
        columns = ", ".join(f"{c.name} {format_type(c.type)}" for c in plan.after)
        yield f"The table: CREATE TABLE {plan.new_table} ({columns}), with its first rows."
        yield f"Readers of {table} see no difference."
        yield f"Undo: {_UNDO[plan.action]}"
        return
    yield from _requirements(plan.basis.columns, plan.after)
    if plan.table is None:
        yield "The Iceberg table stays as it is; its readers see no difference."
        if plan.action in _UNDO:
            yield f"Undo: {_UNDO[plan.action]}"
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
    rows, files = counted(table.rows, "row"), counted(table.data_files, "data file")
    return f"Rewritten: {rows} in {files}, about {table.estimated_seconds} s. {table.estimate}"


def _files(pending: VersionRow, *, is_rejected: bool) -> str:
    if not pending.file_count:
        return "No file waits for it: the declaration brought it."
    if not pending.parked_files:
        return "No file waits for it any more."
    what = "To be REJECTED" if is_rejected else "To be read again"
    files = counted(pending.parked_files, "parked file")
    records = counted(pending.parked_records, "record")
    return f"{what}: {files} of {records}, {counted(pending.parked_bytes, 'byte')}."


def _requirements(before: Columns, after: Columns) -> Iterator[str]:
    was = {column.name: column.is_required for column in before}
    is_now = {column.name: column.is_required for column in after}
    freed = [name for name, required in was.items() if required and not is_now.get(name, False)]
    bound = [name for name, required in is_now.items() if required and not was.get(name, False)]
    if freed:
        yield f"Files may lack from now on: {', '.join(freed)}"
    if bound:
        yield f"Files must have from now on: {', '.join(bound)}"
