"""The batches that a run is for, claimed one after the other."""

from collections.abc import Iterator, Sequence

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine import batch_work
from ingest_assets.engine.applied_declaration import follow_declaration
from ingest_assets.engine.batch_work import BatchWork
from ingest_assets.engine.declared_columns import apply_declaration
from ingest_assets.engine.recovery import recover
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import batches, changed_files, planning
from ingest_assets.ledger.leases import Holder
from ingest_assets.ledger.standing import refuse_deleted
from ingest_assets.orchestration.lost_runs import end_lost_runs
from ingest_assets.orchestration.names import BATCH_TAG, is_asked_by_person
from ingest_assets.orchestration.planned_batches import settle_planned


def claimed_batches(
    context: dg.OpExecutionContext,
    services: Deployment,
    ingestion: Ingestion,
    keys: Sequence[str],
) -> Iterator[BatchWork]:
    """Each batch of the run over `keys`, claimed when the one before it is done.

    None that another worker has.

    Batches that the run does not come to stay PLANNED: `settle_planned` finds them.

    Raises:
        DeletedError, NewTableNeededError: nothing is read.
        IngestError: a service is out of reach; the batch that was to come is not begun.
    """
    with services.ledger.transaction() as connection:
        refuse_deleted(connection, ingestion.name)
    follow_declaration(services, ingestion)
    with services.ledger.transaction() as connection:
        changed_files.follow(connection, ingestion.name, ingestion.source.on_changed_file)
    end_lost_runs(services, context.instance, recover(services, ingestion))
    refused = apply_declaration(services, ingestion)
    if refused:
        context.log.warning("%s.", refused)
    is_person = is_asked_by_person(context.run)
    for batch_id in (_asked_for if is_person else _planned_for)(context, services, ingestion, keys):
        work = batch_work.claim(
            services, ingestion, batch_id, run_id=context.run_id, may_create=is_person
        )
        if work is None:
            context.log.warning(
                "Batch %s is not waiting any more: it was freed, or another run has it.", batch_id
            )
        else:
            yield work


def _asked_for(
    context: dg.OpExecutionContext,
    services: Deployment,
    ingestion: Ingestion,
    keys: Sequence[str],
) -> list[str]:
    """The batches of a run that a person asked for, after those that a run like it left undone.

    They are nobody else's as long as the run goes on.
    """
    _, unasked = settle_planned(services, ingestion, context.instance)
    left = [batch for batch in unasked if batch.run_id is not None]
    with services.ledger.transaction() as connection:
        own = planning.plan_keys(
            connection,
            ingestion.name,
            keys,
            max_files=ingestion.batch.max_files,
            max_bytes=ingestion.batch.max_bytes,
            run_id=context.run_id,
            holder=Holder.this_process(),
        )
    return [batch.batch_id for batch in (*left, *own)]


def _planned_for(
    context: dg.OpExecutionContext,
    services: Deployment,
    ingestion: Ingestion,
    keys: Sequence[str],
) -> list[str]:
    """The batch that a tick planned for the run; none when the run is not exactly its keys."""
    batch_id = context.run.tags[BATCH_TAG]
    with services.ledger.transaction() as connection:
        waiting = batches.planned_keys(connection, batch_id)
        if waiting is None or list(waiting) == list(keys):
            return [batch_id]
        # Anything but exactly the batch's own keys would turn strangers red if a file fails.
        batches.free_planned(connection, batch_id, "the run's range was not the batch's")
    context.log.warning(
        "The range of this run holds %s partitions and batch %s has %s: the partitions were moved "
        "meanwhile. Nothing was read; the next tick plans the files again.",
        len(keys),
        batch_id,
        len(waiting),
    )
    return []
