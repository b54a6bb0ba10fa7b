"""Many small manifests of a table become few, in a snapshot that changes nothing else."""

import uuid
from collections import defaultdict
from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.manifest import ManifestContent, ManifestFile
from pyiceberg.table import Table

from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.kept_table import kept_table
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.racing import until_won
from ingest_assets.tables.sending import send
from ingest_assets.tables.swap import ID_PROPERTY, MANIFEST_BYTES, ReplacedFiles
from ingest_assets.tables.target import without_client_retries

MANY = 10
"""So many more manifests than their bytes ask for are worth a commit: each is opened by a scan."""


@dataclass(frozen=True)
class ManifestRewrite:
    """How many manifests of data files there are, their bytes, and how many there could be.

    `is_worth_it`: so many more than needed that they are written anew.
    """

    manifests: int = 0
    size_bytes: int = 0
    needed: int = 0

    @property
    def is_worth_it(self) -> bool:
        """There are `MANY` more than need be."""
        return self.manifests - self.needed >= MANY


def plan_manifests(table: Table) -> ManifestRewrite:
    """What `rewrite_manifests` would do with the table as it was loaded.

    Raises:
        CatalogError: the warehouse is out of reach.
    """
    snapshot = table.current_snapshot()
    if snapshot is None:
        return ManifestRewrite()
    with reachable(".".join(table.name())):
        found = [m for m in snapshot.manifests(table.io) if m.content == ManifestContent.DATA]
    by_spec: dict[int, list[ManifestFile]] = defaultdict(list)
    for manifest in found:
        by_spec[manifest.partition_spec_id].append(manifest)
    needed = sum(
        -(-sum(one.manifest_length for one in part) // MANIFEST_BYTES) for part in by_spec.values()
    )
    return ManifestRewrite(len(found), sum(one.manifest_length for one in found), needed)


def rewrite_manifests(catalog: Catalog, identifier: str, owner: Owner) -> ManifestRewrite:
    """The manifests are few, if it was worth it; the rows and data files are the same.

    Raises:
        TableMissingError, TableOwnershipError, MaintenanceRefusedError: as `kept_table`.
        CommitConflictError: others were faster `racing.TRIES` times; unchanged.
        CommitUnknownError: the answer was lost; the table is well in either case.
        CatalogError: the services failed before the commit; unchanged.
    """

    def attempt() -> ManifestRewrite:
        table = without_client_retries(kept_table(catalog, identifier, owner))
        plan = plan_manifests(table)
        if not plan.is_worth_it:
            return plan
        token = uuid.uuid4().hex
        with reachable(identifier):
            transaction = table.transaction()
            update = ReplacedFiles.of(transaction, token, "rewrite-manifests")
            update.merges = True
            update.commit()
        send(transaction, catalog, identifier, token, ID_PROPERTY)
        return plan

    return until_won(attempt, f"The rewriting of manifests of {identifier}")
