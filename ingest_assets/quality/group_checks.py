"""Small files that were read together put to the rules at once, with the results of each alone.

The rules see the rows of all files in one go. Only where a row is rejected or a file refused does
each file have to be judged by itself.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from ingest_assets.quality import whole_file
from ingest_assets.quality.file_checks import KeyLookup
from ingest_assets.quality.key_set import repeated
from ingest_assets.quality.result import FileQuality, RuleResult
from ingest_assets.quality.rule_set import RuleSet
from ingest_assets.quality.tally import Tally
from ingest_assets.quality.typed_values import UnfitRuleError

_MIXER = np.uint64(0x9E3779B97F4A7C15)


class ApartError(Exception):
    """The files have to be judged one by one; nothing that was said of them together counts."""


def judge_together(
    rules: RuleSet,
    rows: pa.Table,
    counts: Sequence[int],
    file_ids: Sequence[int],
    referenced: Mapping[int, KeyLookup] | None = None,
) -> list[FileQuality]:
    """What the rules say of each file; `counts` of the rows, one after another, are of each.

    `referenced` are the tables that foreign keys refer to, by the rules' places.

    Raises:
        ApartError: a rule rejects a row, refuses a file, or compares it with its own table, in
            which every file finds what those before it brought.
    """
    if not rules.rules:
        return [FileQuality() for _ in counts]
    if any(rule.unique is not None and rule.unique.scope == "table" for rule in rules.rules):
        raise ApartError
    ends = np.cumsum(counts)
    starts = ends - counts
    columns = []
    failing = rules.failing_rows(rows) if rows.num_rows else {}
    unfit = rules.ready(rows.schema).unfit
    for place, rule in enumerate(rules.rules):
        if place in unfit:
            results = [_unfit(rules, place, str(unfit[place]), count) for count in counts]
        elif rule.kind in ("row_count", "row_count_change", "null_ratio"):
            results = _whole_files(rules, place, rows, counts, starts, file_ids)
        else:
            mask = failing.get(place)
            if rule.kind == "unique":
                mask = _doubled(rules, place, rows, counts)
            elif rule.kind == "foreign_key":
                mask = _unreferenced(rules, place, rows, (referenced or {})[place])
            results = _rows_of_files(rules, place, rows, counts, starts, mask)
        columns.append(results)
    if any(result.refuses_file for results in columns for result in results):
        raise ApartError
    return [FileQuality(results) for results in zip(*columns, strict=True)]


def _unfit(rules: RuleSet, place: int, why: str, count: int) -> RuleResult:
    """A file without rows is put to no rule about rows."""
    tally = Tally(rules.rules[place])
    if count:
        tally.unfit = why
    return tally.result()


def _rows_of_files(
    rules: RuleSet,
    place: int,
    rows: pa.Table,
    counts: Sequence[int],
    starts: np.ndarray,
    failing: np.ndarray | UnfitRuleError | None,
) -> list[RuleResult]:
    if isinstance(failing, UnfitRuleError):  # of one file, and perhaps not of the others
        raise ApartError
    is_broken = failing is not None and bool(failing.any())
    if is_broken and rules.rules[place].action != "warn":
        raise ApartError
    results = []
    for start, count in zip(starts, counts, strict=True):
        tally = Tally(rules.rules[place])
        if is_broken and failing is not None and failing[start : start + count].any():
            tally.add(rows.slice(start, count), failing[start : start + count])
        else:
            tally.rows = count
        results.append(tally.result())
    return results


def _doubled(
    rules: RuleSet, place: int, rows: pa.Table, counts: Sequence[int]
) -> np.ndarray | None:
    """The keys that an earlier row of the same file has."""
    if not rows.num_rows:
        return None
    hashes, whole = rules.keys(rows, rules.rules[place].columns)
    file = np.repeat(np.arange(1, len(counts) + 1, dtype=np.uint64), counts)
    return repeated(hashes ^ (file * _MIXER), whole)


def _unreferenced(
    rules: RuleSet, place: int, rows: pa.Table, lookup: KeyLookup
) -> np.ndarray | None:
    if not rows.num_rows:
        return None
    hashes, whole = rules.keys(rows, rules.rules[place].columns)
    try:
        return lookup.failing(rows, hashes, whole)
    except UnfitRuleError as error:
        raise ApartError from error


def _whole_files(
    rules: RuleSet,
    place: int,
    rows: pa.Table,
    counts: Sequence[int],
    starts: np.ndarray,
    file_ids: Sequence[int],
) -> list[RuleResult]:
    rule = rules.rules[place]
    if rule.kind == "row_count":
        return [whole_file.row_count(rule, count) for count in counts]
    if rule.kind == "row_count_change":
        return [
            whole_file.row_count_change(rule, count, rules.earlier_counts(file_id))
            for count, file_id in zip(counts, file_ids, strict=True)
        ]
    column = rows[rule.columns[0]]
    has_nulls = column.null_count > 0
    return [
        whole_file.null_ratio(
            rule, count, column.slice(start, count).null_count if has_nulls else 0
        )
        for start, count in zip(starts, counts, strict=True)
    ]
