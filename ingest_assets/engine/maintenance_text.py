"""What maintenance would do, or did, in words and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ingest_assets.engine.chores import (
    Chore,
    MaintenanceReport,
    Result,
    TableReport,
    has_work,
)
from ingest_assets.engine.decision_text import counted
from ingest_assets.tables.compaction import Compacted
from ingest_assets.tables.expiry import Expiry
from ingest_assets.tables.manifests import ManifestRewrite
from ingest_assets.tables.orphans import Orphans
from ingest_assets.tables.table_health import TableHealth

SHOWN = 10
_UNITS = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


def report_lines(report: MaintenanceReport) -> Iterator[str]:
    """The whole report; what nothing is to be done about is said too."""
    if not report.tables:
        yield f"{report.ingestion.name} has no table yet."
    for table in report.tables:
        yield f"{table.identifier}: {_health(table.health)}"
        for chore, result in table.results.items():
            yield f"  {chore}: {said(result, is_plan=report.is_plan)}"
            yield from (f"    {line}" for line in _details(result, is_plan=report.is_plan))
        for what, why in {**table.refused, **table.failed}.items():
            yield f"  {what}: not done. {why}"
    if report.is_plan and report.has_work and report.ingestion.maintenance.schedule is None:
        yield (
            f"No maintenance.schedule is declared for {report.ingestion.name}, so this is done "
            f"only when somebody asks: ingest-assets maintain {report.ingestion.name} --yes"
        )


def outcome(report: MaintenanceReport) -> str:
    """The report in a line."""
    parts = [
        f"{table.identifier}: {chore}: {said(result, is_plan=report.is_plan)}"
        for table in report.tables
        for chore, result in table.results.items()
        if has_work(result)
    ]
    return "; ".join(parts) or "Nothing was to be done"


def said(result: Result, *, is_plan: bool) -> str:
    """One chore in a line."""
    match result:
        case Compacted():
            return _compacted(result)
        case ManifestRewrite():
            return _manifests(result, is_plan=is_plan)
        case Expiry():
            return _expiry(result, is_plan=is_plan)
        case Orphans():
            return _orphans(result, is_plan=is_plan)
    if not result:
        return "no small data files to put together"
    old = sum(len(group.tasks) for group in result)
    size = sum(group.size_bytes for group in result)
    return (
        f"{counted(old, 'data file')} ({in_bytes(size)}) would become "
        f"{counted(len(result), 'data file')}"
    )


def _compacted(done: Compacted) -> str:
    parts = ["no small data files to put together"]
    if done.groups:
        parts = [
            f"{counted(done.old_files, 'data file')} ({in_bytes(done.old_bytes)}) became "
            f"{counted(done.new_files, 'data file')} ({in_bytes(done.new_bytes)}) with "
            f"{counted(done.rows, 'row')}, in {counted(done.commits, 'commit')}"
        ]
    if done.overtaken:
        parts.append(f"{counted(done.overtaken, 'group')} left, as other commits changed them")
    if done.unreadable:
        parts.append(f"{counted(done.unreadable, 'group')} left, as the log says")
    return "; ".join(parts)


def _manifests(found: ManifestRewrite, *, is_plan: bool) -> str:
    size = f"{counted(found.manifests, 'manifest')} ({in_bytes(found.size_bytes)})"
    if not found.is_worth_it:
        return f"{size}, which are few enough"
    return f"{size} {'would become' if is_plan else 'became'} {found.needed}"


def _expiry(found: Expiry, *, is_plan: bool) -> str:
    if not found.snapshots:
        return "no snapshot is old enough that nothing needs it"
    files = found.files
    would = "would be" if is_plan else "are"
    text = (
        f"{counted(len(found.snapshots), 'snapshot')} {would} gone, and with them "
        f"{counted(len(files.data), 'data file')} and "
        f"{counted(len(files.metadata), 'metadata file')} ({in_bytes(files.size_bytes)})"
    )
    return text + _not_deleted(found.kept_files)


def _orphans(found: Orphans, *, is_plan: bool) -> str:
    text = "no orphans"
    if found.files:
        would = "would be" if is_plan else "are"
        text = f"{counted(len(found.files), 'file')} ({in_bytes(found.size_bytes)}) {would} deleted"
    if found.young:
        text += f"; {counted(found.young, 'file')} that nothing names may be of work under way"
    return text + _not_deleted(found.kept_files)


def _not_deleted(count: int) -> str:
    return f"; {counted(count, 'file')} could not be deleted, as the log says" if count else ""


def _details(result: Result, *, is_plan: bool) -> Iterator[str]:
    if not is_plan:
        return
    lines: list[str] = []
    if isinstance(result, Orphans):
        lines = [file.location for file in result.files]
    elif isinstance(result, Expiry):
        lines = [f"snapshot {one.snapshot_id}" for one in result.snapshots]
    elif isinstance(result, tuple):
        lines = [
            f"{counted(len(group.tasks), 'data file')}, {in_bytes(group.size_bytes)}, "
            f"{counted(group.rows, 'row')}" + (f" of {group.partition}" if group.partition else "")
            for group in result
        ]
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"and {len(lines) - SHOWN} more"


def _health(health: TableHealth | None) -> str:
    if health is None:
        return "its health is not known"
    text = (
        f"{counted(health.files, 'data file')} in {counted(health.partitions, 'partition')}, "
        f"{in_bytes(health.size_bytes)}, median {in_bytes(health.median_bytes)}, "
        f"{health.small_files:,} small; {counted(health.rows, 'row')}, "
        f"{counted(health.snapshots, 'snapshot')}, {counted(health.manifests, 'manifest')}, "
        f"metadata {in_bytes(health.metadata_bytes)}"
    )
    if health.delete_files:
        text += f"; {counted(health.deleted_rows, 'row')} deleted by other engines"
    return text


def in_bytes(size: int) -> str:
    """In the largest unit of which there is one at least."""
    unit, factor = next(((u, f) for u, f in _UNITS if size >= f), ("bytes", 1))
    return f"{size:,} bytes" if factor == 1 else f"{size / factor:,.1f} {unit}"


def as_json(report: MaintenanceReport) -> dict[str, Any]:
    """The report for programs."""
    return {
        "ingestion": report.ingestion.name,
        "is_plan": report.is_plan,
        "tables": [_table_json(table, is_plan=report.is_plan) for table in report.tables],
    }


def _table_json(table: TableReport, *, is_plan: bool) -> dict[str, Any]:
    return {
        "table": table.identifier,
        "health": None if table.health is None else asdict(table.health),
        **{chore.value: _result_json(result) for chore, result in table.results.items()},
        "said": {c.value: said(r, is_plan=is_plan) for c, r in table.results.items()},
        "refused": dict(table.refused),
        "failed": dict(table.failed),
    }


def _result_json(result: Result) -> Any:
    match result:
        case Compacted() | ManifestRewrite():
            return asdict(result)
        case Expiry():
            return {
                "snapshots": [one.snapshot_id for one in result.snapshots],
                "data_files": len(result.files.data),
                "metadata_files": len(result.files.metadata),
                "bytes": result.files.size_bytes,
                "files": list(result.files.paths),
                "not_deleted": result.kept_files,
            }
        case Orphans():
            return {
                "files": [file.location for file in result.files],
                "bytes": result.size_bytes,
                "young": result.young,
                "not_deleted": result.kept_files,
            }
    return [
        {
            "partition": group.partition,
            "files": [task.file.file_path for task in group.tasks],
            "bytes": group.size_bytes,
            "rows": group.rows,
        }
        for group in result
    ]


def chores_of(text: str | None) -> tuple[Chore, ...]:
    """The chores that are named, parted by commas; all if none is.

    Raises:
        ValueError: there is no such chore.
    """
    if not text:
        return tuple(Chore)
    return tuple(Chore(name.strip()) for name in text.split(","))
