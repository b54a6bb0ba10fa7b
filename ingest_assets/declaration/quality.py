"""The `quality` of a declaration: rules that hold for each file, for its rows, or for the table.

An item of the list has one key that names the rule, and beside it what all rules have:

    {not_null: [order_id], blocking: true}
    {accepted: {column: status, values: [new, paid]}, on_fail: reject_rows}

`on_fail` says what becomes of the rows: `fail_file` keeps the whole file out, `reject_rows` those
rows that break the rule, `warn` none. `blocking: true` is `on_fail: fail_file` in another word.
`severity` is how a failed check is shown. `docs/quality.md` says what each rule means.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ingest_assets.declaration.declared import Declared
from ingest_assets.declaration.quality_parameters import (
    Accepted,
    ForeignKey,
    Freshness,
    NullRatio,
    Pattern,
    Range,
    RowCount,
    RowCountChange,
    Unique,
    Volume,
)
from ingest_assets.quality.rule_values import ColumnNames, slug

OnFail = Literal["fail_file", "reject_rows", "warn"]
Severity = Literal["error", "warn"]
RuleKind = Literal[
    "not_null",
    "unique",
    "accepted",
    "range",
    "pattern",
    "foreign_key",
    "sql",
    "row_count",
    "row_count_change",
    "null_ratio",
    "freshness",
    "volume",
]
ROW_RULES = ("not_null", "unique", "accepted", "range", "pattern", "foreign_key", "sql")
FILE_RULES = ("row_count", "row_count_change", "null_ratio")
TABLE_RULES = ("freshness", "volume")
KINDS: tuple[RuleKind, ...] = (*ROW_RULES, *FILE_RULES, *TABLE_RULES)  # type: ignore[assignment]
TAKEN_NAMES = ("schema_compatible", "rows_parsed")


def _columns_alone(value: Any) -> Any:
    return {"columns": value} if isinstance(value, list) else value


class QualityRule(Declared):
    """One rule: exactly one of the first twelve fields is written."""

    not_null: ColumnNames | None = None
    unique: Annotated[Unique | None, BeforeValidator(_columns_alone)] = None
    accepted: Accepted | None = None
    range: Range | None = None
    pattern: Pattern | None = None
    foreign_key: ForeignKey | None = None
    sql: Annotated[str, Field(min_length=1)] | None = None
    row_count: RowCount | None = None
    row_count_change: RowCountChange | None = None
    null_ratio: NullRatio | None = None
    freshness: Freshness | None = None
    volume: Volume | None = None
    name: str | None = None
    severity: Severity | None = None
    blocking: bool | None = None
    on_fail: OnFail | None = None

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", value):
            raise ValueError(
                f"{value!r} should be lower-case letters, digits and _, beginning with a letter"
            )
        if value in TAKEN_NAMES:
            raise ValueError(f"{value!r} is a check that every ingestion has; take another name")
        return value

    @model_validator(mode="after")
    def _one_rule_that_holds_together(self) -> "QualityRule":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            said = f"has {' and '.join(kinds)}" if kinds else "names no rule"
            raise ValueError(f"{said}; each item is one rule of {', '.join(KINDS)}")
        problem = self._contradiction()
        if problem is not None:
            raise ValueError(problem)
        return self

    def _contradiction(self) -> str | None:
        kind, on_fail = self.kind, self.on_fail
        if kind in TABLE_RULES and (self.blocking or on_fail not in (None, "warn")):
            return f"{kind} is about the whole table and can keep no file out; leave on_fail: warn"
        if on_fail == "reject_rows" and kind not in ROW_RULES:
            return f"{kind} is about the whole file and has no rows to reject; take fail_file"
        if self.blocking and on_fail in ("reject_rows", "warn"):
            return (
                f"blocking: true keeps the file out, and on_fail: {on_fail} lets it in; leave one "
                "of them out"
            )
        if self.blocking is False and on_fail == "fail_file":
            return "on_fail: fail_file keeps the file out, which is blocking; leave blocking out"
        if self.severity == "warn" and self.is_blocking:
            return "a file that is kept out is an error; severity: warn goes with the other rules"
        return None

    @cached_property
    def kind(self) -> RuleKind:
        """The key that names the rule."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def action(self) -> OnFail:
        """What becomes of the rows where the rule does not hold."""
        return self.on_fail or ("fail_file" if self.blocking else "warn")

    @property
    def is_blocking(self) -> bool:
        """A file that breaks the rule stays out of the table."""
        return self.action == "fail_file"

    @property
    def shown_severity(self) -> Severity:
        """How the failed check is shown: as declared, else an error where the file is kept out."""
        return self.severity or ("error" if self.is_blocking else "warn")

    @cached_property
    def check_name(self) -> str:
        """The name of the rule's asset check."""
        if self.name is not None:
            return self.name
        if self.sql is not None:
            return slug("sql", self.sql)
        scope = ["in_table"] if self.unique is not None and self.unique.scope == "table" else []
        return slug(self.kind, *scope, *self.columns)

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the table that the rule is about; of `sql` none are known here."""
        rule = getattr(self, self.kind)
        if isinstance(rule, list):
            return rule
        one = [rule.column] if hasattr(rule, "column") else []
        several: Sequence[str] = getattr(rule, "columns", one)
        return several

    @property
    def needs_table(self) -> bool:
        """The rule compares the file's rows with a table's."""
        is_in_table = self.unique is not None and self.unique.scope == "table"
        return is_in_table or self.foreign_key is not None
