"""Many materializations and check evaluations of one run, handed to Dagster in one go.

`context.log_event` takes one event at a time, and each goes through Python's logging, to the
console and into the run's captured logs before it is stored. Here the events go to the instance
directly, in batches: they are the same events in the run's event log, without a log line each.
"""

import logging
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

# Private, because the public `log_event` has no batches. Read in dagster 1.13.27. To drop: when
# a context takes a list of events, or `log_event` hands its events over in batches.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import (
    AssetObservationData,
    DagsterEventBatchMetadata,
    StepMaterializationData,
)
from dagster._core.events import EventSpecificData as DagsterEventData
from dagster._record import replace

Context = dg.OpExecutionContext | dg.AssetExecutionContext


@dataclass(frozen=True)
class _Event:
    data: DagsterEventData
    message: str


def log_materializations(
    context: Context,
    asset_key: dg.AssetKey,
    materializations: Iterable[tuple[str, Mapping[str, Any]]],
) -> None:
    """Each partition key is materialized by this run, with its metadata.

    When the function returns, the events are stored. Events are stored in the order given.
    """
    message = f"Materialized value {' '.join(asset_key.path)}."
    events = [
        _Event(
            StepMaterializationData(
                dg.AssetMaterialization(asset_key, partition=partition_key, metadata=metadata)
            ),
            message,
        )
        for partition_key, metadata in materializations
    ]
    _report(context, dg.DagsterEventType.ASSET_MATERIALIZATION, events, in_batches=True)
    context.log.info("Materialized %s partitions of %s.", len(events), asset_key.to_user_string())


def log_observations(
    context: Context,
    asset_key: dg.AssetKey,
    observations: Iterable[tuple[str, Mapping[str, Any]]],
) -> None:
    """Each partition key is observed by this run, with its metadata; stored on return."""
    events = [
        _Event(
            AssetObservationData(
                dg.AssetObservation(asset_key, partition=partition_key, metadata=metadata)
            ),
            f"Observed {' '.join(asset_key.path)}.",
        )
        for partition_key, metadata in observations
    ]
    _report(context, dg.DagsterEventType.ASSET_OBSERVATION, events, in_batches=True)


def log_check_evaluations(context: Context, evaluations: Sequence[dg.AssetCheckEvaluation]) -> None:
    """Each evaluation is stored, as one of the latest materialization of its partition.

    Call it after `log_materializations`: Dagster shows no outcome of a check for a partition that
    was materialized later than the materialization the evaluation names. An evaluation that names
    one itself, or has no partition, stays as it is.
    """
    events = [
        _Event(evaluation, _check_message(evaluation))
        for evaluation in with_targets(context.instance, evaluations)
    ]
    in_batches = getattr(
        context.instance.event_log_storage, "can_store_check_evaluations_in_batches", False
    )
    _report(context, dg.DagsterEventType.ASSET_CHECK_EVALUATION, events, in_batches=in_batches)
    failed = sum(not evaluation.passed for evaluation in evaluations)
    context.log.info("Evaluated %s checks, %s did not pass.", len(events), failed)


def _check_message(evaluation: dg.AssetCheckEvaluation) -> str:
    outcome = "passed." if evaluation.passed else "did not pass."
    description = (
        "" if evaluation.description is None else f" Description: '{evaluation.description}'"
    )
    asset = evaluation.asset_key.to_user_string()
    return f"Asset check '{evaluation.check_name}' on '{asset}' {outcome}{description}"


def _report(
    context: Context,
    event_type: dg.DagsterEventType,
    events: Sequence[_Event],
    *,
    in_batches: bool,
) -> None:
    """The events are stored as the step's own, the last of them closes the batch.

    The fields are those of `DagsterEvent.from_step`, which would also log each event.
    """
    step = context.get_step_execution_context()
    logging_tags = step.event_tags
    batch_id = str(uuid.uuid4())
    last = len(events) - 1
    for position, event in enumerate(events):
        context.instance.report_dagster_event(
            dg.DagsterEvent(
                event_type_value=event_type.value,
                job_name=step.job_name,
                step_handle=step.step.handle,
                node_handle=step.step.node_handle,
                step_kind_value=step.step.kind.value,
                logging_tags=logging_tags,
                event_specific_data=event.data,
                message=event.message,
                pid=os.getpid(),
            ),
            run_id=context.run_id,
            log_level=logging.DEBUG,
            batch_metadata=(
                DagsterEventBatchMetadata(batch_id, position == last) if in_batches else None
            ),
        )


def with_targets(
    instance: dg.DagsterInstance, evaluations: Sequence[dg.AssetCheckEvaluation]
) -> list[dg.AssetCheckEvaluation]:
    """As Dagster does for a check result that a step returns, but in two queries an asset."""
    partition_keys: dict[dg.AssetKey, set[str]] = {}
    for evaluation in evaluations:
        if _wants_target(evaluation) and evaluation.partition is not None:
            partition_keys.setdefault(evaluation.asset_key, set()).add(evaluation.partition)
    targets = {
        (asset_key, partition_key): target
        for asset_key, keys in partition_keys.items()
        for partition_key, target in _latest_materializations(instance, asset_key, keys).items()
    }
    return [
        replace(evaluation, target_materialization_data=target)
        if _wants_target(evaluation)
        and (target := targets.get((evaluation.asset_key, evaluation.partition or "")))
        else evaluation
        for evaluation in evaluations
    ]


def _wants_target(evaluation: dg.AssetCheckEvaluation) -> bool:
    return evaluation.partition is not None and evaluation.target_materialization_data is None


def _latest_materializations(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, partition_keys: set[str]
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    storage_ids = instance.get_latest_storage_id_by_partition(
        asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION, partition_keys
    )
    records = instance.get_asset_event_summary_records(
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        asset_key=asset_key,
        storage_ids=list(storage_ids.values()),
    )
    return {
        record.partition: AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in records
        if record.partition is not None and record.run_id is not None
    }
