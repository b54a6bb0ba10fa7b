"""The table of an ingestion as one batch sees it, and as the batch is going to change it."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io import FileIO
from pyiceberg.partitioning import PartitionKey
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import TableRequirement, TableUpdate

from ingest_assets.errors import TableChangedError, TableMissingError
from ingest_assets.schema.column import Columns
from ingest_assets.tables import evolution
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.iceberg_types import columns_of
from ingest_assets.tables.layout import (
    TableLayout,
    check_spec,
    partition_spec,
    sort_order,
)
from ingest_assets.tables.lineage import LINEAGE, LINEAGE_NAMES
from ingest_assets.tables.owner import Owner


@dataclass(frozen=True)
class Mark:
    """What a target had staged at one moment."""

    held: tuple[Transaction, tuple[TableUpdate, ...], tuple[TableRequirement, ...]] | None
    step_count: int


@dataclass
class Target:
    """One table during one batch.

    `base` is the table as it was loaded, None when there is none yet. `evolve` stages schema
    changes without telling the catalog; `begin_commit` makes the same changes on the table as it is
    then.
    """

    catalog: Catalog
    identifier: str
    layout: TableLayout
    owner: Owner
    base: Table | None
    lineage: Columns = LINEAGE
    _steps: list[Columns] = field(default_factory=list)
    _staged: Transaction | None = None
    _staged_metadata: TableMetadata | None = None

    @property
    def columns(self) -> Columns | None:
        """The table's own columns as staged; None while there is no table."""
        if self._staged is None and self.base is None:
            return None
        return columns_of(self.metadata.schema(), LINEAGE_NAMES)

    @property
    def has_schema_changes(self) -> bool:
        """Schema changes are staged, or a whole new table."""
        return bool(self._steps) if self.base is not None else self._staged is not None

    @property
    def metadata(self) -> TableMetadata:
        """The metadata that data files are written for: staged changes included."""
        if self._staged is None:
            return self.as_written.metadata
        if self._staged_metadata is None:  # asked for each file, and computed at each asking
            self._staged_metadata = self._staged.table_metadata
        return self._staged_metadata

    @property
    def io(self) -> FileIO:
        """Where data files go."""
        return self.as_written.io

    @property
    def as_written(self) -> Table:
        """What the batch's own data files are read through, also while there is no table."""
        table = self.base if self._staged is None else self._staged._table
        assert table is not None, "a table that does not exist yet has columns first"
        return table

    def data_location(self, name: str, partition_key: PartitionKey | None) -> str:
        """The address of a new data file."""
        return self.as_written.location_provider().new_data_location(name, partition_key)

    def evolve(self, columns: Columns) -> bool:
        """Staged: the table holds `columns` and the lineage columns; field ids are settled.

        True when that changes the table's schema.

        Raises:
            TableLayoutError: a new table, and a column of its layout is not among `columns`.
            UnsupportedTypeError: a column is there with a type that Iceberg cannot promote.
            ColumnNameError: a column is there in other letters' case.
            CatalogError: the catalog is out of reach.
        """
        if self._staged is None:
            with reachable(self.identifier):
                if self.base is None:
                    self._staged = self._create(columns)
                    return True
                self._staged = self.base.transaction()
        self._staged_metadata = None
        if not evolution.stage(self._staged, (*columns, *self.lineage)):
            return False
        self._steps.append(columns)
        return True

    def mark(self) -> "Mark":
        """What is staged now, for `restore`."""
        # Private: the updates are all that a transaction holds of a schema change (PyIceberg
        # 0.12.0), and it cannot be copied or rolled back. To drop: when it can.
        staged = self._staged
        held = None if staged is None else (staged, staged._updates, staged._requirements)
        return Mark(held, len(self._steps))

    def restore(self, mark: "Mark") -> None:
        """Staged is again what was staged at `mark`."""
        self._staged, self._staged_metadata = None, None
        if mark.held is not None:
            self._staged, updates, requirements = mark.held
            self._staged._updates, self._staged._requirements = updates, requirements
        del self._steps[mark.step_count :]

    def _create(self, columns: Columns) -> Transaction:
        schema = evolution.new_schema((*columns, *self.lineage))
        spec, order = partition_spec(self.layout, schema), sort_order(self.layout, schema)
        self._ensure_namespace()
        return self.catalog.create_table_transaction(
            self.identifier,
            schema,
            partition_spec=spec,
            sort_order=order,
            properties={**self.layout.all_properties(), **self.owner.properties()},
        )

    def _ensure_namespace(self) -> None:
        namespace = self.catalog.namespace_from(self.identifier)
        try:
            self.catalog.create_namespace_if_not_exists(namespace)
        except Exception:
            # Another process was faster, which each catalog says by an error of its own.
            if not self.catalog.namespace_exists(namespace):
                raise

    def begin_commit(self) -> tuple[Transaction, Table | None]:
        """A transaction with the staged schema on the table as it is now, and that table.

        Raises:
            TableChangedError: the table came or went, or its schema or partition spec was changed
                meanwhile; the data files do not fit it any more.
            TableOwnershipError: somebody else took the table over meanwhile.
            CatalogError: the catalog is out of reach.
        """
        with reachable(self.identifier):
            now = load_or_none(self.catalog, self.identifier)
        if (now is None) != (self.base is None):
            raise TableChangedError(
                f"{self.identifier} {'was dropped' if now is None else 'was created'} while the "
                "batch was read; nothing was written. The files are read again."
            )
        if now is None:
            assert self._staged is not None
            return self._staged, None
        self.owner.check(self.identifier, now)
        transaction = without_client_retries(now).transaction()
        for columns in self._steps:
            evolution.stage(transaction, (*columns, *self.lineage))
        written_for, found = self.metadata, transaction.table_metadata
        if (written_for.schema(), written_for.spec()) != (found.schema(), found.spec()):
            raise TableChangedError(
                f"The schema or partition spec of {self.identifier} was changed by another writer "
                "while the batch was read; nothing was written. The files are read again."
            )
        wanted = {**self.layout.all_properties(), **self.owner.properties()}
        if wanted.items() - now.properties.items():
            transaction.set_properties(wanted)
        return transaction, now

    def delete(self, paths: Iterable[str]) -> None:
        """Data files that no snapshot names, nor ever will, are deleted.

        Raises:
            CatalogError: the warehouse is out of reach; the rest of them is left there.
        """
        with reachable(self.identifier):
            for path in paths:
                with contextlib.suppress(FileNotFoundError):  # never begun, or deleted before
                    self.io.delete(path)


def open_target(
    catalog: Catalog,
    identifier: str,
    layout: TableLayout,
    owner: Owner,
    *,
    must_exist: bool,
    keeps_spec: bool = False,
) -> Target:
    """The table, if the declaration may write to it.

    One that nobody owns yet is adopted by the first commit; one that `keeps_spec` has any layout.

    Raises:
        TableMissingError: `must_exist`, and it does not.
        TableOwnershipError: it is another declaration's, or partitioned otherwise than declared.
        CatalogError: the catalog is out of reach.
    """
    with reachable(identifier):
        table = load_or_none(catalog, identifier)
    if table is None:
        if must_exist:
            raise TableMissingError(
                f"The table {identifier} is not in the catalog any more, although files were "
                "committed to it. Nothing was read or written. Bring it back in the catalog; or, "
                "to build it again from its files, materialize their partitions in Dagster."
            )
        return Target(catalog, identifier, layout, owner, None)
    owner.check(identifier, table)
    if not keeps_spec:
        check_spec(identifier, layout, table.spec(), table.schema())
    return Target(catalog, identifier, layout, owner, table)


def load_or_none(catalog: Catalog, identifier: str) -> Table | None:
    """The table as it is now; None when there is none."""
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError:
        return None


def without_client_retries(table: Table) -> Table:
    """The table, whose commits now fail when another writer came first, whatever it says.

    PyIceberg's own retries put a commit on the newer snapshot without a look at the lease. An
    adopted table has them on, until our first commit sets its properties.
    """
    properties = {**table.properties, "commit.retry.num-retries": "0"}
    table.metadata = table.metadata.model_copy(update={"properties": properties})
    return table
