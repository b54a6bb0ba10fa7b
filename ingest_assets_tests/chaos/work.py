"""What the worker processes do; each function is given to `worker.start`."""

import os
import sys
import warnings
from collections.abc import Callable
from signal import Signals
from typing import Any

import dagster as dg
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy.orm import Session

from ingest_assets.deployment import Deployment
from ingest_assets.engine import batch_work
from ingest_assets.engine.arrivals import find_files
from ingest_assets.engine.discovery import discover
from ingest_assets.engine.recovery import recover
from ingest_assets.engine.spreading import Cluster
from ingest_assets.errors import IngestError
from ingest_assets.files.notifications import queue
from ingest_assets.files.store import SourceStore
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import batches, changed_files
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.instance import open_instance
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.names import IO_MANAGER_KEY, RANGE_END_TAG, RANGE_START_TAG
from ingest_assets.orchestration.one_pass import ingest_once
from ingest_assets.orchestration.planned_batches import plan_one
from ingest_assets.orchestration.tick import run_tick
from ingest_assets.tables.commit import Steps


def one_pass(deployment: Deployment, ingestion: Ingestion) -> None:
    """What `ingest-assets run` does."""
    with open_instance(deployment.settings) as instance:
        ingest_once(deployment, ingestion, instance)


def run_by_hand(deployment: Deployment, ingestion: Ingestion) -> None:
    """The run that the UI starts for all partitions."""
    with open_instance(deployment.settings) as instance:
        materialize_all(deployment, ingestion, instance)


def materialize_all(
    deployment: Deployment,
    ingestion: Ingestion,
    instance: dg.DagsterInstance,
    *others: dg.AssetsDefinition,
) -> dg.ExecuteInProcessResult:
    """As `run_by_hand`, in an instance that is open, together with other assets."""
    keys = instance.get_dynamic_partitions(ingestion.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.materialize(
            [build_asset(ingestion, lambda: deployment), *others],
            instance=instance,
            resources={IO_MANAGER_KEY: IcebergIOManager(lambda: deployment)},
            tags={RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1]},
            raise_on_error=False,
        )


def run_by_hand_killed_before_its_first_batch(deployment: Deployment, ingestion: Ingestion) -> None:
    """As `run_by_hand`, killed when its batches are planned and none is claimed."""
    batch_work.claim = lambda *_, **__: os.kill(os.getpid(), Signals.SIGKILL)
    run_by_hand(deployment, ingestion)


def one_tick(deployment: Deployment, ingestion: Ingestion) -> None:
    """A tick of the sensor whose result never reaches Dagster."""
    with open_instance(deployment.settings) as instance:
        run_tick(deployment, ingestion, instance, "sensor")


def engine_pass(
    deployment: Deployment, ingestion: Ingestion, cluster: Cluster | None = None
) -> None:
    """As a pass, without Dagster: recovery, a listing, and batches until none is left."""
    deployment.ledger.register(ingestion.name, ingestion.table.identifier)
    with deployment.ledger.transaction() as connection:
        changed_files.follow(connection, ingestion.name, ingestion.source.on_changed_file)
    recover(deployment, ingestion)
    discover(deployment, ingestion)
    engine_batches(deployment, ingestion, cluster)


def notified_pass(deployment: Deployment, ingestion: Ingestion) -> None:
    """As `engine_pass`, with files found as the declaration says.

    The queue is not waited for, and what it was not told to delete comes again soon.
    """
    queue.WAIT_SECONDS, queue.VISIBILITY_SECONDS = 0, 3
    deployment.ledger.register(ingestion.name, ingestion.table.identifier)
    recover(deployment, ingestion)
    find_files(deployment, ingestion, None)
    engine_batches(deployment, ingestion)


def engine_batches(
    deployment: Deployment, ingestion: Ingestion, cluster: Cluster | None = None
) -> None:
    """The batches that wait, and those that can be planned, are worked on; at most twenty."""
    for _ in range(20):
        with deployment.ledger.transaction() as connection:
            waiting = [batch.batch_id for batch in batches.planned(connection, ingestion.name)]
        if not waiting:
            planned = plan_one(deployment, ingestion, "command")
            waiting = [planned.batch_id] if planned else []
        if not waiting:
            return
        _work_on(deployment, ingestion, waiting[0], cluster)


def _work_on(
    deployment: Deployment, ingestion: Ingestion, batch_id: str, cluster: Cluster | None
) -> None:
    """As the asset does it: what fails is in the ledger, and the next batch is begun."""
    work = batch_work.claim(deployment, ingestion, batch_id, run_id=None)
    if work is None:
        return
    try:
        work.land(work.stage(cluster))
    except IngestError as error:
        sys.stderr.write(f"Batch {batch_id}: {type(error).__name__}: {error}\n")


def pass_killed_in_a_listing(deployment: Deployment, ingestion: Ingestion) -> None:
    """As `one_pass`, killed when the first of two pages of the listing is in the ledger."""
    real_pages = SourceStore.pages

    def pages(store: SourceStore, _after: str | None = None) -> Any:
        listed = [file for page in real_pages(store) for file in page]
        yield listed[:1]
        os.kill(os.getpid(), Signals.SIGKILL)

    SourceStore.pages = pages
    one_pass(deployment, ingestion)


def pass_asleep_over_rejected_rows(deployment: Deployment, ingestion: Ingestion) -> None:
    """As `engine_pass`, stopped right before the rejected rows are committed."""
    real_commit = batch_work.commit

    def commit(prepared: Any, is_held: Any, steps: Any = None) -> Any:
        if steps is None:
            steps = Steps(lease_checked=lambda: os.kill(os.getpid(), Signals.SIGSTOP))
        return real_commit(prepared, is_held, steps)

    batch_work.commit = commit
    engine_pass(deployment, ingestion)


def _with_an_answer_lost(suffix: str, error: BaseException, work: Any) -> Callable[..., None]:
    """`work`, whose first commit to the table comes through, and whose answer is this error."""
    real_commit = SqlCatalog.commit_table
    errors = [error]

    def commit_table(catalog: SqlCatalog, table: Any, *arguments: Any) -> Any:
        answer = real_commit(catalog, table, *arguments)
        if table.name()[-1].endswith(suffix) and errors:
            raise errors.pop()
        return answer

    def patched(deployment: Deployment, ingestion: Ingestion) -> None:
        SqlCatalog.commit_table = commit_table
        work(deployment, ingestion)

    return patched


def pass_with_a_lost_connection(deployment: Deployment, ingestion: Ingestion) -> None:
    """The network fails after the main commit."""
    _with_an_answer_lost(ingestion.name, OSError("reset by peer"), one_pass)(deployment, ingestion)


def pass_with_an_odd_answer(deployment: Deployment, ingestion: Ingestion) -> None:
    """The catalog's answer to the main commit is one that nobody foresaw."""
    _with_an_answer_lost(ingestion.name, ValueError("not JSON"), one_pass)(deployment, ingestion)


def pass_interrupted(deployment: Deployment, ingestion: Ingestion) -> None:
    """The run is cancelled while it waits for the answer to the main commit."""
    error = KeyboardInterrupt()
    _with_an_answer_lost(ingestion.name, error, engine_pass)(deployment, ingestion)


def pass_with_a_lost_connection_over_rejected_rows(
    deployment: Deployment, ingestion: Ingestion
) -> None:
    """The network fails after the commit of the rejected rows."""
    _with_an_answer_lost("__rejected", OSError("reset by peer"), one_pass)(deployment, ingestion)


def pass_asleep_in_the_catalogs_transaction(deployment: Deployment, ingestion: Ingestion) -> None:
    """As `one_pass`, stopped between the catalog's UPDATE of the table's row and its COMMIT."""
    name = ingestion.table.identifier.split(".")[-1]
    real_commit, real_commit_table = Session.commit, SqlCatalog.commit_table
    turns = iter([True])

    def asleep(session: Session) -> None:
        if next(turns, False):
            os.kill(os.getpid(), Signals.SIGSTOP)
        real_commit(session)

    def commit_table(catalog: SqlCatalog, table: Any, *arguments: Any) -> Any:
        Session.commit = asleep if table.name()[-1] == name else real_commit
        return real_commit_table(catalog, table, *arguments)

    SqlCatalog.commit_table = commit_table
    one_pass(deployment, ingestion)
