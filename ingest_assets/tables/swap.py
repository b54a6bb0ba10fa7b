"""Data files exchanged for others with the same rows: a snapshot that changes no row.

Its operation is `replace` (https://iceberg.apache.org/spec/#snapshots), so readers of changes pass
it over. It carries `ingest.maintenance` and an id, and no batch's: to recovery it is one more
ancestor of `main`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile, ManifestContent, ManifestFile
from pyiceberg.table import FileScanTask, Table, Transaction
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles

from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.compaction_plan import live_tasks
from ingest_assets.tables.kept_table import kept_table
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.racing import until_won
from ingest_assets.tables.sending import send
from ingest_assets.tables.target import without_client_retries

MAINTENANCE_PROPERTY = "ingest.maintenance"
ID_PROPERTY = "ingest.maintenance-id"
MANIFEST_BYTES = 8 * 1024**2
"""What manifests are merged to: PyIceberg's and Iceberg's own default."""


@dataclass(frozen=True)
class Swap:
    """Data files of one partition, with the deletes that were applied to them, and their heirs."""

    removed: tuple[FileScanTask, ...]
    added: tuple[DataFile, ...]

    def is_live_in(self, live: Mapping[str, frozenset[str]]) -> bool:
        """All of the old files are there still, with the same rows deleted from each."""
        return all(live.get(one.file.file_path) == deletes_of(one) for one in self.removed)


def deletes_of(task: FileScanTask) -> frozenset[str]:
    """The delete files that name rows of the data file."""
    return frozenset(file.file_path for file in task.delete_files)


def swap_files(
    catalog: Catalog,
    identifier: str,
    owner: Owner,
    swaps: Sequence[Swap],
    token: str,
    before_commit: Callable[[], None] = lambda: None,
) -> list[Swap]:
    """One snapshot has the new files of all swaps whose old files are live; those are given.

    Against exactly the table as it was loaded: where another commit comes first, the table is
    loaded again and asked again. The files of the other swaps are not deleted here.

    Raises:
        MaintenanceRefusedError: the table is not as it was: dropped, another's, partitioned anew.
        CommitConflictError: others were faster `racing.TRIES` times; unchanged.
        CommitUnknownError: the answer was lost; none of the files may be deleted.
        CatalogError: the services failed before the commit; unchanged.
    """

    def attempt() -> list[Swap]:
        table = without_client_retries(kept_table(catalog, identifier, owner))
        fitting = [one for one in swaps if _fits(one.removed, table)]
        with reachable(identifier):
            live = {task.file.file_path: deletes_of(task) for task in live_tasks(table)}
            fitting = [one for one in fitting if one.is_live_in(live)]
            if not fitting:
                return []
            transaction = table.transaction()
            update = ReplacedFiles.of(transaction, token, "compact")
            for one in fitting:
                for task in one.removed:
                    update.delete_data_file(task.file)
                for data_file in one.added:
                    update.append_data_file(data_file)
            update.commit()
        before_commit()
        send(transaction, catalog, identifier, token, ID_PROPERTY)
        return fitting

    return until_won(attempt, f"The compaction of {identifier}")


def _fits(files: Sequence[FileScanTask], table: Table) -> bool:
    """The new files are of the partition spec with which PyIceberg would list them."""
    return all(one.file.spec_id == table.metadata.default_spec_id for one in files)


class ReplacedFiles(_OverwriteFiles):
    """PyIceberg's overwrite as a `replace`; 0.12.0 has none (its summaries refuse the word).

    To drop: when PyIceberg has a rewrite of its own.
    """

    merges = False

    @classmethod
    def of(cls, transaction: Transaction, token: str, what: str) -> "ReplacedFiles":
        """For the next snapshot of the transaction."""
        return cls(
            operation=Operation.OVERWRITE,
            transaction=transaction,
            io=transaction._table.io,
            snapshot_properties={MAINTENANCE_PROPERTY: what, ID_PROPERTY: token},
        )

    def _summary(self, snapshot_properties: Mapping[str, str] = {}) -> Summary:
        found = super()._summary(dict(snapshot_properties))
        return Summary(Operation.REPLACE, **found.additional_properties)

    def _existing_manifests(self) -> list[ManifestFile]:
        """Without those that only tell what earlier snapshots deleted."""
        return [
            manifest
            for manifest in super()._existing_manifests()
            if manifest.has_added_files() or manifest.has_existing_files()
        ]

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        if not self.merges:
            return manifests
        # The second number is for a new manifest, which there is none of.
        manager = _ManifestMergeManager(MANIFEST_BYTES, 2, True, self)
        data = [one for one in manifests if one.content == ManifestContent.DATA]
        others = [one for one in manifests if one.content != ManifestContent.DATA]
        return [*manager.merge_manifests(data), *others]
