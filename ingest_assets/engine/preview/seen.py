"""What a trial shows of files, columns, rows and checks."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ingest_assets.engine.preview.noted_rows import Notes, rescued_fields, shown
from ingest_assets.engine.preview.quality_seen import quality_seen
from ingest_assets.engine.preview.report import (
    CheckSeen,
    ColumnDifference,
    ColumnSeen,
    RejectedRow,
    RescuedColumn,
)
from ingest_assets.engine.preview.source_report import FileSeen
from ingest_assets.engine.preview.trial import Trial, TriedFile
from ingest_assets.schema.column import Columns
from ingest_assets.schema.types import format_type
from ingest_assets.schema.union import union

SHOWN_ROWS = 20


def file_seen(file: TriedFile, read_bytes: int, codec: str, states: Mapping[str, str]) -> FileSeen:
    """One file as the report has it."""
    source, outcome = file.source, file.outcome
    known_as = states.get(source.key)
    if outcome is None:
        return FileSeen(
            source.key,
            source.size_bytes,
            0,
            codec,
            "UNREAD",
            rows=0,
            rescued=0,
            rejected=0,
            seconds=0.0,
            error=file.unread,
            known_as=known_as,
        )
    return FileSeen(
        source.key,
        source.size_bytes,
        read_bytes,
        codec,
        outcome.outcome,
        outcome.rows,
        outcome.rescued,
        outcome.rejected,
        round(outcome.seconds, 4),
        outcome.error_type,
        outcome.error,
        known_as,
        outcome.detail.get("records"),
        outcome.detail.get("filtered"),
        tuple(outcome.detail.get("unused_fields", ())),
    )


def columns_seen(trial: Trial) -> tuple[ColumnSeen, ...]:
    """The columns of the table as it would be; without any good file, those that files have."""
    before = {column.name: column for column in trial.opened.before or ()}
    having = Counter(name for file in trial.tried for name in _names(file))
    notes = trial.notes
    rows = sum(note.rows for note in notes)
    return tuple(
        ColumnSeen(
            column.name,
            format_type(column.type),
            format_type(before[column.name].type) if column.name in before else None,
            column.source_name if column.source_name != column.name else None,
            column.is_required,
            having[column.name],
            rows,
            rows - sum(note.values[column.name] for note in notes),
        )
        for column in trial.columns or _of_files(trial)
    )


def _names(file: TriedFile) -> set[str]:
    return {column.name for column in file.observed.columns} if file.observed else set()


def _of_files(trial: Trial) -> Columns:
    columns: Columns = ()
    for file in trial.tried:
        if file.observed is not None:
            columns = union(columns, file.observed.columns)
    return columns


def differences_seen(trial: Trial) -> tuple[ColumnDifference, ...]:
    """The columns that are not in all files, or not of one type in all, of the files that say."""
    read = [file for file in trial.tried if file.observed and file.observed.record_count]
    names = dict.fromkeys(
        column.name for file in read if file.observed for column in file.observed.columns
    )
    found = []
    for name in names:
        types: dict[str, list[str]] = defaultdict(list)
        for file in read:
            assert file.observed is not None
            type_ = next((c.type for c in file.observed.columns if c.name == name), None)
            if type_ is None and name in file.observed.always_present:
                continue  # nulls alone, which are of any type
            types["absent" if type_ is None else format_type(type_)].append(file.source.key)
        if len(types) > 1:
            listed = tuple((type_, tuple(keys)) for type_, keys in types.items())
            found.append(ColumnDifference(name, listed))
    return tuple(found)


def sample_seen(
    trial: Trial, sample_rows: int
) -> tuple[tuple[str, ...], tuple[tuple[str | None, ...], ...]]:
    """The columns' names and the first rows, as texts."""
    names = tuple(column.name for column in trial.columns)
    rows = [row for note in trial.notes for row in note.first][:sample_rows]
    return names, tuple(tuple(shown(row.get(name)) for name in names) for row in rows)


def rejected_seen(trial: Trial, prefix: str) -> tuple[RejectedRow, ...]:
    """The first rows that would be rejected."""
    noted = [row for note in trial.rejected_notes for row in note.first]
    return tuple(
        RejectedRow(
            str(row["_source_file"]).removeprefix(prefix),
            int(row["_source_row"]),
            str(row["reason"]),
            shown(row["raw"]) or "",
        )
        for row in [*noted, *trial.refused_rows][:SHOWN_ROWS]
    )


def rescued_seen(trial: Trial, prefix: str) -> tuple[RescuedColumn, ...]:
    """Of each field with rescued values: how many, and the first of them."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[dict[str, Any], Any]] = {}
    for row in _rescued_rows(trial.notes):
        for name, value in rescued_fields(row).items():
            counts[name] += 1
            first.setdefault(name, (row, value))
    return tuple(
        RescuedColumn(
            name,
            counts[name],
            str(row["_source_file"]).removeprefix(prefix),
            int(row["_source_row"]),
            shown(value) or "null",
        )
        for name, (row, value) in first.items()
    )


def _rescued_rows(notes: list[Notes]) -> Iterator[dict[str, Any]]:
    for note in notes:
        yield from note.rescued


def checks_seen(trial: Trial) -> tuple[CheckSeen, ...]:
    """The checks of each file, a line a check; those of quality rules by their own results."""
    outcomes = [(file.source.key, file.outcome) for file in trial.tried if file.outcome]
    parked = tuple(key for key, outcome in outcomes if outcome.outcome == "PARKED")
    unread = tuple(key for key, o in outcomes if o.outcome in ("FAILED", "DEAD_LETTER"))
    rejected = sum(outcome.rejected for _, outcome in outcomes)
    rescued = sum(outcome.rescued for _, outcome in outcomes)
    said = f"{_files(unread)} not be read" if unread else "every file can be read"
    checks = [
        CheckSeen(
            "schema_compatible",
            passed=not parked,
            is_blocking=True,
            said=f"{_files(parked)} wait for a decision" if parked else "no file would be parked",
            failed=parked,
        ),
        CheckSeen(
            "rows_parsed",
            passed=not unread,
            is_blocking=False,
            said=f"{said}; {rejected} rows rejected, {rescued} rows with rescued values",
            failed=unread,
        ),
    ]
    return (*checks, *quality_seen(trial))


def _files(keys: tuple[str, ...]) -> str:
    return f"{len(keys)} file would" if len(keys) == 1 else f"{len(keys)} files would"
