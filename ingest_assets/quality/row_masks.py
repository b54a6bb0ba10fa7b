"""Rules about single rows as masks over Arrow data: true where a row breaks the rule.

Nothing of the rows is copied. Null breaks `not_null` alone; NaN is in no range.
"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.quality.rule_values import whole
from ingest_assets.quality.typed_values import UnfitRuleError, accepted_value, end_value
from ingest_assets.schema.types import format_type

Masking = Callable[[pa.Table], pa.ChunkedArray]
"""Booleans of rows, none of them null."""


def masking(rule: QualityRule, schema: pa.Schema) -> Masking:
    """What makes the mask of rows of this schema.

    Raises:
        UnfitRuleError: a column is not there, or holds nothing that the rule could be put to.
    """
    check_columns(rule, schema)
    made: Masking = _MASKINGS[rule.kind](rule, schema)
    return made


def check_columns(rule: QualityRule, schema: pa.Schema) -> None:
    """Nothing, if all columns that the rule names are there.

    Raises:
        UnfitRuleError: one is not; says which there are.
    """
    own = [name for name in schema.names if not name.startswith("_")]
    missing = [name for name in rule.columns if name not in own]
    if missing:
        there = ", ".join(own) or "none"
        raise UnfitRuleError(f"there is no column {', '.join(missing)}; the columns are {there}")


def _not_null(rule: QualityRule, _schema: pa.Schema) -> Masking:
    names = rule.columns

    def mask(rows: pa.Table) -> pa.ChunkedArray:
        found = pc.is_null(rows[names[0]])
        for name in names[1:]:
            found = pc.or_(found, pc.is_null(rows[name]))
        return found

    return mask


def _accepted(rule: QualityRule, schema: pa.Schema) -> Masking:
    assert rule.accepted is not None
    name, type_ = rule.accepted.column, schema.field(rule.accepted.column).type
    scalars = [accepted_value(value, type_, name) for value in rule.accepted.values]
    values = pa.array([scalar.as_py() for scalar in scalars], type_)

    def mask(rows: pa.Table) -> pa.ChunkedArray:
        column = rows[name]
        return pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, value_set=values)))

    return mask


def _range(rule: QualityRule, schema: pa.Schema) -> Masking:
    assert rule.range is not None
    name, type_ = rule.range.column, schema.field(rule.range.column).type
    tests: list[tuple[Any, pa.Scalar]] = []
    if rule.range.min is not None:
        tests.append((pc.greater_equal, end_value(rule.range.min, type_, name, "min")))
    if rule.range.max is not None:
        tests.append((pc.less_equal, end_value(rule.range.max, type_, name, "max")))

    def mask(rows: pa.Table) -> pa.ChunkedArray:
        inside = [test(rows[name], end) for test, end in tests]
        holds = inside[0] if len(inside) == 1 else pc.and_(*inside)
        return pc.invert(pc.fill_null(holds, fill_value=True))

    return mask


def _pattern(rule: QualityRule, schema: pa.Schema) -> Masking:
    assert rule.pattern is not None
    name, type_ = rule.pattern.column, schema.field(rule.pattern.column).type
    if not pt.is_string(type_):
        raise UnfitRuleError(f"{name} is {format_type(type_)}, and a pattern is for text")
    regex = whole(rule.pattern.regex)

    def mask(rows: pa.Table) -> pa.ChunkedArray:
        matches = pc.match_substring_regex(rows[name], regex)
        return pc.invert(pc.fill_null(matches, fill_value=True))

    return mask


_MASKINGS: dict[str, Callable[[QualityRule, pa.Schema], Masking]] = {
    "not_null": _not_null,
    "accepted": _accepted,
    "range": _range,
    "pattern": _pattern,
}
MASKED = tuple(_MASKINGS)
"""The kinds of rules that are masks."""
