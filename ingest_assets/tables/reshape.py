"""A change of a table's schema and, where Iceberg needs it, of its data: one commit, or none."""

import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table, Transaction

from ingest_assets.decision_errors import ReshapeRefusedError
from ingest_assets.errors import (
    CatalogError,
    CommitConflictError,
    LeaseLostError,
    TableMissingError,
)
from ingest_assets.tables import commit as commits
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.layout import OWN_PROPERTIES, TableLayout
from ingest_assets.tables.lineage import BATCH_PROPERTY
from ingest_assets.tables.operations import Operation
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.racing import until_won
from ingest_assets.tables.reshaping import Reshaping, reshaping
from ingest_assets.tables.rewriting import rewrite
from ingest_assets.tables.sending import send
from ingest_assets.tables.target import Target, load_or_none, without_client_retries

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reshaped:
    """The snapshot that carries the id, and what was rewritten for it."""

    snapshot_id: int
    rewritten_files: int = 0
    rewritten_rows: int = 0


def reshape(
    catalog: Catalog,
    identifier: str,
    owner: Owner,
    operations: Sequence[Operation],
    batch_id: str,
    is_held: Callable[[], bool],
    steps: commits.Steps | None = None,
) -> Reshaped:
    """The operations are done in one snapshot that carries the id, or an error says they are not.

    Where no data has to be rewritten the snapshot is empty: recovery looks for it
    (`commit.fence`). Readers see the table as before until the commit, then as after; their scans
    of older snapshots go on with the schema of then.

    Raises:
        ReshapeRefusedError, ValuesDoNotConvertError: an operation cannot be made; unchanged.
        TableMissingError, TableOwnershipError: there is no such table, or it is another's.
        LeaseLostError: `is_held` said no; the table is unchanged.
        CommitConflictError: others were faster `racing.TRIES` times; unchanged.
        CommitUnknownError: the answer was lost; recovery decides.
        CatalogError: the services failed before the commit; unchanged.
    """
    hooks = steps or commits.Steps()

    def attempt() -> Reshaped:
        begun = _begin(catalog, identifier, owner, tuple(operations), batch_id)
        hooks.loaded()
        try:
            return begun.commit(is_held, hooks)
        except (CommitConflictError, LeaseLostError, CatalogError, ReshapeRefusedError):
            with contextlib.suppress(CatalogError):  # then they are orphans
                begun.writer.discard()
            raise

    return until_won(attempt, f"Change of schema {batch_id}")


@dataclass
class _Attempt:
    """One try, on the table as it was loaded."""

    table: Table
    target: Target
    transaction: Transaction
    reshaping: Reshaping
    writer: DataFileWriter
    batch_id: str

    def commit(self, is_held: Callable[[], bool], steps: commits.Steps) -> Reshaped:
        identifier = self.target.identifier
        tasks: list[FileScanTask] = []
        added: list[DataFile] = []
        rows = 0
        if self.reshaping.converts_rows:
            tasks = live_files(self.table)
            rows = rewrite(self.table, tasks, self.reshaping, self.writer)
            added = self.writer.finish()
        with reachable(identifier):
            snapshot_id = self._stage_snapshot(tasks, added)
        if not is_held():
            raise LeaseLostError(
                f"The lease of {self.batch_id} was lost before the schema of {identifier} was "
                "changed; nothing was written. Whoever took it over decides."
            )
        steps.lease_checked()
        send(self.transaction, self.target.catalog, identifier, self.batch_id)
        return Reshaped(snapshot_id, len(tasks), rows)

    def _stage_snapshot(self, tasks: list[FileScanTask], added: list[DataFile]) -> int:
        update = self.transaction.update_snapshot(
            snapshot_properties={BATCH_PROPERTY: self.batch_id}
        )
        producer = update.overwrite() if tasks else update.fast_append()
        for task in tasks:
            producer.delete_data_file(task.file)
        for data_file in added:
            producer.append_data_file(data_file)
        producer.commit()
        return producer.snapshot_id


def _begin(
    catalog: Catalog,
    identifier: str,
    owner: Owner,
    operations: tuple[Operation, ...],
    batch_id: str,
) -> _Attempt:
    table = _load_owned(catalog, identifier, owner)
    shape = reshaping(table, operations)
    transaction = without_client_retries(table).transaction()
    shape.stage(transaction)
    wanted = {**OWN_PROPERTIES, **owner.properties()}
    if wanted.items() - table.properties.items():
        transaction.set_properties(wanted)
    target = Target(catalog, identifier, TableLayout(), owner, table, _staged=transaction)
    name = f"{batch_id}-reshaped-{random.getrandbits(32):08x}"
    return _Attempt(table, target, transaction, shape, DataFileWriter(target, name), batch_id)


def _load_owned(catalog: Catalog, identifier: str, owner: Owner) -> Table:
    with reachable(identifier):
        table = load_or_none(catalog, identifier)
    if table is None:
        raise TableMissingError(
            f"There is no table {identifier} in the catalog, so its schema cannot be changed. "
            "Bring it back, or let its files make it anew."
        )
    owner.check(identifier, table)
    return table


def live_files(table: Table) -> list[FileScanTask]:
    """The data files that the table's current snapshot has.

    Raises:
        ReshapeRefusedError: rows of them are deleted in a way that cannot be read.
        CatalogError: the warehouse is out of reach.
    """
    name = ".".join(table.name())
    with reachable(name):
        try:
            return list(table.scan().plan_files())
        except ValueError as error:
            if "equality deletes" not in str(error):
                raise
            raise ReshapeRefusedError(
                f"{name} has equality deletes, which cannot be read here. Nothing was changed. "
                "Compact the table with the engine that made them.",
                "",
            ) from error
