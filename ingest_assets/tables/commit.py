"""The commit: one Iceberg snapshot for a whole batch, against exactly the snapshot that was loaded.

Each try loads the table, makes ready, checks that the lease is still held, and only then commits. A
commit that lost the race is tried again from the load on; PyIceberg's own retries, which would skip
the lease, are off (`commit.retry.num-retries=0`).
"""

import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction

from ingest_assets.errors import (
    CatalogError,
    CommitConflictError,
    LeaseLostError,
    TableChangedError,
)
from ingest_assets.tables.catalog_errors import committing, reachable
from ingest_assets.tables.deleted_keys import stage_deletions
from ingest_assets.tables.exchange import Exchange, Workplace
from ingest_assets.tables.lineage import BATCH_PROPERTY, FENCE_PROPERTY
from ingest_assets.tables.main_branch import ancestor_with
from ingest_assets.tables.racing import until_won
from ingest_assets.tables.replacement import Replacement, replace_rows
from ingest_assets.tables.sending import keeping_manifests, send
from ingest_assets.tables.target import Target, without_client_retries


@dataclass(frozen=True)
class Prepared:
    """What a batch wants to commit to one table.

    `ids` of `id_column` are the rows that leave in the same snapshot: every earlier row of the
    files or contents that come, new ones too. All rows leave if there is no `id_column`. A `mode`
    says what leaves besides, and which of the batch's own rows come.
    """

    batch_id: str
    target: Target
    data_files: Sequence[DataFile]
    id_column: str | None
    ids: Sequence[Any]
    mode: "Mode | None" = None


class Mode(Protocol):
    """A write mode but `append`."""

    def exchange(
        self,
        table: Table | None,
        staged: Sequence[DataFile],
        workplace: Workplace,
        leaving: tuple[str | None, Sequence[Any]],
    ) -> Exchange:
        """What leaves the table as it was loaded, and what comes; nothing is committed.

        `table` is None while there is none, `staged` are the batch's data files. `leaving` are a
        column and the ids of the rows that leave in any case.

        Raises:
            CatalogError: the warehouse is out of reach.
        """
        ...


@dataclass(frozen=True)
class Committed:
    """The snapshot that holds the batch, None when there was nothing to commit; and its cost."""

    snapshot_id: int | None
    removed_rows: int = 0
    rewritten_rows: int = 0
    rewritten_files: int = 0


@dataclass
class Steps:
    """Called as a commit goes on: what the tests of a killed worker hook into."""

    loaded: Callable[[], None] = field(default=lambda: None)
    lease_checked: Callable[[], None] = field(default=lambda: None)


def commit(
    prepared: Prepared, is_held: Callable[[], bool], steps: Steps | None = None
) -> Committed:
    """The batch is in the table in one snapshot that carries its id, or an error says it is not.

    Raises:
        LeaseLostError: `is_held` said no; the table is unchanged.
        CommitConflictError: others were faster `racing.TRIES` times; unchanged.
        TableChangedError: the table came, went, or has another schema or spec; unchanged.
        TableOwnershipError: somebody else took the table over meanwhile; unchanged.
        CommitUnknownError: the answer was lost; recovery decides.
        CatalogError: the services failed before the commit; unchanged.
    """
    hooks = steps or Steps()

    def attempt() -> Committed:
        transaction, table = prepared.target.begin_commit()
        hooks.loaded()
        name = f"{prepared.batch_id}-rewritten-{random.getrandbits(32):08x}"
        workplace = Workplace(prepared.target, name)
        try:
            return _try(prepared, transaction, table, workplace, is_held, hooks)
        except (CommitConflictError, LeaseLostError, CatalogError) as error:
            workplace.discard()
            if isinstance(error, CommitConflictError) and table is None:
                raise TableChangedError(str(error)) from error
            raise

    return until_won(attempt, f"Commit of batch {prepared.batch_id}")


def _try(
    prepared: Prepared,
    transaction: Transaction,
    table: Table | None,
    workplace: Workplace,
    is_held: Callable[[], bool],
    steps: Steps,
) -> Committed:
    target, batch_id = prepared.target, prepared.batch_id
    exchange = _exchange(prepared, table, workplace)
    with reachable(target.identifier):
        snapshot_id = _stage_snapshot(transaction, batch_id, exchange)
        stage_deletions(transaction, exchange, batch_id)
    if snapshot_id is None and not target.has_schema_changes:
        return Committed(None)
    if not is_held():
        raise LeaseLostError(
            f"The lease of batch {batch_id} was lost before its commit to {target.identifier}; "
            "nothing was written. Whoever took the batch over decides about its files."
        )
    steps.lease_checked()
    send(transaction, target.catalog, target.identifier, batch_id)
    with contextlib.suppress(CatalogError):  # then they are orphans
        target.delete(exchange.dropped)
    return Committed(
        snapshot_id,
        removed_rows=exchange.removed_rows,
        rewritten_rows=exchange.rewritten_rows,
        rewritten_files=exchange.rewritten_files,
    )


def _exchange(prepared: Prepared, table: Table | None, workplace: Workplace) -> Exchange:
    leaving = (prepared.id_column, prepared.ids)
    if prepared.mode is not None:
        with reachable(prepared.target.identifier):
            return prepared.mode.exchange(table, prepared.data_files, workplace, leaving)
    replaced = Replacement()
    if table is not None:
        replaced = replace_rows(table, *leaving, workplace.writer())
    return Exchange.of(prepared.data_files, replaced)


def _stage_snapshot(transaction: Transaction, batch_id: str, exchange: Exchange) -> int | None:
    """The id of the one snapshot of `main` that makes the exchange; None for none."""
    added = [*exchange.staged, *exchange.added]
    if not (added or exchange.removed or exchange.always):
        return None
    update = transaction.update_snapshot(snapshot_properties={BATCH_PROPERTY: batch_id})
    producer = update.overwrite() if exchange.removed else update.merge_append()
    for data_file in exchange.removed:
        producer.delete_data_file(data_file)
    for data_file in added:
        producer.append_data_file(data_file)
    producer.commit()
    return producer.snapshot_id


def fence(catalog: Catalog, identifier: str, batch_id: str) -> int | None:
    """No commit on an older snapshot can succeed any more; the batch's snapshot if it is there.

    Commits an empty snapshot `ingest.fence=<id>`, so that a worker that sleeps right before its
    commit finds its base gone. A batch that came in meanwhile makes this commit fail, and is found
    by the next try. A table that does not exist cannot be fenced: a worker that would create it is
    stopped by its lease alone, and recovery looks for its batch later (`batches_of`).

    Raises:
        CatalogError: the catalog is out of reach.
        CommitUnknownError: the answer was lost; call again.
    """

    def attempt() -> int | None:
        with reachable(identifier):
            try:
                table = without_client_retries(catalog.load_table(identifier))
            except NoSuchTableError:
                return None
            found = ancestor_with(table, BATCH_PROPERTY, batch_id)
            if found is not None:
                return found
            transaction = table.transaction()
            transaction.update_snapshot(
                snapshot_properties={FENCE_PROPERTY: batch_id}
            ).fast_append().commit()
        with committing(identifier, batch_id):
            keeping_manifests(transaction).commit_transaction()
        return None

    return until_won(attempt, f"Fence of batch {batch_id}")
