"""Old snapshots leave a table's metadata, and then the files that only they reached are deleted.

In this order: a file is deleted only when no reader who loads the table can come to it. A process
that ends in between leaves files that nothing names, which `orphans` finds.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import PrivateAttr
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io import FileIO
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import AssertRefSnapshotId, RemoveSnapshotsUpdate

from ingest_assets.maintenance_errors import MaintenanceRefusedError
from ingest_assets.tables.catalog_errors import committing, reachable
from ingest_assets.tables.expiry_plan import (
    NeededBatches,
    Retention,
    expired,
    sequence_numbers,
)
from ingest_assets.tables.kept_table import Reached, kept_table
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.racing import until_won
from ingest_assets.tables.reached_files import LeftFiles, left_by
from ingest_assets.tables.target import without_client_retries

logger = logging.getLogger(__name__)

NoteExpired = Callable[[str, Mapping[str, int]], None]
"""Keeps, by the table's UUID, where in its history the batches stand whose snapshots will go."""


@dataclass(frozen=True)
class Expiry:
    """The snapshots that go or are gone, and the files that go with them.

    `kept_files`: so many could not be deleted.
    """

    snapshots: tuple[Snapshot, ...] = ()
    files: LeftFiles = field(default_factory=LeftFiles)
    kept_files: int = 0


def plan_expiry(table: Table, retention: Retention, now: datetime, needed: NeededBatches) -> Expiry:
    """What `expire` would do with the table as it was loaded.

    Raises:
        MaintenanceRefusedError: the table's properties say that nothing of it is to be deleted.
        CatalogError: the warehouse is out of reach.
    """
    check_may_delete(table)
    going = expired(table, retention, now, needed)
    if not going:
        return Expiry()
    with reachable(".".join(table.name())):
        return Expiry(going, left_by(table, going))


def check_may_delete(table: Table) -> None:
    """Somebody who shares the files with another table says so by `gc.enabled`."""
    if table.properties.get("gc.enabled", "true").lower() == "false":
        raise MaintenanceRefusedError(
            f"{'.'.join(table.name())} has the property gc.enabled=false, so no file of it is "
            "deleted. Its files may belong to another table too; if not, take the property away."
        )


def expire(
    catalog: Catalog,
    identifier: str,
    owner: Owner,
    retention: Retention,
    now: datetime,
    needed: NeededBatches,
    note: NoteExpired,
    reached: Reached = lambda _: None,
) -> Expiry:
    """The snapshots are gone, and the files that only they reached.

    Against exactly the table as it was loaded, its tags and branches too.

    Raises:
        TableMissingError, TableOwnershipError, MaintenanceRefusedError: as `kept_table`.
        CommitConflictError: others were faster `racing.TRIES` times; nothing is gone.
        CommitUnknownError: the snapshots may be gone; no file is.
        CatalogError: the services failed before the commit; nothing is gone.
    """

    def attempt() -> Expiry:
        table = without_client_retries(kept_table(catalog, identifier, owner))
        plan = plan_expiry(table, retention, now, needed)
        if not plan.snapshots:
            return plan
        note(str(table.metadata.table_uuid), sequence_numbers(table, plan.snapshots))
        reached("expiry noted")
        ids = [snapshot.snapshot_id for snapshot in plan.snapshots]
        transaction = table.transaction()
        transaction._stage(
            (RemoveSnapshotsUpdate.model_validate({"snapshot-ids": ids}),),
            (_AsItWas.of(table.metadata, ids),),
        )
        with committing(identifier, "of an expiry"):
            transaction.commit_transaction()
        reached("expiry committed")
        kept = delete_files(table.io, plan.files.paths, reached)
        return Expiry(plan.snapshots, plan.files, kept)

    return until_won(attempt, f"The expiry of {identifier}")


def delete_files(io: FileIO, paths: Iterable[str], reached: Reached = lambda _: None) -> int:
    """The files are gone, but so many that could not be deleted; one that is gone already is well.

    A failure holds up no other: what is left is an orphan.
    """
    left = 0
    for path in paths:
        try:
            io.delete(path)
        except FileNotFoundError:
            pass
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            left += 1
            logger.warning("%s could not be deleted and is an orphan now: %s", path, error)
        reached("file deleted")
    return left


class _AsItWas(AssertRefSnapshotId):
    """The assertion on `main` that every catalog knows; PyIceberg's own ones look at more.

    The base has the tags and branches that were loaded, and the snapshots that go: PyIceberg would
    drop a tag that somebody made of one meanwhile, and takes a snapshot that is gone for a fault.
    """

    _refs: dict[str, int] = PrivateAttr(default_factory=dict)
    _ids: set[int] = PrivateAttr(default_factory=set)

    @classmethod
    def of(cls, metadata: TableMetadata, ids: list[int]) -> "_AsItWas":
        """As `metadata` has it."""
        made = cls.model_validate({"ref": MAIN_BRANCH, "snapshot-id": metadata.current_snapshot_id})
        made._refs, made._ids = _refs(metadata), set(ids)
        return made

    def validate(self, base_metadata: TableMetadata | None) -> None:  # type: ignore[override]
        """Nothing, if it is so."""
        super().validate(base_metadata)
        assert base_metadata is not None
        there = {snapshot.snapshot_id for snapshot in base_metadata.snapshots}
        if _refs(base_metadata) != self._refs or not self._ids <= there:
            raise CommitFailedException("Requirement failed: tags, branches or snapshots changed")


def _refs(metadata: TableMetadata) -> dict[str, int]:
    return {name: ref.snapshot_id for name, ref in metadata.refs.items()}
