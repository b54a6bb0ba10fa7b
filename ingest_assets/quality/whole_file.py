"""Rules about a file as a whole: how many rows it has, and how many of them are null."""

from collections.abc import Sequence
from statistics import median

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.quality.description import described
from ingest_assets.quality.result import RuleResult
from ingest_assets.quality.tally import made


def row_count(rule: QualityRule, rows: int) -> RuleResult:
    """The rows that go into the table against the ends."""
    assert rule.row_count is not None
    low, high = rule.row_count.min, rule.row_count.max
    holds = (low is None or rows >= low) and (high is None or rows <= high)
    return _judged(rule, rows, f"There are {rows}", holds=holds)


def row_count_change(rule: QualityRule, rows: int, earlier: Sequence[int]) -> RuleResult:
    """Against the row counts of the files before, newest first; with none of them it holds."""
    assert rule.row_count_change is not None
    compared = earlier[: rule.row_count_change.last]
    if not compared:
        return _judged(rule, rows, "", holds=True, compared_files=0)
    middle = median(compared)
    change = abs(rows - middle) / middle if middle else float(rows > 0)
    return _judged(
        rule,
        rows,
        f"There are {rows}, and the median is {middle:g}, a change of {change:.0%}",
        holds=change <= rule.row_count_change.max_ratio,
        compared_files=len(compared),
        median_rows=middle,
        change_ratio=round(change, 6),
    )


def null_ratio(rule: QualityRule, rows: int, nulls: int) -> RuleResult:
    """The nulls of the rows that go into the table; none where there are no rows."""
    assert rule.null_ratio is not None
    ratio = nulls / rows if rows else 0.0
    said = f"{nulls} of {rows} are null, {ratio:.4g} of them"
    return _judged(rule, rows, said, holds=ratio <= rule.null_ratio.max, null_ratio=round(ratio, 6))


def _judged(
    rule: QualityRule, rows: int, said: str, *, holds: bool, **measures: float
) -> RuleResult:
    if holds:
        return made(rule, "passed", rows=rows, measures=measures)
    told = f"{said}; it should be that {described(rule)}."
    return made(rule, "failed", told, rows=rows, measures=measures)
