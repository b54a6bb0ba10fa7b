"""Which batches a table's `main` holds, by the ids in its snapshots' summaries."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.lineage import BATCH_PROPERTY
from ingest_assets.tables.replacement import is_in

CONTENT_ID = "_content_id"


@dataclass(frozen=True)
class TableBatches:
    """The ids of the batches in `main`, and of those that a rollback took out of it.

    Batches whose snapshots have expired, or may have been in `main` before others that have, are in
    neither. `table_uuid` and `position` say where the table's known history begins: the sequence
    number of the oldest snapshot that a walk back from the present one comes to. None for a table
    without one.
    """

    in_main: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    table_uuid: str | None = field(default=None, compare=False)
    position: int | None = field(default=None, compare=False)


def batches_of(catalog: Catalog, identifier: str) -> TableBatches:
    """The batches that the table knows; none for a table that is not there.

    Raises:
        CatalogError: the catalog is out of reach.
    """
    with reachable(identifier):
        try:
            return table_batches(catalog.load_table(identifier))
        except NoSuchTableError:
            return TableBatches()


def table_batches(table: Table) -> TableBatches:
    """The batches that the table, as it was loaded, knows.

    The walk back from the present snapshot ends at the first expired one. What a tag or a branch
    retains of before may be an ancestor still, so it is neither in `main` nor abandoned: nobody can
    tell. An ancestor has a lower sequence number always, so the later ones are certain.
    """
    ancestors = list(_ancestors(table))
    kept = {snapshot.snapshot_id for snapshot in ancestors}
    first = _sequence_number(ancestors[-1]) if ancestors else 0
    in_main, abandoned = [], []
    for snapshot in table.snapshots():
        batch_id = batch_of(snapshot)
        if batch_id is None:
            continue
        if snapshot.snapshot_id in kept:
            in_main.append(batch_id)
        elif _sequence_number(snapshot) >= first:
            abandoned.append(batch_id)
    if not ancestors:
        return TableBatches(tuple(in_main), tuple(abandoned))
    return TableBatches(tuple(in_main), tuple(abandoned), str(table.metadata.table_uuid), first)


def batch_of(snapshot: Snapshot) -> str | None:
    """The batch that the snapshot committed."""
    return _property(snapshot, BATCH_PROPERTY)


def _sequence_number(snapshot: Snapshot) -> int:
    return snapshot.sequence_number or 0


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


def contents_in_main(
    catalog: Catalog, identifier: str, content_ids: Collection[int]
) -> frozenset[int]:
    """Those of the contents that have a row in `main`; none for a table that is not there.

    What a batch commits comes at once, so one row of a content proves that its batch is in `main`,
    also when its snapshot has expired. Reads one column of the data files that may hold them.

    Raises:
        CatalogError: the catalog or the warehouse is out of reach.
    """
    with reachable(identifier):
        try:
            table = catalog.load_table(identifier)
        except NoSuchTableError:
            return frozenset()
        if CONTENT_ID not in table.schema().column_names:
            return frozenset()
        scan = table.scan(row_filter=is_in(CONTENT_ID, content_ids), selected_fields=(CONTENT_ID,))
        found = set[int]()
        for batch in scan.to_arrow_batch_reader():
            found.update(batch.column(0).unique().to_pylist())
    return frozenset(found)
