"""A table that is maintained: it is there, it is ours, and we know all that its metadata means."""

from collections.abc import Callable

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from ingest_assets.errors import TableMissingError
from ingest_assets.maintenance_errors import MaintenanceRefusedError
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.lineage import INGESTION_PROPERTY
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import load_or_none

Reached = Callable[[str], None]
"""Told of each point that maintenance comes to, for tests that end the process there."""

FORMAT_VERSION = 2
"""Version 1 has no sequence numbers, by which a rollback is told from an expired snapshot; version
3 numbers rows, and a rewrite would have to keep their numbers."""


def kept_table(catalog: Catalog, identifier: str, owner: Owner) -> Table:
    """The table as it is now.

    Raises:
        TableMissingError: there is none.
        TableOwnershipError: it is another declaration's or deployment's.
        MaintenanceRefusedError: nobody's, or of another format version.
        CatalogError: the catalog is out of reach.
    """
    with reachable(identifier):
        table = load_or_none(catalog, identifier)
    if table is None:
        raise TableMissingError(f"There is no table {identifier} in the catalog to be maintained.")
    owner.check(identifier, table)
    if INGESTION_PROPERTY not in table.properties:
        raise MaintenanceRefusedError(
            f"No ingestion has written to {identifier} yet, so it is left as it is. It is "
            "maintained from its first commit on."
        )
    if table.metadata.format_version != FORMAT_VERSION:
        raise MaintenanceRefusedError(
            f"{identifier} has format version {table.metadata.format_version}; tables of version "
            f"{FORMAT_VERSION} alone are maintained. Nothing was changed. Maintain it with another "
            "engine, or upgrade a table of version 1."
        )
    return table
