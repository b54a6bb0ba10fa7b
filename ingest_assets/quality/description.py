"""What a rule says, in words that people read in checks, errors and rejected rows."""

from collections.abc import Sequence

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.quality.rule_values import duration_text

_VALUES_SHOWN = 10


def listed(names: Sequence[object], last: str = "and") -> str:
    """`a, b and c`; of many the first ones and how many more there are."""
    texts = [str(name) for name in names[:_VALUES_SHOWN]]
    if len(names) > _VALUES_SHOWN:
        texts.append(f"{len(names) - _VALUES_SHOWN} more")
    return f" {last} ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


def described(rule: QualityRule) -> str:
    """What is true where the rule holds, without a full stop."""
    said: str = _WORDS[rule.kind](rule)
    return said


def _not_null(rule: QualityRule) -> str:
    return f"{listed(rule.columns)} {'is' if len(rule.columns) == 1 else 'are'} not null"


def _unique(rule: QualityRule) -> str:
    assert rule.unique is not None
    if rule.unique.scope == "table":
        return f"no other row of the table has the same {listed(rule.columns)}"
    return f"no earlier row of the file has the same {listed(rule.columns)}"


def _accepted(rule: QualityRule) -> str:
    assert rule.accepted is not None
    return f"{rule.accepted.column} is {listed(rule.accepted.values, 'or')}"


def _ends(low: object, high: object) -> str:
    ends = [f"at least {low}"] if low is not None else []
    ends += [f"at most {high}"] if high is not None else []
    return " and ".join(ends)


def _range(rule: QualityRule) -> str:
    assert rule.range is not None
    return f"{rule.range.column} is {_ends(rule.range.min, rule.range.max)}"


def _pattern(rule: QualityRule) -> str:
    assert rule.pattern is not None
    return f"{rule.pattern.column} matches {rule.pattern.regex!r} as a whole"


def _foreign_key(rule: QualityRule) -> str:
    assert rule.foreign_key is not None
    key = rule.foreign_key
    return f"{listed(key.columns)} is in {key.references} as {listed(key.referenced)}"


def _sql(rule: QualityRule) -> str:
    return f"{' '.join((rule.sql or '').split())} holds"


def _row_count(rule: QualityRule) -> str:
    assert rule.row_count is not None
    return f"the rows of the file are {_ends(rule.row_count.min, rule.row_count.max)}"


def _row_count_change(rule: QualityRule) -> str:
    assert rule.row_count_change is not None
    change = rule.row_count_change
    return (
        f"the rows of the file differ by at most {change.max_ratio:.0%} from the median of the "
        f"last {change.last} files"
    )


def _null_ratio(rule: QualityRule) -> str:
    assert rule.null_ratio is not None
    return f"{rule.null_ratio.column} is null in at most {rule.null_ratio.max:g} of the file's rows"


def _freshness(rule: QualityRule) -> str:
    assert rule.freshness is not None
    return f"a file came into the table in the last {duration_text(rule.freshness.max_age)}"


def _volume(rule: QualityRule) -> str:
    assert rule.volume is not None
    volume = rule.volume
    limits = []
    if volume.min_rows is not None or volume.max_rows is not None:
        limits.append(f"{_ends(volume.min_rows, volume.max_rows)} rows")
    if volume.min_files is not None:
        limits.append(f"at least {volume.min_files} files")
    if volume.max_ratio is not None:
        limits.append(
            f"a number of rows that differs by at most {volume.max_ratio:.0%} from the median of "
            f"the {volume.last} windows before"
        )
    return f"the last {volume.hours} hours brought {listed(limits)}"


_WORDS = {
    "not_null": _not_null,
    "unique": _unique,
    "accepted": _accepted,
    "range": _range,
    "pattern": _pattern,
    "foreign_key": _foreign_key,
    "sql": _sql,
    "row_count": _row_count,
    "row_count_change": _row_count_change,
    "null_ratio": _null_ratio,
    "freshness": _freshness,
    "volume": _volume,
}
