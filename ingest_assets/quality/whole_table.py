"""Rules about the table as a whole, over what the ledger counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.quality.description import described
from ingest_assets.quality.result import RuleResult
from ingest_assets.quality.rule_values import duration_text
from ingest_assets.quality.tally import made


@dataclass(frozen=True)
class Arrived:
    """What came into the table in one window of time."""

    files: int
    rows: int


def freshness(rule: QualityRule, newest_at: datetime | None, now: datetime) -> RuleResult:
    """The age of the newest rows; a table into which nothing came yet is not fresh."""
    assert rule.freshness is not None
    if newest_at is None:
        return made(rule, "failed", "No file has come into the table yet.")
    age = now - newest_at
    measures = {"age_seconds": round(age.total_seconds(), 1)}
    if age <= rule.freshness.max_age:
        return made(rule, "passed", measures=measures)
    said = (
        f"The newest file came in at {newest_at:%Y-%m-%d %H:%M:%S} UTC, longer ago than "
        f"{duration_text(rule.freshness.max_age)}."
    )
    return made(rule, "failed", said, measures=measures)


def volume(rule: QualityRule, last: Arrived, earlier: Sequence[Arrived]) -> RuleResult:
    """The last window against limits and against the median of the earlier ones, newest first."""
    assert rule.volume is not None
    limits, compared = rule.volume, [window.rows for window in earlier[: rule.volume.last]]
    measures: dict[str, float] = {"window_rows": last.rows, "window_files": last.files}
    broken = [
        limits.min_rows is not None and last.rows < limits.min_rows,
        limits.max_rows is not None and last.rows > limits.max_rows,
        limits.min_files is not None and last.files < limits.min_files,
    ]
    said = f"The last {limits.hours} hours brought {last.rows} rows in {last.files} files"
    if limits.max_ratio is not None and compared:
        middle = median(compared)
        change = abs(last.rows - middle) / middle if middle else float(last.rows > 0)
        measures |= {"median_rows": middle, "change_ratio": round(change, 6)}
        said += f", and the median of the windows before is {middle:g}, a change of {change:.0%}"
        broken.append(change > limits.max_ratio)
    if not any(broken):
        return made(rule, "passed", measures=measures)
    told = f"{said}; it should be that {described(rule)}."
    return made(rule, "failed", told, measures=measures)
