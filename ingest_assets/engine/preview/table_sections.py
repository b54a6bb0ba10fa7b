"""The sections about columns, checks, the table and what it costs."""

from collections.abc import Iterator

from ingest_assets.engine.preview.report import CheckSeen, ColumnSeen, Preview
from ingest_assets.engine.preview.section import (
    Block,
    Code,
    Said,
    Tone,
    bytes_text,
    counted,
    grid,
    money,
    quantity,
)

_SHOWN_KEYS = 3
_NARROW_ROWS = 3
_ACTION_TONES: dict[str, Tone] = {"park": "bad", "rescue": "warn", "ignore": "warn"}


def schema(found: Preview) -> Iterator[Block]:
    """The columns that the table would have."""
    if not found.columns:
        return
    files = sum(file.outcome != "UNREAD" for file in found.files)
    yield Said(f"From {counted(files, 'file')}, {counted(len(found.columns), 'column')}.", "dim")
    yield grid(
        ["column", "type", "nulls", "in files", ""],
        [_column(column, files) for column in found.columns],
        numbers=("nulls", "in files"),
    )


def _column(column: ColumnSeen, files: int) -> list[str]:
    said = []
    if column.source_name is not None:
        said.append(f"{column.source_name!r} in the files")
    if column.is_required:
        said.append("required")
    if column.table_type is not None and column.table_type != column.type:
        said.append(f"{column.table_type} in the table")
    nulls = f"{column.null_ratio:.1%}" if column.rows else ""
    return [column.name, column.type, nulls, f"{column.files} of {files}", "; ".join(said)]


def differences(found: Preview) -> Iterator[Block]:
    """Columns of which the files do not agree."""
    if not found.differences:
        return
    rows = [
        [difference.column if number == 0 else "", type_, _keys(keys)]
        for difference in found.differences
        for number, (type_, keys) in enumerate(difference.types)
    ]
    yield grid(["column", "type", "files"], rows)


def _keys(keys: tuple[str, ...]) -> str:
    more = f" and {len(keys) - _SHOWN_KEYS} more" if len(keys) > _SHOWN_KEYS else ""
    return ", ".join(keys[:_SHOWN_KEYS]) + more


def sample(found: Preview) -> Iterator[Block]:
    """The first rows, a column a line, so that wide rows can be read."""
    if not found.sample_rows:
        return
    numbers = [f"row {number}" for number in range(1, len(found.sample_rows) + 1)]
    rows = [
        [name, *("null" if row[index] is None else row[index] or "''" for row in found.sample_rows)]
        for index, name in enumerate(found.sample_columns)
    ]
    yield grid(["column", *numbers], rows, most=1 + _NARROW_ROWS)


def checks(found: Preview) -> Iterator[Block]:
    """The checks as they would come out."""
    if not found.checks:
        return
    rows = [
        [check.name, *_outcome(check), check.said, _keys(check.failed)] for check in found.checks
    ]
    yield grid(["check", "", "rows", "why", "files"], rows, list(map(_check_tone, found.checks)))


def _outcome(check: CheckSeen) -> tuple[str, str]:
    """Whether it holds, and how many rows do not."""
    if not check.is_evaluated:
        return "not evaluated", ""
    broken = f"{check.failed_rows:,}" if check.failed_rows else ""
    return "passes" if check.passed else "fails", broken


def _check_tone(check: CheckSeen) -> Tone:
    if not check.is_evaluated:
        return "dim"
    return "good" if check.passed else ("bad" if check.is_blocking else "warn")


def table(found: Preview) -> Iterator[Block]:
    """The table as it is, and what the files would make of it."""
    seen = found.table
    if seen is None:
        return
    if seen.exists is None:
        yield Said(f"{seen.identifier}: the catalog was not asked; shown as a new table.")
    elif seen.exists:
        version = f", schema version {seen.schema_version}" if seen.schema_version else ""
        yield Said(f"{seen.identifier} exists with {counted(seen.rows or 0, 'row')}{version}.")
    elif seen.refusal is None:
        yield Said(f"{seen.identifier} does not exist; its first rows make it.")
    for said in seen.coming:
        yield Said(said)
    if seen.changes:
        rows = [[c.said, c.action, c.why, _keys(c.keys)] for c in seen.changes]
        tones = [_ACTION_TONES.get(change.action, "plain") for change in seen.changes]
        yield grid(["difference", "policy", "why", "files"], rows, tones)
    elif seen.exists:
        yield Said("No file differs from it.", "good")
    if seen.ddl:
        yield Said("What these files would do to it, as SQL (shown, never run):", "dim")
        yield Code(";\n".join(seen.ddl))
    if seen.data_files:
        yield Said(
            f"These files would make {counted(seen.data_files, 'data file')} of "
            f"{bytes_text(seen.data_bytes)} in {counted(seen.commits, 'commit')}, as they came.",
            "dim",
        )


def suggestions(found: Preview) -> Iterator[Block]:
    """What might be declared otherwise."""
    if found.suggestions:
        rows = [[f"{s.field}: {s.value}", s.reason] for s in found.suggestions]
        yield grid(["declare", "because"], rows)


def cost(found: Preview) -> Iterator[Block]:
    """The estimate, a line a price."""
    if found.cost_refusal is not None:
        yield Said(found.cost_refusal, "warn")
    estimate = found.cost
    if estimate is None:
        return
    yield Said(f"About {money(estimate.amount, estimate.currency)} a month.")
    rows = [
        [line.name, f"{quantity(line.quantity)} {line.unit}", money(line.amount, ""), line.how]
        for line in estimate.lines
    ]
    yield grid(["for", "quantity", estimate.currency, "from"], rows, numbers=(estimate.currency,))
    for assumption in estimate.assumptions:
        yield Said(assumption, "dim")
