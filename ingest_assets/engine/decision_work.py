"""A decision about a schema carried out: in the table first, where it changes that, then here.

The decision is a batch without files. So a worker that dies half-way leaves what every tick and
pass recovers: a snapshot with the batch's id means that it is done, and the ledger follows.
"""

import logging

from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_plan import DecisionPlan
from ingest_assets.engine.lease import KeptLease
from ingest_assets.engine.steps import Step, reached
from ingest_assets.errors import Fate, IngestError
from ingest_assets.ledger import decisions, leases, outcomes
from ingest_assets.ledger.batches import ClaimedBatch
from ingest_assets.ledger.leases import Holder
from ingest_assets.ledger.standing import refuse_deleted
from ingest_assets.tables.commit import Steps
from ingest_assets.tables.reshape import reshape

logger = logging.getLogger(__name__)


def carry_out(deployment: Deployment, plan: DecisionPlan, actor: str, note: str) -> int | None:
    """The decision is true of the table and of the ledger; the number of the version it is about.

    Raises:
        DeletedError: the ingestion is deleted; nothing was changed.
        DecisionOutdatedError: somebody decided first; nothing was changed.
        ReshapeRefusedError: values do not fit, or the table is another by now; nothing was changed.
        CommitUnknownError, LeaseLostError: recovery, at the next tick or pass, decides.
        CommitConflictError, CatalogError: the table is unchanged, the version is still PENDING.
        LedgerError: as far as the table was changed, recovery finishes it.
    """
    decision, name = plan.decision(actor, note), plan.ingestion.name
    with deployment.ledger.transaction() as connection:
        refuse_deleted(connection, name)
    if plan.table is None:
        with deployment.ledger.transaction() as connection:
            return decisions.carry_out(connection, name, decision)
    with deployment.ledger.transaction() as connection:
        batch = decisions.prepare(connection, name, decision, Holder.this_process())
    reached(Step.CLAIMED, batch.batch_id)
    lease = KeptLease(deployment.ledger, batch)
    lease.start()
    begun = False

    def lease_checked() -> None:
        nonlocal begun
        begun = True
        reached(Step.LEASE_CHECKED, batch.batch_id)

    try:
        done = reshape(
            deployment.catalog,
            plan.basis.route or plan.ingestion.table.identifier,
            deployment.owner(plan.ingestion),
            plan.operations,
            batch.batch_id,
            lease.is_held,
            Steps(lambda: reached(Step.TABLE_LOADED, batch.batch_id), lease_checked),
        )
    except BaseException as error:
        _settle(deployment, batch, error, is_begun=begun)
        raise
    finally:
        lease.stop()
    reached(Step.COMMITTED, batch.batch_id)
    return _finish(deployment, plan, batch, done.snapshot_id)


def _finish(
    deployment: Deployment, plan: DecisionPlan, batch: ClaimedBatch, snapshot_id: int
) -> int | None:
    with deployment.ledger.transaction() as connection:
        finished = outcomes.finish(
            connection,
            batch.batch_id,
            batch.token,
            snapshot_id=snapshot_id,
            backoff=plan.ingestion.retries.waits,
        )
        if not finished:
            logger.info("Decision %s was taken over by recovery, which finishes it", batch.batch_id)
        return decisions.version_of(connection, plan.ingestion.name, batch.batch_id)


def _settle(
    deployment: Deployment, batch: ClaimedBatch, error: BaseException, *, is_begun: bool
) -> None:
    """Whoever looks next finds what is certain: nothing happened, or that recovery has to ask."""
    fate = error.fate if isinstance(error, IngestError) else Fate.ALL_FREE
    is_open = fate is Fate.UNDECIDED or (is_begun and not isinstance(error, IngestError))
    note = str(error) or type(error).__name__
    with deployment.ledger.transaction() as connection:
        if is_open:
            leases.expire(connection, batch.batch_id, batch.token, note)
        else:
            outcomes.release(connection, batch.batch_id, batch.token, note=note, crashed=False)
