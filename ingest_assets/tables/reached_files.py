"""Which files snapshots reach, by the manifests that they list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestEntryStatus, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot


@dataclass(frozen=True)
class LeftFiles:
    """Files that no snapshot reaches any more, with their sizes, in the order of their deletion.

    Data files first, then the manifests that name them, then the lists of these.
    """

    data: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, int] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.data, *self.metadata)

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return sum(self.data.values()) + sum(self.metadata.values())


def left_by(table: Table, gone: Iterable[Snapshot]) -> LeftFiles:
    """What these snapshots of the table reach and none of its others does.

    A file that a snapshot has removed belongs to it no more, though its manifest says so.
    """
    gone = list(gone)
    ids = {snapshot.snapshot_id for snapshot in gone}
    kept = [one for one in table.metadata.snapshots if one.snapshot_id not in ids]
    kept_manifests = _manifests(kept, table.io)
    manifests = {
        path: manifest
        for path, manifest in _manifests(gone, table.io).items()
        if path not in kept_manifests
    }
    data = {
        file.file_path: file.file_size_in_bytes
        for manifest in manifests.values()
        for file, _ in _entries(manifest, table.io)
    }
    if data:
        for manifest in kept_manifests.values():
            for file, is_live in _entries(manifest, table.io):
                if is_live:
                    data.pop(file.file_path, None)
    metadata = {path: manifest.manifest_length for path, manifest in manifests.items()}
    kept_lists = {one.manifest_list for one in kept}
    lists = {one.manifest_list for one in gone} - kept_lists
    for path in sorted(lists):
        metadata[path] = len(table.io.new_input(path))
    metadata |= _statistics(table.metadata, ids)
    return LeftFiles(data, metadata)


def _statistics(metadata: TableMetadata, ids: set[int]) -> dict[str, int]:
    files = [*metadata.statistics, *metadata.partition_statistics]
    kept = {file.statistics_path for file in files if file.snapshot_id not in ids}
    return {
        file.statistics_path: file.file_size_in_bytes
        for file in files
        if file.snapshot_id in ids and file.statistics_path not in kept
    }


def named_files(table: Table) -> Iterator[str]:
    """Every file that the table's metadata names, whatever for; some of them twice."""
    metadata = table.metadata
    yield table.metadata_location
    yield from (entry.metadata_file for entry in metadata.metadata_log)
    yield from (file.statistics_path for file in metadata.statistics)
    yield from (file.statistics_path for file in metadata.partition_statistics)
    yield from (snapshot.manifest_list for snapshot in metadata.snapshots)
    for path, manifest in _manifests(metadata.snapshots, table.io).items():
        yield path
        for file, _ in _entries(manifest, table.io):
            yield file.file_path


def _manifests(snapshots: Iterable[Snapshot], io: FileIO) -> dict[str, ManifestFile]:
    return {
        manifest.manifest_path: manifest
        for snapshot in snapshots
        for manifest in snapshot.manifests(io)
    }


def _entries(manifest: ManifestFile, io: FileIO) -> Iterator[tuple[DataFile, bool]]:
    """The data and delete files of a manifest, and whether each is live in it."""
    for entry in manifest.fetch_manifest_entry(io, discard_deleted=False):
        yield entry.data_file, entry.status != ManifestEntryStatus.DELETED
