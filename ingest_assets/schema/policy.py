"""What happens to a file, from its schema, the table's and the rules of the declaration."""

from dataclasses import dataclass, replace
from typing import Literal

from ingest_assets.schema.column import Column, Columns
from ingest_assets.schema.difference import (
    Change,
    ChangeKind,
    Difference,
    Verdict,
    difference,
)
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.union import union, without


@dataclass(frozen=True)
class SchemaRules:
    """The declaration's `schema`, as far as it judges files; declared columns are a version.

    `ignored` are changes that a person decided to ignore: they park no file, and what they would
    add is rescued.
    """

    on_new_column: Literal["merge", "review", "rescue", "ignore"] = "merge"
    on_missing_column: Literal["review", "allow"] = "review"
    on_type_change: Literal["review", "rescue"] = "review"
    optional_columns: frozenset[str] = frozenset()
    ignored: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Decision:
    """`causes`: the changes that park the file for a person's decision; none, and it is written.

    `target`: the columns to write with; for a parked file those that accepting would merge to.
    `ignored`: names of new top-level columns that are dropped by declaration.
    An INITIAL decision without target columns found nothing to make a version of.
    """

    verdict: Verdict
    difference: Difference
    target: Columns
    ignored: frozenset[str] = frozenset()
    causes: tuple[Change, ...] = ()

    @property
    def is_parked(self) -> bool:
        """The file waits for a person."""
        return bool(self.causes)


def decide(active: Columns | None, observed: Observed, rules: SchemaRules) -> Decision:
    """The verdict on the file, and what to write it with."""
    if observed.record_count == 0:
        return _nothing_to_judge(active)
    if active is None:
        columns = tuple(_at_version_one(column, observed, rules) for column in observed.columns)
        return Decision(Verdict.INITIAL, difference(None, columns), columns)
    found = difference(active, observed.columns)
    causes = _causes(found, rules)
    if causes:
        return Decision(found.verdict, found, union(active, observed.columns), causes=causes)
    wanted = without(observed.columns, _ignored_additions(found, rules))
    target = union(active, wanted, additions=rules.on_new_column == "merge")
    ignored: frozenset[str] = frozenset()
    if rules.on_new_column == "ignore":
        names = {column.name for column in target}
        ignored = frozenset(c.name for c in observed.columns if c.name not in names)
    return Decision(found.verdict, found, target, ignored)


def _nothing_to_judge(active: Columns | None) -> Decision:
    found = difference(active, active or ())
    return Decision(found.verdict, found, active or ())


def _causes(found: Difference, rules: SchemaRules) -> tuple[Change, ...]:
    """What a person has to decide about, with the new names that missing columns may have."""
    paths = {change.path for change in found.changes if _needs_review(change, rules)}
    return tuple(
        change
        for change in found.changes
        if _needs_review(change, rules)
        or (change.kind is ChangeKind.RENAMED and change.path in paths)
    )


def _ignored_additions(found: Difference, rules: SchemaRules) -> frozenset[str]:
    added = [change for change in found.changes if change.kind is ChangeKind.ADDED]
    return frozenset(change.path for change in added if _is_ignored(change, rules))


def _is_ignored(change: Change, rules: SchemaRules) -> bool:
    """Somebody decided about a change like this one: of the same kind, place and types.

    An addition that was decided about without a type is one of any type.
    """
    place = (change.kind, change.path, change.before)
    types = {change.after, None} if change.kind is ChangeKind.ADDED else {change.after}
    return any(place == (c.kind, c.path, c.before) and c.after in types for c in rules.ignored)


def _needs_review(change: Change, rules: SchemaRules) -> bool:
    if _is_ignored(change, rules):
        return False
    if change.kind is ChangeKind.ADDED:
        return rules.on_new_column == "review"
    if change.kind is ChangeKind.MISSING:
        is_required = change.is_breaking and change.path not in rules.optional_columns
        return is_required and rules.on_missing_column == "review"
    if change.kind in (ChangeKind.NARROWED, ChangeKind.TYPE_CHANGED):
        return rules.on_type_change == "review"
    return False


def _at_version_one(column: Column, observed: Observed, rules: SchemaRules) -> Column:
    is_required = (
        column.name in observed.always_present and column.name not in rules.optional_columns
    )
    return replace(column, is_required=is_required)
