"""Recovery: batches whose worker is gone are finished or given back, whichever the table says.

Runs at the start of every tick and run. The table is asked, never the ledger: the batch's id among
the ancestors of `main` means committed; if it is not there, a fence is committed, so that a worker
that only sleeps can never commit afterwards, and the table is asked once more.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ingest_assets.deployment import Deployment
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import (
    batches,
    expired_batches,
    kept_contents,
    leases,
    outcomes,
    registry,
    rollbacks,
)
from ingest_assets.ledger.leases import Holder
from ingest_assets.tables.commit import fence
from ingest_assets.tables.main_branch import TableBatches, batches_of
from ingest_assets.tables.rejected import SUFFIX, make_rejected, restore_rejected

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovered:
    """Ids of the batches that were finished, and of those whose files are free again.

    `lost_keys`: a rollback took an earlier content of these files, which nothing can read again.
    """

    finished: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    rolled_back: tuple[str, ...] = ()
    lost_keys: tuple[str, ...] = ()


def recover(deployment: Deployment, ingestion: Ingestion) -> Recovered:
    """No batch of the ingestion is held by a worker that is gone.

    Raises:
        CatalogError, CommitUnknownError, CommitConflictError, LedgerError: recovery itself did not
            come through; the batches are taken over again when this process's lease on them ends.
    """
    holder = Holder.this_process()
    known = _batches_in_tables(deployment, ingestion)
    with deployment.ledger.transaction() as connection:
        strays = leases.take_up_strays(connection, ingestion.name, known.in_main, holder)
        lapsed = leases.take_over_lapsed(connection, ingestion.name, holder)
    finished, released = [], []
    for batch_id in (*strays, *lapsed):
        if _resolve(deployment, ingestion, batch_id, holder.token):
            finished.append(batch_id)
        else:
            released.append(batch_id)
    rolled_back: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    if known.abandoned:
        with deployment.ledger.transaction() as connection:
            lost = kept_contents.note_rolled_back(connection, ingestion.name, known.abandoned)
            rolled_back = rollbacks.requeue(connection, ingestion.name, known.abandoned)
    if lost:
        logger.warning(
            "A rollback took rows of earlier contents of %s files of %s out of the table. Their "
            "objects have other contents now, so they cannot be read again. The first is %s.",
            len(lost),
            ingestion.name,
            lost[0],
        )
    return Recovered(tuple(finished), tuple(released), rolled_back, lost)


def _batches_in_tables(deployment: Deployment, ingestion: Ingestion) -> TableBatches:
    with deployment.ledger.transaction() as connection:
        routes = registry.routes(connection, ingestion.name)
    found = [
        batches_of(deployment.catalog, route or ingestion.table.identifier) for route in routes
    ]
    in_main = tuple(batch_id for known in found for batch_id in known.in_main)
    abandoned = tuple(batch_id for known in found for batch_id in known.abandoned)
    return TableBatches(in_main, (*abandoned, *_rolled_back_beyond(deployment, found, in_main)))


def _rolled_back_beyond(
    deployment: Deployment, found: Sequence[TableBatches], in_main: Sequence[str]
) -> list[str]:
    """Batches that left `main` by a rollback to before their snapshots, which have expired."""
    with deployment.ledger.transaction() as connection:
        left = [
            batch_id
            for known in found
            if known.table_uuid is not None and known.position is not None
            for batch_id in expired_batches.later_than(connection, known.table_uuid, known.position)
        ]
    return sorted(set(left) - set(in_main))


def _resolve(deployment: Deployment, ingestion: Ingestion, batch_id: str, token: str) -> bool:
    """True when the batch was in the table and is finished, False when it was released."""
    with deployment.ledger.transaction() as connection:
        route = batches.route_of(connection, batch_id)
    ingestion = ingestion.for_table(route)
    identifier = ingestion.table.identifier
    snapshot_id = fence(deployment.catalog, identifier, batch_id)
    with deployment.ledger.transaction() as connection:
        rejecting = outcomes.rejecting_contents(connection, batch_id)
    if snapshot_id is None:
        _fence_rejected(deployment, ingestion, batch_id, rejecting)
        logger.info("Batch %s is not in %s: its files are free again", batch_id, identifier)
        with deployment.ledger.transaction() as connection:
            outcomes.release(connection, batch_id, token, note="its worker was gone", crashed=True)
        return False
    if rejecting:
        is_held = partial(_is_held, deployment, batch_id, token)
        restore_rejected(deployment.catalog, identifier, batch_id, rejecting, is_held)
    logger.info("Batch %s is in %s: its files are SUCCESS", batch_id, identifier)
    with deployment.ledger.transaction() as connection:
        outcomes.finish(
            connection,
            batch_id,
            token,
            snapshot_id=snapshot_id,
            backoff=ingestion.retries.waits,
        )
    return True


def _is_held(deployment: Deployment, batch_id: str, token: str) -> bool:
    with deployment.ledger.transaction() as connection:
        return leases.renew(connection, batch_id, token)


def _fence_rejected(
    deployment: Deployment, ingestion: Ingestion, batch_id: str, rejecting: Sequence[int]
) -> None:
    """A worker that sleeps before its commit of rejected rows cannot make it any more."""
    identifier = ingestion.table.identifier
    if rejecting:
        make_rejected(deployment.catalog, identifier, deployment.owner(ingestion))
    fence(deployment.catalog, identifier + SUFFIX, batch_id)
