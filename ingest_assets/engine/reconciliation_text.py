"""A reconciliation in words, for a person who decides whether to mend."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest_assets.engine.decision_text import counted
from ingest_assets.engine.disagreement import Disagreement, Kind, Remedy
from ingest_assets.engine.reconciliation import Reconciliation


@dataclass(frozen=True)
class Group:
    """All disagreements of one kind that are mended in one way."""

    kind: Kind
    remedy: Remedy | None
    all: Sequence[Disagreement]

    @property
    def way_out(self) -> str:
        """What mends them."""
        return self.remedy.words if self.remedy else "nothing is mended by --apply"

    def examples(self, sample: int) -> Iterator[str]:
        """The first ones, and how many more there are."""
        for one in self.all[:sample]:
            yield f"{about(one)}: {one.cause}" if about(one) else one.cause
        if len(self.all) > sample:
            yield f"and {len(self.all) - sample:,} more"


def groups(found: Reconciliation) -> list[Group]:
    """The disagreements by kind, in the order of the kinds."""
    parts: dict[tuple[Kind, Remedy | None], list[Disagreement]] = {}
    for one in found.disagreements:
        parts.setdefault((one.kind, one.remedy), []).append(one)
    order = {kind: place for place, kind in enumerate(Kind)}
    ordered = sorted(parts.items(), key=lambda part: order[part[0][0]])
    return [Group(kind, remedy, all_of) for (kind, remedy), all_of in ordered]


def about(one: Disagreement) -> str:
    """The file that it is about, on one line."""
    key = one.key or ""
    return key if key.isprintable() else repr(key)


def report_lines(found: Reconciliation, sample: int) -> Iterator[str]:
    """What was compared, and every kind of disagreement with its first examples."""
    yield headline(found)
    for group in groups(found):
        yield ""
        yield f"{group.kind}, {len(group.all):,}: {group.kind.meaning}."
        yield from (f"  {example}" for example in group.examples(sample))
        yield f"  ({group.way_out})"
    yield from notes(found)


def headline(found: Reconciliation) -> str:
    """One line: how much was compared, and how much did not agree."""
    compared = f"{counted(found.files, 'file')}, {counted(found.rows, 'row')}"
    if found.objects is not None:
        compared += f", {counted(found.objects, 'object')}"
    wrong = "all agree"
    if found.disagreements:
        wrong = counted(len(found.disagreements), "disagreement")
    return f"{found.ingestion.name}: {compared} compared; {wrong}"


def notes(found: Reconciliation) -> Iterator[str]:
    """What is worth knowing and no disagreement."""
    if found.moving:
        yield f"{counted(found.moving, 'file')} at work or just changed: not judged this time."
    if found.fresh_objects:
        yield f"{counted(found.fresh_objects, 'object')} new or changed: found by the next tick."
    if found.gone_objects:
        yield f"{counted(found.gone_objects, 'object')} gone since they were read; their rows stay."
    if found.unmarked_rows:
        yield f"{counted(found.unmarked_rows, 'row')} without a file: adopted, or another writer's."
