"""What the files would make of the table: the differences, what the policy does, and the DDL."""

from collections import defaultdict

from ingest_assets.engine.preview.coming_rows import coming
from ingest_assets.engine.preview.report import SchemaChangeSeen, TableSeen
from ingest_assets.engine.preview.trial import Trial, TriedFile
from ingest_assets.ingestion import Ingestion
from ingest_assets.schema.difference import Change, ChangeKind
from ingest_assets.schema.policy import Decision

_WHY_PARKED = {
    ChangeKind.ADDED: "schema.on_new_column is review",
    ChangeKind.MISSING: "the column is required, and schema.on_missing_column is review",
}
_TYPE_PARKED = "schema.on_type_change is review"


def table_seen(ingestion: Ingestion, trial: Trial) -> TableSeen:
    """The table, and what becomes of each difference between it and the files."""
    opened = trial.opened
    found: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for file in trial.tried:
        if file.decision is not None and _is_judged(file):
            for change in file.decision.difference.changes:
                action, why = _action(change, file.decision, ingestion)
                if action:
                    key = (change.path, change.explanation(), action, why)
                    found[key].append(file.source.key)
    return TableSeen(
        ingestion.table.identifier,
        opened.exists,
        opened.target.row_count,
        opened.version,
        tuple(SchemaChangeSeen(*key, tuple(keys)) for key, keys in found.items()),
        tuple(opened.target.ddl()),
        len(trial.batches),
        trial.data_files,
        trial.data_bytes,
        opened.refusal,
        ingestion.table.write_mode,
        tuple(coming(ingestion, trial)),
    )


def _is_judged(file: TriedFile) -> bool:
    return file.outcome is not None and file.outcome.outcome in ("SUCCESS", "PARKED", "ROUTED")


def _action(change: Change, decision: Decision, ingestion: Ingestion) -> tuple[str, str]:
    """What becomes of the difference, and by which rule; two empty texts if it is none."""
    if change in decision.causes:
        if change.kind is ChangeKind.RENAMED:
            return "nothing", "a guess, for the person who decides"
        return "park", _WHY_PARKED.get(change.kind, _TYPE_PARKED)
    if decision.is_parked:
        return "park", "the file waits for a decision on its other differences"
    rules = ingestion.schema_rules
    match change.kind:
        case ChangeKind.ADDED:
            if change.column in decision.ignored:
                return "ignore", "schema.on_new_column is ignore: its values are dropped"
            if rules.on_new_column == "merge":
                return "evolve", "schema.on_new_column is merge: the column is added"
            return "rescue", f"schema.on_new_column is {rules.on_new_column}"
        case ChangeKind.WIDENED:
            return "evolve", "Iceberg widens the column in place"
        case ChangeKind.NARROWED:
            return "nothing", "the table's type holds the file's"
        case ChangeKind.TYPE_CHANGED:
            return "rescue", "schema.on_type_change is rescue: null, values in _rescued_data"
        case ChangeKind.MISSING:
            return "nothing", "the column is null in the rows of the file"
    return "", ""
