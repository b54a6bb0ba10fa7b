"""The alerts of an ingestion, noticed and sent after a tick or a pass, whatever became of that.

Most of what people are told of stands in the ledger; only failed runs are Dagster's to know. They
are asked for here, and not by a run failure sensor, so that `ingest-assets run` tells of them too.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg

from ingest_assets.alerts.delivery import deliver
from ingest_assets.alerts.wording import Composer
from ingest_assets.deployment import Deployment
from ingest_assets.errors import IngestError, LedgerError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import alert_deliveries, alerts
from ingest_assets.ledger.alerts import FailedRun
from ingest_assets.ledger.standing import standing
from ingest_assets.ledger.states import AlertKind
from ingest_assets.orchestration.names import INGESTION_TAG, asset_key
from ingest_assets.settings import public_url

logger = logging.getLogger(__name__)

_CLOCKS_DIFFER = timedelta(minutes=10)
"""Dagster's times are those of the machines of its runs, and a failure is stored a little later."""


@contextmanager
def alerting(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance
) -> Iterator[None]:
    """What happens inside, and what happened since the last time, is told to the channels.

    Also when the work inside fails, unless the ledger is out of reach or somebody interrupts it.
    Alerts never fail the work: what goes wrong with them is a line in the log, and they wait.
    """
    is_told = _subscribe(deployment, ingestion)
    try:
        yield
    except LedgerError:
        raise
    except Exception:
        if is_told:
            tell(deployment, ingestion, instance)
        raise
    if is_told:
        tell(deployment, ingestion, instance)


def _subscribe(deployment: Deployment, ingestion: Ingestion) -> bool:
    try:
        known = deployment.alerts.channels if ingestion.alerts else {}
        channels = [name for name in dict.fromkeys(ingestion.alerts) if name in known]
        with deployment.ledger.transaction() as connection:
            is_deleted = standing(connection, ingestion.name).is_deleted
            return alerts.subscribe(connection, ingestion.name, () if is_deleted else channels)
    except IngestError as error:
        logger.warning("Nobody is told of %s now: %s", ingestion.name, error)
    except Exception:
        logger.exception("Nobody is told of %s now.", ingestion.name)
    return False


def tell(deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance) -> None:
    """The events of the ingestion are in the outbox, and what is due was sent or is tried again."""
    try:
        _notice(deployment, ingestion, instance)
        _put_up(deployment, ingestion)
        channels, connections = deployment.alerts.channels, deployment.connections
        deliver(deployment.ledger, ingestion.name, channels, connections)
    except IngestError as error:
        logger.warning("The alerts of %s wait: %s", ingestion.name, error)
    except Exception:
        logger.exception("The alerts of %s wait.", ingestion.name)


def _notice(deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance) -> None:
    limits = deployment.alerts.limits_of(ingestion.name)
    asked_at = datetime.now(UTC)
    failed = _failed_runs(deployment, ingestion, instance)
    with deployment.ledger.transaction() as connection:
        is_at_work = standing(connection, ingestion.name).is_at_work
        alerts.notice(
            connection,
            ingestion.name,
            batch_limit=limits.batch,
            silence_limit=limits.silence if is_at_work else None,
            failed_runs=failed,
        )
        alerts.mark_runs_noticed(connection, ingestion.name, asked_at)


def _failed_runs(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance
) -> list[FailedRun]:
    """The ingestion's runs that failed since the last time and that nobody was told of."""
    with deployment.ledger.transaction() as connection:
        since = alerts.runs_noticed_at(connection, ingestion.name)
    if since is None:
        return []
    wanted = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE],
        updated_after=since.astimezone(UTC) - _CLOCKS_DIFFER,
    )
    records = {record.dagster_run.run_id: record for record in instance.get_run_records(wanted)}
    with deployment.ledger.transaction() as connection:
        told, worked = alerts.known_runs(connection, ingestion.name, list(records))
    return [
        FailedRun(run_id, _failed_at(record), _said(instance, run_id))
        for run_id, record in records.items()
        if run_id not in told and (run_id in worked or _is_of(ingestion, record.dagster_run))
    ]


def _is_of(ingestion: Ingestion, run: dg.DagsterRun) -> bool:
    is_tagged = run.tags.get(INGESTION_TAG) == ingestion.name
    return is_tagged or asset_key(ingestion) in (run.asset_selection or ())


def _failed_at(record: dg.RunRecord) -> datetime:
    if record.end_time is None:
        return record.update_timestamp
    return datetime.fromtimestamp(record.end_time, UTC)


def _said(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why the run failed, without the password of an address that an error may quote."""
    of_type = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    said = "see the run"
    for entry in instance.all_logs(run_id, of_type=of_type):
        event = entry.dagster_event
        if event is not None and event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data is not None and failure.user_failure_data.description:
                return public_url(failure.user_failure_data.description)
            if failure.error is not None:
                return public_url((failure.error.cause or failure.error).message.strip())
        elif event is not None and event.message:
            said = event.message
    return public_url(said)


def _put_up(deployment: Deployment, ingestion: Ingestion) -> None:
    """Events that wait for the same channel and are of one kind are one message."""
    ui_url = deployment.alerts.ui_url or deployment.settings.ui_url
    with deployment.ledger.transaction() as connection:
        for group in alert_deliveries.groups(connection, ingestion.name):
            parked: list[str] = []
            if group.kind is AlertKind.SCHEMA_PENDING:
                versions = [event.detail["version"] for event in group.events]
                parked = alert_deliveries.parked_keys(connection, ingestion.name, versions)
            message = Composer(ingestion, ui_url, parked).message(group.kind, group.events)
            alert_deliveries.put_up(connection, ingestion.name, group, message.to_json())
