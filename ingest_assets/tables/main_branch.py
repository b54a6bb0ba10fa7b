"""Which batches a table's `main` holds, by the ids in its snapshots' summaries."""

from collections.abc import Iterator
from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.lineage import BATCH_PROPERTY


@dataclass(frozen=True)
class TableBatches:
    """The ids of the batches in `main`, and of those that a rollback took out of it."""

    in_main: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()


def batches_of(catalog: Catalog, identifier: str) -> TableBatches:
    """The batches that the table knows; none for a table that is not there.

    Raises:
        CatalogError: the catalog is out of reach.
    """
    with reachable(identifier):
        try:
            table = catalog.load_table(identifier)
        except NoSuchTableError:
            return TableBatches()
        kept = {snapshot.snapshot_id for snapshot in _ancestors(table)}
        found = [
            (batch_id, snapshot.snapshot_id in kept)
            for snapshot in table.snapshots()
            if (batch_id := _property(snapshot, BATCH_PROPERTY)) is not None
        ]
    return TableBatches(
        tuple(batch_id for batch_id, is_kept in found if is_kept),
        tuple(batch_id for batch_id, is_kept in found if not is_kept),
    )


def _ancestors(table: Table) -> Iterator[Snapshot]:
    return iter(ancestors_of(table.current_snapshot(), table.metadata))


def _property(snapshot: Snapshot, name: str) -> str | None:
    summary = snapshot.summary
    return None if summary is None else summary.additional_properties.get(name)


def ancestor_with(table: Table, name: str, value: str) -> int | None:
    """The ancestor of `main` whose summary has this value; None for none.

    Not any snapshot: a rollback leaves abandoned ones behind.
    """
    for snapshot in _ancestors(table):
        if _property(snapshot, name) == value:
            return snapshot.snapshot_id
    return None
