"""The count of one rule over the rows of one file, as they pass."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.quality.description import described, listed
from ingest_assets.quality.result import ROW_NUMBERS, SAMPLE_CHARACTERS, SAMPLES, RuleResult

SOURCE_ROW = "_source_row"
_SQL_COLUMNS_SHOWN = 3


class Tally:
    """How many rows broke the rule, and of the first which they are."""

    def __init__(self, rule: QualityRule) -> None:
        self._rule = rule
        self._row_numbers: list[int] = []
        self._samples: list[str] = []
        self.rows = 0
        self.failed_rows = 0
        self.unfit: str | None = None

    def add(self, rows: pa.Table, failing: np.ndarray, judged: int | None = None) -> None:
        """The rule was put to the rows (to `judged` of them); `failing` are those that break it."""
        self.rows += rows.num_rows if judged is None else judged
        count = int(np.count_nonzero(failing))
        self.failed_rows += count
        if count and len(self._row_numbers) < ROW_NUMBERS:
            places = np.flatnonzero(failing)[: ROW_NUMBERS - len(self._row_numbers)]
            first = rows.take(places)
            self._row_numbers += first[SOURCE_ROW].to_pylist()
            self._sample(first)

    def _sample(self, rows: pa.Table) -> None:
        names = _shown_columns(self._rule, rows.column_names)
        for row in rows.select(names).to_pylist():
            said = ", ".join(f"{name}={value}" for name, value in row.items())
            if len(self._samples) == SAMPLES:
                return
            if said and said not in self._samples:
                self._samples.append(_clipped(said))

    def result(self) -> RuleResult:
        """What the rule says of the rows that have passed."""
        if self.unfit is not None:
            return made(
                self._rule, "unknown", f"It could not be evaluated: {self.unfit}.", rows=self.rows
            )
        if not self.failed_rows:
            return made(self._rule, "passed", rows=self.rows)
        said = f"{self.failed_rows} of {self.rows} rows break it: {described(self._rule)}."
        return made(
            self._rule,
            "failed",
            said,
            rows=self.rows,
            failed_rows=self.failed_rows,
            row_numbers=self._row_numbers,
            samples=self._samples,
        )


def made(
    rule: QualityRule,
    outcome: str,
    said: str = "",
    *,
    rows: int = 0,
    failed_rows: int = 0,
    row_numbers: Sequence[int] = (),
    samples: Sequence[str] = (),
    measures: dict[str, float] | None = None,
) -> RuleResult:
    """The result of a rule, with what is known of the rule."""
    return RuleResult(
        rule.check_name,
        rule.kind,
        outcome,  # type: ignore[arg-type]
        rule.action,
        rule.shown_severity,
        said,
        rows,
        failed_rows,
        tuple(row_numbers),
        tuple(samples),
        measures or {},
    )


def where(result: RuleResult) -> str:
    """`rows 3, 8 and 12 (status=lost; status=?)`, of the first that fail; empty where none do."""
    if not result.row_numbers:
        return ""
    numbers = listed(result.row_numbers)
    more = "the first are " if result.failed_rows > len(result.row_numbers) else ""
    samples = f" ({'; '.join(result.samples)})" if result.samples else ""
    return f"{more}{'rows' if len(result.row_numbers) > 1 else 'row'} {numbers}{samples}"


def sentences(result: RuleResult) -> str:
    """What the rule says and, where rows fail, which are the first; empty where it holds."""
    found = where(result)
    place = f" {found[0].upper()}{found[1:]}." if found else ""
    return f"{result.said}{place}"


def _shown_columns(rule: QualityRule, there: Sequence[str]) -> list[str]:
    if rule.sql is None:
        return list(rule.columns)
    words = set(re.findall(r"\w+", rule.sql.lower()))
    return [name for name in there if name in words][:_SQL_COLUMNS_SHOWN]


def _clipped(text: str) -> str:
    return text if len(text) <= SAMPLE_CHARACTERS else text[: SAMPLE_CHARACTERS - 1] + "…"
