"""One pass without a daemon: discover, and ingest until nothing is left that can be ingested now.

The runs are executed in this process and recorded in the Dagster instance as a sensor's would be.
"""

import time
import warnings
from collections import Counter
from dataclasses import dataclass, field

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine.notifications import Received
from ingest_assets.engine.recovery import recover
from ingest_assets.errors import IngestError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import batches, lookup, planning, reports
from ingest_assets.ledger.planning import PlannedBatch
from ingest_assets.ledger.reports import FileReport
from ingest_assets.ledger.standing import DeletedError, PausedError, standing
from ingest_assets.logs import about
from ingest_assets.orchestration.alerting import alerting
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.lost_runs import end_lost_runs, report_late
from ingest_assets.orchestration.names import BATCH_TAG, IO_MANAGER_KEY
from ingest_assets.orchestration.tick import plan_again, run_request, run_tick
from ingest_assets.quality.result import FileQuality

POLL_SECONDS = 0.5
GIVEN_BACK_AT_MOST = 10
"""A pass ends when so many batches in a row were given back, as somebody else always came first, or
were left to recovery, as the catalog never answered."""
_INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class PassResult:
    """What a pass did. `files` are those that it touched, each with its last outcome.

    `settling` files were not old enough; a later pass reads them.

    `refused`: why the declared columns are not the table's, in one line. `received`: what the queue
    of notifications brought; None where there is none. `changed`: what is declared otherwise than
    before. `resting`: somebody paused or deleted the ingestion while the pass went on.
    """

    files: dict[str, FileReport] = field(default_factory=dict)
    snapshot_id: int | None = None
    seconds: float = 0.0
    waiting: dict[str, int] = field(default_factory=dict)
    settling: int = 0
    refused: str | None = None
    received: Received | None = None
    changed: str | None = None
    resting: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many of the touched files came to each outcome."""
        return dict(sorted(Counter(file.outcome for file in self.files.values()).items()))

    @property
    def rows(self) -> int:
        """The rows that the pass wrote."""
        return sum(file.rows for file in self.files.values() if file.outcome == "SUCCESS")

    @property
    def filtered(self) -> int:
        """The rows of files in the table that the transform left out."""
        good = (file for file in self.files.values() if file.outcome == "SUCCESS")
        return sum(file.detail.get("filtered", 0) for file in good)

    @property
    def rejected(self) -> int:
        """The rows of files in the table that could not be read or written."""
        return sum(file.rejected for file in self.files.values() if file.outcome == "SUCCESS")

    @property
    def qualities(self) -> dict[str, FileQuality]:
        """What rules say of the files that are in the table, by key."""
        return {
            key: FileQuality.from_json(file.detail.get("quality", {}))
            for key, file in self.files.items()
            if file.outcome == "SUCCESS"
        }

    @property
    def is_all_well(self) -> bool:
        """No file that the pass touched, or that waits, needs anybody's attention."""
        return set(self.counts) <= {"SUCCESS"} and not self.waiting


def ingest_once(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance
) -> PassResult:
    """Every file that can be ingested now has its outcome; files in backoff are left for later.

    Waits for batches that other workers hold, and takes over those that nobody started. A batch
    that another worker took, or that lost the race for the table, is not an error: its files are
    planned again until nothing is left.

    Raises:
        PausedError, DeletedError: the ingestion is that; nothing was discovered or read.
        IngestError: a service is out of reach, or the table is not the ingestion's.
    """
    started = time.monotonic()
    result = PassResult()
    _refuse_resting(deployment, ingestion)
    with about(ingestion=ingestion.name), alerting(deployment, ingestion, instance):
        _ingest(deployment, ingestion, instance, result)
    with deployment.ledger.transaction() as connection:
        result.waiting = lookup.counts(connection, ingestion.name, lookup.NEED_ATTENTION)
        result.settling = planning.settling(connection, ingestion.name, ingestion.source.settle)
        found = standing(connection, ingestion.name)
    result.resting = None if found.is_at_work else found.sentence(ingestion.name)
    result.seconds = time.monotonic() - started
    return result


def _refuse_resting(deployment: Deployment, ingestion: Ingestion) -> None:
    with deployment.ledger.transaction() as connection:
        found = standing(connection, ingestion.name)
    if not found.is_at_work:
        kind = DeletedError if found.is_deleted else PausedError
        raise kind(f"{found.sentence(ingestion.name)}. Nothing was discovered or read.")


def _ingest(
    deployment: Deployment,
    ingestion: Ingestion,
    instance: dg.DagsterInstance,
    result: PassResult,
) -> None:
    asset = build_asset(ingestion, lambda: deployment)
    _free_queued(deployment, ingestion, instance)
    tick = run_tick(deployment, ingestion, instance, "command")
    result.refused, unheard = tick.refused, tick.unheard
    result.changed = tick.changed
    result.received = tick.arrivals.received
    given_back = 0
    while True:
        for batch in tick.planned:
            problem = _execute(deployment, ingestion, instance, asset, batch, result)
            given_back = given_back + 1 if problem else 0
            if given_back > GIVEN_BACK_AT_MOST:
                raise IngestError(problem)
        end_lost_runs(deployment, instance, recover(deployment, ingestion))
        tick = plan_again(deployment, ingestion, instance, "command")
        if tick.planned:
            continue
        if tick.waiting_batches:
            _free_queued(deployment, ingestion, instance)
            time.sleep(POLL_SECONDS)
            continue
        with deployment.ledger.transaction() as connection:
            if not batches.is_any_open(connection, ingestion.name):
                break
        time.sleep(POLL_SECONDS)
    while report_late(deployment, ingestion, instance):
        pass
    if tick.missing is not None:
        raise tick.missing
    if unheard is not None:
        raise unheard


def _free_queued(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance
) -> None:
    """Batches whose runs wait for a daemon are planned anew; those runs will find nothing to do.

    A batch without a run is left alone: another pass may be about to begin it, and if none is, this
    one does.
    """
    with deployment.ledger.transaction() as connection:
        planned = batches.planned(connection, ingestion.name)
    for batch in planned:
        if instance.get_runs(dg.RunsFilter(tags={BATCH_TAG: batch.batch_id}), limit=1):
            with deployment.ledger.transaction() as connection:
                batches.free_planned(connection, batch.batch_id, "taken over by ingest-assets run")


def _execute(
    deployment: Deployment,
    ingestion: Ingestion,
    instance: dg.DagsterInstance,
    asset: dg.AssetsDefinition,
    batch: PlannedBatch,
    result: PassResult,
) -> str | None:
    """The batch was worked on, by this pass or another worker; why not, if it was given back."""
    cause = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        try:
            run = dg.materialize(
                [asset],
                instance=instance,
                resources={IO_MANAGER_KEY: IcebergIOManager(lambda: deployment)},
                tags=run_request(ingestion, batch, lane=ingestion.name).tags,
                run_config=_QUIET,
                raise_on_error=False,
            )
            _raise_if_interrupted(run)
            cause = _cause(run)
        except dg.DagsterError as error:  # another pass just moved the partitions of the range
            cause = str(error)
    with deployment.ledger.transaction() as connection:
        batches.free_planned(connection, batch.batch_id, "its run did not begin it")
        report = reports.batch_report(connection, batch.batch_id)
    is_in_doubt = cause is not None and report is not None and report.status == "PREPARED"
    if report is None or report.status == "RELEASED" or is_in_doubt:
        cause = cause or (report.note if report else None) or "see the run's log"
        return f"Batch {batch.batch_id} of {ingestion.name} was not done: {cause}"
    if report.status == "COMMITTED":
        for file in report.files:
            result.files[file.key] = file
            result.snapshot_id = file.snapshot_id or result.snapshot_id
    return None


def _raise_if_interrupted(run: dg.ExecuteInProcessResult) -> None:
    """Dagster takes Ctrl-C for the failure of the run; here it means the pass.

    Raises:
        KeyboardInterrupt: as if Dagster had let it through.
    """
    for event in run.all_events:
        error = event.job_failure_data.error if event.is_job_failure else None
        if error is not None and error.cls_name in _INTERRUPTS:
            raise KeyboardInterrupt


def _cause(run: dg.ExecuteInProcessResult) -> str | None:
    for event in run.all_events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            return event.step_failure_data.error.message.strip()
    return None
