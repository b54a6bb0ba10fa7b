"""How a table is: what a reader has to open, and what maintenance could do about it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from pyiceberg.manifest import ManifestContent
from pyiceberg.table import FileScanTask, Table

from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.compaction_plan import FileSizes, partition_text

WORST = 5


@dataclass(frozen=True)
class PartitionHealth:
    """One partition, in words, and its files; `small_files` are those below the target size."""

    partition: str
    files: int
    small_files: int
    size_bytes: int


@dataclass(frozen=True)
class TableHealth:
    """One table at its present snapshot. `metadata_bytes` is its metadata.json, read at each load.

    `rows` are those of the data files; `deleted_rows` of them are named by other engines' deletes.
    """

    files: int
    small_files: int
    size_bytes: int
    median_bytes: int
    rows: int
    delete_files: int
    deleted_rows: int
    partitions: int
    snapshots: int
    oldest_snapshot_at: datetime | None
    manifests: int
    metadata_bytes: int
    worst: tuple[PartitionHealth, ...] = ()


def table_health(table: Table, tasks: list[FileScanTask], sizes: FileSizes) -> TableHealth:
    """The health of the table as it was loaded; `tasks` are its data files.

    Raises:
        CatalogError: the warehouse is out of reach.
    """
    files = [task.file for task in tasks]
    deletes = {one.file_path: one for task in tasks for one in task.delete_files}
    with reachable(".".join(table.name())):
        snapshot = table.current_snapshot()
        manifests = [] if snapshot is None else snapshot.manifests(table.io)
        metadata_bytes = len(table.io.new_input(table.metadata_location))
    moments = [one.timestamp_ms for one in table.metadata.snapshots]
    parts = _partitions(table, tasks, sizes)
    return TableHealth(
        files=len(files),
        small_files=sum(sizes.is_small(file) for file in files),
        size_bytes=sum(file.file_size_in_bytes for file in files),
        median_bytes=round(median(file.file_size_in_bytes for file in files)) if files else 0,
        rows=sum(file.record_count for file in files),
        delete_files=len(deletes),
        deleted_rows=sum(one.record_count for one in deletes.values()),
        partitions=len(parts),
        snapshots=len(moments),
        oldest_snapshot_at=datetime.fromtimestamp(min(moments) / 1000, UTC) if moments else None,
        manifests=sum(one.content == ManifestContent.DATA for one in manifests),
        metadata_bytes=metadata_bytes,
        worst=tuple(sorted(parts, key=lambda one: -one.small_files)[:WORST]),
    )


def _partitions(table: Table, tasks: list[FileScanTask], sizes: FileSizes) -> list[PartitionHealth]:
    grouped = defaultdict(list)
    for task in tasks:
        grouped[partition_text(table, task.file)].append(task.file)
    return [
        PartitionHealth(
            partition,
            len(files),
            sum(sizes.is_small(file) for file in files),
            sum(file.file_size_in_bytes for file in files),
        )
        for partition, files in grouped.items()
    ]
