"""Files in a table's folders that nothing names: what killed workers and lost commits left there.

A file is one only if it is old, because whoever writes a table writes its files first and names
them afterwards. The table is loaded after the listing: what was named meanwhile is known.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table, TableProperties

from ingest_assets.maintenance_errors import MaintenanceRefusedError
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.expiry import check_may_delete, delete_files
from ingest_assets.tables.kept_table import Reached, kept_table
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.reached_files import named_files
from ingest_assets.tables.warehouse_listing import ListedFile, list_files, place

YOUNGEST = timedelta(days=1)
"""A younger file is no orphan, whatever is asked for: a batch may take some hours."""
_HADOOP_HINT = "version-hint.text"


@dataclass(frozen=True)
class Orphans:
    """The files, and how many others there are that nothing names and that are not old enough.

    `kept_files`: so many could not be deleted.
    """

    files: tuple[ListedFile, ...] = ()
    young: int = 0
    kept_files: int = 0

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return sum(file.size_bytes for file in self.files)


def find_orphans(
    catalog: Catalog,
    identifier: str,
    owner: Owner,
    age: timedelta,
    now: datetime,
    open_batches: Callable[[], Collection[str]],
) -> Orphans:
    """The files under the table's location, older than `age`, that none of its snapshots names.

    Never one whose name holds the id of an open batch. Other tables' files are not looked at.

    Raises:
        TableMissingError, TableOwnershipError, MaintenanceRefusedError: as `kept_table`; or the
            age is too low, or another table lies in this one's folder, or the listing misses a
            file that the table names: then it does not show what is there.
        CatalogError: the services are out of reach.
    """
    if age < YOUNGEST:
        raise MaintenanceRefusedError(
            f"Orphans of {identifier} younger than {age} may be files of a commit that is under "
            f"way; nothing was deleted. Wait for {YOUNGEST} at least."
        )
    before = kept_table(catalog, identifier, owner)
    check_may_delete(before)
    with reachable(identifier):
        listed = {place(file.location): file for file in _listed(before)}
        in_work = frozenset(open_batches())
        after = kept_table(catalog, identifier, owner)
        named = {place(name) for table in (before, after) for name in named_files(table)}
        _check_listing(before, after, listed)
        _check_no_other_table(after, [where for where in listed if where not in named])
    strays = [
        file
        for where, file in listed.items()
        if where not in named
        and not where.endswith(f"/{_HADOOP_HINT}")
        and not any(batch_id in where for batch_id in in_work)
    ]
    old = sorted(
        (file for file in strays if file.modified_at < now - age), key=lambda file: file.location
    )
    return Orphans(tuple(old), young=len(strays) - len(old))


def delete_orphans(
    catalog: Catalog, identifier: str, owner: Owner, found: Orphans, reached: Reached
) -> Orphans:
    """The orphans are gone, but those that could not be deleted.

    Raises:
        TableMissingError, TableOwnershipError, MaintenanceRefusedError, CatalogError: as
            `kept_table`; nothing was deleted.
    """
    table = kept_table(catalog, identifier, owner)
    kept = delete_files(table.io, (file.location for file in found.files), reached)
    return Orphans(found.files, found.young, kept)


def _listed(table: Table) -> list[ListedFile]:
    return [file for location in _locations(table) for file in list_files(table.io, location)]


def _locations(table: Table) -> list[str]:
    """The folders that are the table's own; those that its properties name only inside of its own.

    A folder of data files elsewhere may be another table's too.
    """
    own = table.metadata.location.rstrip("/")
    named = (
        table.properties.get(TableProperties.WRITE_DATA_PATH),
        table.properties.get(TableProperties.WRITE_METADATA_PATH),
    )
    outside = [one for one in named if one and not place(one).startswith(place(own) + "/")]
    if outside:
        raise MaintenanceRefusedError(
            f"{'.'.join(table.name())} has files outside of its location, in {outside[0]}, which "
            "may be another table's too. Its orphans are not looked for; nothing was deleted."
        )
    return [own]


def _check_listing(before: Table, after: Table, listed: Collection[str]) -> None:
    """What both loadings name was there while the listing went on, so it has to show it."""
    inside = place(before.metadata.location) + "/"
    known = {place(name) for name in _live_files(before)} & {
        place(name) for name in _live_files(after)
    }
    missing = sorted(name for name in known if name.startswith(inside) and name not in listed)
    if missing:
        raise MaintenanceRefusedError(
            f"The listing of {before.metadata.location} lacks {len(missing)} files that "
            f"{'.'.join(before.name())} names, {missing[0]} for one. Either they are lost or the "
            "listing cannot be trusted, so nothing was deleted. See whether the table can be read."
        )


def _live_files(table: Table) -> list[str]:
    snapshot = table.current_snapshot()
    found = [table.metadata_location]
    if snapshot is None:
        return found
    found.append(snapshot.manifest_list)
    for manifest in snapshot.manifests(table.io):
        found.append(manifest.manifest_path)
        found += [e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io)]
    return found


def _check_no_other_table(table: Table, strays: Collection[str]) -> None:
    """No other table lies inside of this one's folder, whichever catalog knows it."""
    own = place(table.metadata.location)
    folders = {place(path).rpartition("/")[0] for path in named_files(table) if _is_root(path)}
    for where in strays:
        folder = where.rpartition("/")[0]
        if _is_root(where) and folder not in folders:
            raise MaintenanceRefusedError(
                f"{where} is of another table, inside of the folder of {'.'.join(table.name())} "
                f"({own}), so orphans cannot be told from its files. Nothing was deleted."
            )


def _is_root(path: str) -> bool:
    return path.endswith(".metadata.json")
