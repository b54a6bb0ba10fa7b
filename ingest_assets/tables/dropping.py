"""Tables of an ingestion that is deleted: what there is of them, and that they are gone."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.rejected import SUFFIX
from ingest_assets.tables.target import load_or_none


@dataclass(frozen=True)
class OwnTable:
    """A table that says itself that it is the ingestion's.

    `metadata_location` is what `register_table` of a catalog brings it back from.
    """

    identifier: str
    rows: int
    metadata_location: str


def own_tables(catalog: Catalog, identifiers: Iterable[str], owner: Owner) -> list[OwnTable]:
    """Those of the tables that are there and the owner's, each with that of its rejected rows.

    One that nobody owns yet is not among them, whatever is declared.

    Raises:
        CatalogError: the catalog is out of reach.
    """
    found = []
    for identifier in identifiers:
        for name in (identifier, identifier + SUFFIX):
            with reachable(name):
                table = load_or_none(catalog, name)
            if table is not None and owner.properties().items() <= table.properties.items():
                found.append(OwnTable(name, _rows(table), table.metadata_location))
    return found


def drop(catalog: Catalog, table: OwnTable, *, purge: bool) -> None:
    """The catalog has the table no more; with `purge` its data files and metadata are deleted too.

    Again after a crash: a table that is gone already stays gone.

    Raises:
        CatalogError: the catalog or the warehouse is out of reach; call again.
    """
    with reachable(table.identifier):
        try:
            if purge:
                catalog.purge_table(table.identifier)
            else:
                catalog.drop_table(table.identifier)
        except NoSuchTableError:
            return


def _rows(table: Table) -> int:
    snapshot = table.current_snapshot()
    if snapshot is None or snapshot.summary is None:
        return 0
    return int(snapshot.summary.additional_properties.get("total-records", 0))
