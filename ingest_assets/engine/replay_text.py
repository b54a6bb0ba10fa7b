"""A plan of a replay in words, for the person who is about to agree to it."""

from collections.abc import Iterator, Sequence
from typing import Any

from ingest_assets.engine.decision_text import counted
from ingest_assets.engine.replay import ReplayPlan
from ingest_assets.ledger.states import FileStatus

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_MEANING = {
    FileStatus.FAILED: "tried again now, with all attempts",
    FileStatus.DEAD_LETTER: "tried again, with all attempts",
    FileStatus.PARKED: "judged again by the schema and declaration of now",
    FileStatus.REJECTED: "judged again by the schema and declaration of now",
    FileStatus.SKIPPED: "wanted after all",
    FileStatus.SUCCESS: "read again; the rows stay until those that are read anew replace them",
}


def plan_lines(plan: ReplayPlan) -> Iterator[str]:
    """The plan, line by line."""
    name = plan.ingestion.name
    if plan.files:
        yield f"To be read again for {name} ({plan.ingestion.table.identifier}):"
        for status, share in plan.by_status.items():
            size = _size(share.size_bytes)
            yield f"  {counted(share.files, 'file')} {status}, {size}: {_MEANING[status]}"
        yield f"  {_named(plan.keys, plan.files)}"
    else:
        yield f"No file of {name} is to be read again."
    if plan.held:
        yield (
            f"Left alone, because a batch holds them: {counted(plan.held, 'file')}, "
            f"{_named(plan.held_keys, plan.held)}."
        )
    if plan.left_out:
        pattern = plan.ingestion.source.pattern
        yield (
            f"Left alone, because source.pattern ({pattern}) leaves them out: "
            f"{counted(plan.left_out, 'file')}. A wider pattern takes them back."
        )
    if plan.taken_away:
        yield (
            "Left alone, because source.after_success deleted their objects or found them gone, "
            f"and their rows are in the table: {counted(plan.taken_away, 'file')}, "
            f"{_named(plan.taken_away_keys, plan.taken_away)}. Upload them again under their keys "
            "to have them read again."
        )
    if plan.others:
        found = ", ".join(f"{count:,} {status}" for status, count in plan.others.items())
        yield f"Left alone, because of their state: {found}. --status names a state to include."


def done_line(plan: ReplayPlan, replayed: int) -> str:
    """What became of a plan that was carried out."""
    name = plan.ingestion.name
    said = f"Done: {counted(replayed, 'file')} of {name} DISCOVERED."
    if replayed < plan.files:
        less = counted(plan.files - replayed, "file")
        said += (
            f" A batch took {less} meanwhile, or their state or object changed; they were left "
            "alone."
        )
    return (
        f"{said} To be read again at the next tick of the sensor, or at once by "
        f"`ingest-assets run {name}`."
    )


def plan_json(plan: ReplayPlan) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "ingestion": plan.ingestion.name,
        "files": plan.files,
        "by_status": {
            status.value: {"files": share.files, "size_bytes": share.size_bytes}
            for status, share in plan.by_status.items()
        },
        "first_keys": list(plan.keys),
        "held": plan.held,
        "first_held_keys": list(plan.held_keys),
        "left_out": plan.left_out,
        "taken_away": plan.taken_away,
        "first_taken_away_keys": list(plan.taken_away_keys),
        "other_states": {status.value: count for status, count in plan.others.items()},
    }


def _named(keys: Sequence[str], count: int) -> str:
    shown = ", ".join(key if key.isprintable() else ascii(key) for key in keys)
    return shown if count <= len(keys) else f"{shown} and {count - len(keys):,} more"


def _size(size_bytes: int) -> str:
    size, unit = float(size_bytes), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size_bytes} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
