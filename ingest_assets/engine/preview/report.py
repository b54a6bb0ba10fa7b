"""What a preview found: plain values, for the terminal, the page, JSON and Dagster alike.

`to_json` gives nested dicts and lists under the names of the fields; `docs/preview.md` says what
each means. Values of rows are texts, cut to a length that a person can read.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ingest_assets.cost.estimate import Estimate
from ingest_assets.cost.workload import Measured
from ingest_assets.engine.preview.source_report import (
    ConnectionSeen,
    FileSeen,
    FormatSeen,
    FoundFiles,
    ServiceSeen,
)


@dataclass(frozen=True)
class ColumnSeen:
    """A column of the table as it would be. `table_type`: None where the table lacks it by now.

    `source_name`: how files spell it, where that is otherwise. `files`: how many of the files that
    could be read have it. `nulls` of `rows` values are null.
    """

    name: str
    type: str
    table_type: str | None
    source_name: str | None
    is_required: bool
    files: int
    rows: int
    nulls: int

    @property
    def null_ratio(self) -> float:
        """0 to 1; 0 without rows."""
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class ColumnDifference:
    """A column of which files do not agree. `types`: type, or "absent", and the keys of files."""

    column: str
    types: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class RejectedRow:
    """A row that would go to `<table>__rejected`."""

    key: str
    row: int
    reason: str
    raw: str


@dataclass(frozen=True)
class RescuedColumn:
    """Values that would go to `_rescued_data`, by the field they are of."""

    field: str
    count: int
    key: str
    row: int
    example: str


@dataclass(frozen=True)
class CheckSeen:
    """A check as it would come out. `failed`: the keys of the files of which it would fail.

    Of a quality rule: `failed_rows` of `rows` break it, in all files together. What it does then is
    `on_fail`: `fail_file`, `reject_rows` or `warn`. `samples`: what the first of them have in its
    columns, of each file. `is_evaluated` is off where only an ingestion can say, and `said` says
    why; such a check has not passed.
    """

    name: str
    passed: bool
    is_blocking: bool
    said: str
    failed: tuple[str, ...] = ()
    is_evaluated: bool = True
    on_fail: str | None = None
    rows: int | None = None
    failed_rows: int | None = None
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class SchemaChangeSeen:
    """A difference between the table and the files, and what becomes of it.

    `action`: `evolve`, `park`, `rescue`, `ignore` or `nothing`. `keys`: the files that bring it.
    """

    column: str
    said: str
    action: str
    why: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class TableSeen:
    """The table, and what the files would make of it. `ddl`: as the SQL that Spark has for it.

    `refusal`: why the declaration may not write to it, or cannot make it as declared. `coming`:
    what becomes of the rows that are there, and of those that come, by the write mode; a sentence
    each.
    """

    identifier: str
    exists: bool | None
    rows: int | None
    schema_version: int | None
    changes: tuple[SchemaChangeSeen, ...] = ()
    ddl: tuple[str, ...] = ()
    commits: int = 0
    data_files: int = 0
    data_bytes: int = 0
    refusal: str | None = None
    write_mode: str = "append"
    coming: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """Something to declare otherwise: a `field` of the declaration, `value` as it is written."""

    field: str
    value: str
    reason: str


@dataclass(frozen=True)
class Preview:
    """What would happen to the files of an ingestion; nothing of it has happened.

    `is_declared`: the ingestion stands in a file; else it was made up from the address with
    defaults, and `declaration` is the text of the defs.yaml that says the same. `problems`: what
    stands in the way of any file, a sentence or more each. `notes`: what limits the rest, such as
    that of large files only the beginning was read.
    """

    name: str
    uri: str
    pattern: str
    is_declared: bool
    declaration: str
    made_at: datetime
    seconds: float
    connection: ConnectionSeen
    services: tuple[ServiceSeen, ...] = ()
    found: FoundFiles | None = None
    format: FormatSeen | None = None
    files: tuple[FileSeen, ...] = ()
    columns: tuple[ColumnSeen, ...] = ()
    differences: tuple[ColumnDifference, ...] = ()
    sample_columns: tuple[str, ...] = ()
    sample_rows: tuple[tuple[str | None, ...], ...] = ()
    rejected: tuple[RejectedRow, ...] = ()
    rescued: tuple[RescuedColumn, ...] = ()
    checks: tuple[CheckSeen, ...] = ()
    table: TableSeen | None = None
    ledger_states: tuple[tuple[str, int], ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    cost: Estimate | None = None
    measured: Measured | None = None
    cost_refusal: str | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def row_count(self) -> int:
        """The rows that would be written."""
        return sum(file.rows for file in self.files)

    @property
    def needs_attention(self) -> bool:
        """A file would not come into the table, or nothing would."""
        bad = any(file.outcome not in ("SUCCESS", "UNREAD") for file in self.files)
        return bool(self.problems) or bad

    def to_json(self) -> dict[str, Any]:
        """Plain dicts and lists; moments in ISO 8601, the ratio of nulls beside their count."""
        told: dict[str, Any] = _plain(asdict(self))
        for column, seen in zip(told["columns"], self.columns, strict=True):
            column["null_ratio"] = round(seen.null_ratio, 4)
        if self.cost is not None:
            told["cost"]["amount"] = self.cost.amount
        return told | {"rows": self.row_count, "needs_attention": self.needs_attention}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case _:
            return value
