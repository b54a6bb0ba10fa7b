"""Runs whose worker died: they are ended in Dagster, and what they could not tell it is told.

Both follow from the ledger alone, so it does not matter which process recovered a batch, or when
the worker died: even after its batch was marked, or after the last event was stored.
"""

import logging
import time
from collections.abc import Iterator

import dagster as dg
from sqlalchemy.exc import IntegrityError

from ingest_assets.deployment import Deployment
from ingest_assets.engine.recovery import Recovered
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import reports
from ingest_assets.ledger.reports import BatchReport
from ingest_assets.orchestration import check_reporting, events, reporting
from ingest_assets.orchestration.names import asset_key

logger = logging.getLogger(__name__)

FILES_PER_TICK = 1000
"""A tick tells Dagster of batches until it has told of so many files; the next one goes on."""
SILENT_SECONDS = 600.0
_STEP_ENDED = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
_IN_PROGRESS = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def end_lost_runs(
    deployment: Deployment, instance: dg.DagsterInstance, recovered: Recovered
) -> None:
    """Runs whose worker died are failed, so that they hold up nothing and say nothing wrong.

    Call it before `report_late`: the failure of a run turns its keys red, and what is reported
    after that turns those green whose rows are in the table.
    """
    running = [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=_IN_PROGRESS))]
    done = [*recovered.finished, *recovered.released]
    with deployment.ledger.transaction() as connection:
        lost = reports.lost_runs(connection, running)
        recovered_from = reports.run_ids(connection, done)
    gone = [run_id for run_id, pid in lost.items() if _is_gone(instance, run_id, pid)]
    for run_id in sorted({*gone, *recovered_from}):
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_failed(
                run, "The worker of this run is gone. The ledger knows what became of its files."
            )


def _is_gone(instance: dg.DagsterInstance, run_id: str, worker_pid: int | None) -> bool:
    """Nobody ends the run.

    Its own process is the worker, and that is dead; with most executors a worker is one step's
    process, which the run's outlives. Or, without such certainty, the step that ingests has begun
    and nothing was heard of the run for ten minutes.
    """
    if worker_pid is None:
        ended = instance.all_logs(run_id, of_type=_STEP_ENDED)
        if any((entry.step_key or "").rpartition(".")[2].startswith("ingest_") for entry in ended):
            return False
        newest = instance.get_records_for_run(run_id, limit=1, ascending=False).records
        return not newest or time.time() - newest[0].timestamp > SILENT_SECONDS
    starts = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_START)
    pids = [start.dagster_event.pid for start in starts if start.dagster_event is not None]
    return worker_pid in pids


def report_late(deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance) -> int:
    """How many batches Dagster was told of, whose runs ended before they could do it.

    A batch is marked as reported after its events are stored: a crash in between tells Dagster
    twice, which changes nothing, and never leaves a file of the table grey. Dagster's stock storage
    keeps the first evaluation of a file without a run for good; ours has the newest.
    """
    with deployment.ledger.transaction() as connection:
        waiting = reports.unreported(connection, ingestion.name)
    told, files = 0, 0
    for batch_id, run_id in waiting:
        run = instance.get_run_by_id(run_id) if run_id else None
        if files >= FILES_PER_TICK or (run is not None and not run.is_finished):
            continue
        with deployment.ledger.transaction() as connection:
            batch = reports.newest_of_batch(connection, batch_id)
        if batch is None:
            continue
        for event in _events(ingestion, batch):
            instance.report_runless_asset_event(event)
        evaluations = check_reporting.check_evaluations(ingestion, batch.files)
        for evaluation in events.with_targets(instance, evaluations):
            try:
                instance.report_runless_asset_event(evaluation)
            except IntegrityError:
                logger.warning(
                    "Dagster's storage shows an earlier result of the check %s of %s.",
                    evaluation.check_name,
                    evaluation.partition,
                )
        with deployment.ledger.transaction() as connection:
            reports.mark_reported(connection, [batch_id])
        told, files = told + 1, files + len(batch.files)
    return told


def _events(
    ingestion: Ingestion, batch: BatchReport
) -> Iterator[dg.AssetMaterialization | dg.AssetObservation]:
    for key, metadata in reporting.materializations(batch.files):
        yield dg.AssetMaterialization(asset_key(ingestion), partition=key, metadata=metadata)
    for key, metadata in reporting.observations(ingestion, batch.files):
        yield dg.AssetObservation(asset_key(ingestion), partition=key, metadata=metadata)
