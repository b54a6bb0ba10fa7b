"""How an observed schema differs from the active one, and what the differences amount to."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa

from ingest_assets.schema.column import Column
from ingest_assets.schema.promotion import is_promotion
from ingest_assets.schema.types import format_type

_SIMILAR = 0.6


class Verdict(StrEnum):
    """What a file's schema means for the table."""

    INITIAL = "INITIAL"
    IDENTICAL = "IDENTICAL"
    NON_BREAKING = "NON_BREAKING"
    BREAKING = "BREAKING"


class ChangeKind(StrEnum):
    """One way in which two schemas differ. RENAMED is a guess and only advises."""

    ADDED = "added"
    MISSING = "missing"
    WIDENED = "widened"
    NARROWED = "narrowed"
    TYPE_CHANGED = "type_changed"
    NULLABILITY = "nullability"
    RENAMED = "renamed"


class Compatibility(StrEnum):
    """Who can read whom: BACKWARD, the new schema reads old files; FORWARD, the old one new files.

    The words are those of Confluent's schema registry.
    """

    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    NONE = "NONE"


@dataclass(frozen=True)
class Change:
    """One difference at `path` (`a.b` inside a struct, `a[]` in a list, `a{}` in a map's values).

    `before` and `after` are types in words, or for NULLABILITY `required` and `optional`; None
    where there is no such field. `score` is the likeness of the names of a RENAMED, 0 to 1.
    """

    kind: ChangeKind
    path: str
    before: str | None
    after: str | None
    is_breaking: bool = False
    renamed_to: str | None = None
    score: float | None = None

    @property
    def column(self) -> str:
        """The name of the column that the path begins with."""
        return self.path.partition(".")[0].partition("[")[0].partition("{")[0]

    def explanation(self, by: str = "the file") -> str:
        """The change in one line, for a person; `by` is what brings it."""
        name = f"column `{self.path}`"
        match self.kind:
            case ChangeKind.ADDED:
                return f"{name}: new, {self.after}"
            case ChangeKind.MISSING:
                need = "required" if self.is_breaking else "optional"
                return f"{name}: {need}, {self.before}, {by} does not have it"
            case ChangeKind.NULLABILITY:
                return f"{name}: was {self.before}, is {self.after}"
            case ChangeKind.RENAMED:
                return f"{name}: perhaps renamed to `{self.renamed_to}`, both {self.before}"
            case _:
                word = {"widened": " (wider)", "narrowed": " (narrower)"}.get(self.kind, "")
                return f"{name}: was {self.before}, {by} has {self.after}{word}"


@dataclass(frozen=True)
class Difference:
    """All changes, in the order of the active columns, then the new ones."""

    verdict: Verdict
    compatibility: Compatibility
    changes: tuple[Change, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dicts, for a JSONB column; `from_json` gives the same back."""
        return {
            "verdict": self.verdict.value,
            "compatibility": self.compatibility.value,
            "changes": [asdict(c) | {"kind": c.kind.value} for c in self.changes],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Difference":
        """The difference that `to_json` wrote."""
        return cls(
            Verdict(stored["verdict"]),
            Compatibility(stored["compatibility"]),
            tuple(Change(**{**c, "kind": ChangeKind(c["kind"])}) for c in stored["changes"]),
        )


def difference(active: Iterable[Column] | None, observed: Iterable[Column]) -> Difference:
    """What changes from `active` (None: there is no version yet) to `observed`."""
    if active is None:
        added = [Change(ChangeKind.ADDED, c.name, None, format_type(c.type)) for c in observed]
        return Difference(Verdict.INITIAL, Compatibility.FULL, tuple(added))
    changes = tuple(_changes({c.name: c for c in active}, {c.name: c for c in observed}))
    return Difference(verdict_of(changes), _compatibility(changes), changes)


def _changes(active: dict[str, Column], observed: dict[str, Column]) -> Iterator[Change]:
    for name, column in active.items():
        found = observed.get(name)
        if found is None:
            words = format_type(column.type)
            yield Change(ChangeKind.MISSING, name, words, None, column.is_required)
            continue
        yield from _type_changes(name, column.type, found.type)
        if column.is_required != found.is_required:
            words_of = {True: "required", False: "optional"}
            before, after = words_of[column.is_required], words_of[found.is_required]
            yield Change(ChangeKind.NULLABILITY, name, before, after, found.is_required)
    added = [column for name, column in observed.items() if name not in active]
    for column in added:
        yield Change(ChangeKind.ADDED, column.name, None, format_type(column.type))
    missing = [column for name, column in active.items() if name not in observed]
    yield from _renames(missing, added)


def _renames(missing: list[Column], added: list[Column]) -> Iterator[Change]:
    """For each missing column the most similar added one of its type, if any is similar."""
    for column in missing:
        scores = [
            (difflib.SequenceMatcher(None, column.name, other.name).ratio(), other.name)
            for other in added
            if other.type == column.type
        ]
        score, name = max(scores, default=(0.0, ""))
        if score >= _SIMILAR:
            words = format_type(column.type)
            yield Change(
                ChangeKind.RENAMED,
                column.name,
                words,
                words,
                renamed_to=name,
                score=round(score, 3),
            )


def _type_changes(path: str, before: pa.DataType, after: pa.DataType) -> Iterator[Change]:
    if before == after:
        return
    if pa.types.is_struct(before) and pa.types.is_struct(after):
        yield from _struct_changes(path, before, after)
    elif pa.types.is_list(before) and pa.types.is_list(after):
        yield from _type_changes(f"{path}[]", before.value_type, after.value_type)
    elif pa.types.is_map(before) and pa.types.is_map(after) and before.key_type == after.key_type:
        yield from _type_changes(f"{path}{{}}", before.item_type, after.item_type)
    else:
        kind, is_breaking = ChangeKind.TYPE_CHANGED, True
        if is_promotion(before, after):
            kind, is_breaking = ChangeKind.WIDENED, False
        elif is_promotion(after, before):
            kind = ChangeKind.NARROWED
        yield Change(kind, path, format_type(before), format_type(after), is_breaking)


def _struct_changes(path: str, before: pa.StructType, after: pa.StructType) -> Iterator[Change]:
    names = {field.name for field in before}
    for field in before:
        index = after.get_field_index(field.name)
        where = f"{path}.{field.name}"
        if index < 0:
            yield Change(ChangeKind.MISSING, where, format_type(field.type), None)
        else:
            yield from _type_changes(where, field.type, after.field(index).type)
    for field in after:
        if field.name not in names:
            yield Change(ChangeKind.ADDED, f"{path}.{field.name}", None, format_type(field.type))


def verdict_of(changes: Iterable[Change]) -> Verdict:
    """BREAKING if any change is; a missing optional column and a guess of a rename are nothing."""
    changes = tuple(changes)
    if any(change.is_breaking for change in changes):
        return Verdict.BREAKING
    matters = {ChangeKind.ADDED, ChangeKind.WIDENED, ChangeKind.NULLABILITY}
    is_changed = any(change.kind in matters for change in changes)
    return Verdict.NON_BREAKING if is_changed else Verdict.IDENTICAL


def _compatibility(changes: Iterable[Change]) -> Compatibility:
    is_backward = is_forward = True
    for change in changes:
        if change.kind is ChangeKind.TYPE_CHANGED:
            is_backward = is_forward = False
        elif change.kind is ChangeKind.WIDENED:
            is_forward = False
        elif change.kind is ChangeKind.NARROWED:
            is_backward = False
        elif change.kind is ChangeKind.MISSING:
            is_forward = is_forward and not change.is_breaking
        elif change.kind is ChangeKind.NULLABILITY:
            is_forward = is_forward and change.is_breaking
            is_backward = is_backward and not change.is_breaking
    if is_backward:
        return Compatibility.FULL if is_forward else Compatibility.BACKWARD
    return Compatibility.FORWARD if is_forward else Compatibility.NONE
