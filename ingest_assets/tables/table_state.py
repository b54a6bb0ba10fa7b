"""What a table says of itself at one moment: whose it is, which batches it has, how far it goes."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from ingest_assets.errors import TableOwnershipError
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.main_branch import TableBatches, table_batches
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.row_counts import RowCounts, row_counts
from ingest_assets.tables.target import load_or_none


@dataclass(frozen=True)
class TableState:
    """One table as it was loaded.

    `in_main` are the snapshots that lead to its present one. `is_whole`: they go back to the first
    that the table ever had, so that none of them was expired. `other_owner` says whose it is if it
    is another declaration's or deployment's.
    """

    identifier: str
    batches: TableBatches
    in_main: frozenset[int]
    is_whole: bool
    other_owner: str | None
    _table: Table

    def row_counts(self, spool: Path) -> AbstractContextManager[RowCounts]:
        """The rows of each content; raises as `tables.row_counts`."""
        return row_counts(self._table, spool)


def table_state(catalog: Catalog, identifier: str, owner: Owner) -> TableState | None:
    """The table as it is now; None when there is none.

    Raises:
        CatalogError: the catalog is out of reach.
    """
    with reachable(identifier):
        table = load_or_none(catalog, identifier)
    if table is None:
        return None
    ancestors = list(ancestors_of(table.current_snapshot(), table.metadata))
    return TableState(
        identifier,
        table_batches(table),
        frozenset(snapshot.snapshot_id for snapshot in ancestors),
        is_whole=not ancestors or _is_first(ancestors[-1]),
        other_owner=_other_owner(owner, identifier, table),
        _table=table,
    )


def _is_first(snapshot: Snapshot) -> bool:
    """PyIceberg takes the parent's id out of a snapshot whose parent it expires."""
    return snapshot.parent_snapshot_id is None and (snapshot.sequence_number or 0) <= 1


def _other_owner(owner: Owner, identifier: str, table: Table) -> str | None:
    try:
        owner.check(identifier, table)
    except TableOwnershipError as error:
        return str(error)
    return None
