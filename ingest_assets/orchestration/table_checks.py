"""The checks of a table as a whole: after each batch, and by upkeep also when nothing arrives."""

import time
from datetime import timedelta

import dagster as dg

# Private, because the instance has no public method for it. Read in dagster 1.13.27. To drop: when
# an instance tells the latest execution of a check.
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.deployment import Deployment
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import arrived
from ingest_assets.orchestration.deadline import Deadline
from ingest_assets.orchestration.names import asset_key
from ingest_assets.orchestration.quality_reporting import table_evaluation, table_rules
from ingest_assets.quality.result import RuleResult
from ingest_assets.quality.whole_table import Arrived, freshness, volume

TOLD_EVERY = timedelta(hours=1)
"""By upkeep, where nothing changes: a point of the plot an hour."""
RUN_TIME = timedelta(minutes=10)
"""How long a run that planned a check is waited for to evaluate it."""


def table_evaluations(
    deployment: Deployment, ingestion: Ingestion
) -> list[dg.AssetCheckEvaluation]:
    """What the rules about the whole table say now.

    Raises:
        LedgerError: Postgres is out of reach.
    """
    key = asset_key(ingestion)
    return [
        table_evaluation(key, rule, _result(deployment, ingestion, rule))
        for rule in table_rules(ingestion)
    ]


def _result(deployment: Deployment, ingestion: Ingestion, rule: QualityRule) -> RuleResult:
    with deployment.ledger.transaction() as connection:
        if rule.volume is None:
            newest_at, now = arrived.newest(connection, ingestion.name)
            return freshness(rule, newest_at, now)
        last, *earlier = arrived.windows(
            connection, ingestion.name, hours=rule.volume.hours, earlier=rule.volume.last
        )
    return volume(rule, Arrived(*last), [Arrived(*window) for window in earlier])


def watch_table(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance, deadline: Deadline
) -> str | None:
    """The checks of the table show what is true now, also when no file has come for long.

    A task of upkeep. Told is what has changed, and once an hour what has not.
    """
    told = [
        evaluation
        for evaluation in table_evaluations(deployment, ingestion)
        if not deadline.is_over and _is_news(instance, ingestion, evaluation)
    ]
    for evaluation in told:
        instance.report_runless_asset_event(evaluation)
    failed = sorted(evaluation.check_name for evaluation in told if not evaluation.passed)
    return f"the checks {', '.join(failed)} of the table do not pass" if failed else None


def _is_news(
    instance: dg.DagsterInstance, ingestion: Ingestion, evaluation: dg.AssetCheckEvaluation
) -> bool:
    key = dg.AssetCheckKey(asset_key(ingestion), evaluation.check_name)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    if not records:
        return True
    age = timedelta(seconds=time.time() - records[0].create_timestamp)
    if records[0].status is AssetCheckExecutionRecordStatus.PLANNED:
        return age > RUN_TIME
    had_passed = records[0].status is AssetCheckExecutionRecordStatus.SUCCEEDED
    return had_passed != evaluation.passed or age > TOLD_EVERY
