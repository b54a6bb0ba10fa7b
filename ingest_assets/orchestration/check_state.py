"""What the UI reads of partitioned asset checks, in time linear in the partitions.

Read in dagster 1.13.27, whose rules these are; the tests compare the results. Stock, two things
are slow each time somebody looks at a check. One statement joins executions with materializations,
and while Postgres has no fresh statistics of the asset it scans the one for each row of the other:
12 s for 6000 partitions. And one partition after the other is added to sets that are copied each
time: 12 s for 20,000. To drop: `partition_infos` when the stock statement no longer joins on
partitions, `dynamic_check_states` when `bulk_update_asset_check_state` adds them together.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.asset_graph_view.serializable_entity_subset import SerializableEntitySubset
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus,
    AssetCheckExecutionResolvedStatus,
    AssetCheckPartitionInfo,
)
from dagster._core.storage.asset_check_state import AssetCheckState
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

_EXECUTIONS = AssetCheckExecutionsTable.c

_RESOLVED = {
    AssetCheckExecutionRecordStatus.SUCCEEDED: AssetCheckExecutionResolvedStatus.SUCCEEDED,
    AssetCheckExecutionRecordStatus.FAILED: AssetCheckExecutionResolvedStatus.FAILED,
}


def partition_infos(
    storage: SqlEventLogStorage,
    keys: Sequence[dg.AssetCheckKey],
    after_storage_id: int | None = None,
    partition_keys: Sequence[str] | None = None,
) -> list[AssetCheckPartitionInfo]:
    """Of each check and partition the latest execution and the latest materialization.

    With `after_storage_id` those where one of the two is newer than that.
    """
    unpartitioned = storage._get_latest_unpartitioned_materialization_storage_ids(
        list({key.asset_key for key in keys})
    )
    infos = []
    for key in keys:
        executions = _latest_executions(storage, key, partition_keys)
        materializations = storage.get_latest_storage_id_by_partition(
            key.asset_key,
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            set(partition_keys) if partition_keys else None,
        )
        for execution in executions:
            own = materializations.get(execution.partition)
            evaluated = execution.evaluation_event_storage_id
            if after_storage_id is not None and max(evaluated, own or 0) <= after_storage_id:
                continue
            latest = max(own or 0, unpartitioned.get(key.asset_key) or 0)
            infos.append(
                AssetCheckPartitionInfo(
                    check_key=key,
                    partition_key=execution.partition,
                    latest_execution_status=AssetCheckExecutionRecordStatus(
                        execution.execution_status
                    ),
                    latest_planned_run_id=execution.run_id,
                    latest_check_event_storage_id=evaluated,
                    latest_materialization_storage_id=latest or None,
                    latest_target_materialization_storage_id=(
                        execution.materialization_event_storage_id
                    ),
                )
            )
    return infos


def _latest_executions(
    storage: SqlEventLogStorage, key: dg.AssetCheckKey, partition_keys: Sequence[str] | None
) -> Sequence[Any]:
    latest = (
        sqlalchemy.select(sqlalchemy.func.max(_EXECUTIONS.id))
        .where(
            _EXECUTIONS.asset_key == key.asset_key.to_string(),
            _EXECUTIONS.check_name == key.name,
            _EXECUTIONS.evaluation_event_storage_id.is_not(None),
        )
        .group_by(_EXECUTIONS.partition)
    )
    if partition_keys is not None:
        latest = latest.where(_EXECUTIONS.partition.in_(partition_keys))
    query = sqlalchemy.select(
        _EXECUTIONS.partition,
        _EXECUTIONS.execution_status,
        _EXECUTIONS.evaluation_event_storage_id,
        _EXECUTIONS.materialization_event_storage_id,
        _EXECUTIONS.run_id,
    ).where(_EXECUTIONS.id.in_(latest))
    with storage.index_connection() as connection:
        return connection.execute(query).all()


def dynamic_check_states(
    instance: dg.DagsterInstance,
    keys: Sequence[tuple[dg.AssetCheckKey, dg.DynamicPartitionsDefinition]],
) -> dict[dg.AssetCheckKey, AssetCheckState]:
    """The state of each check now. A partition that has left the dynamic set has none."""
    infos_by_key: dict[dg.AssetCheckKey, list[AssetCheckPartitionInfo]] = defaultdict(list)
    for info in instance.event_log_storage.get_asset_check_partition_info([key for key, _ in keys]):
        infos_by_key[info.check_key].append(info)
    run_statuses = _finished_runs(
        instance, (info for infos in infos_by_key.values() for info in infos)
    )
    live = {
        name: frozenset(instance.get_dynamic_partitions(name))
        for name in {partitions.name for _, partitions in keys}
        if name is not None
    }
    return {
        key: _state(key, partitions, infos_by_key[key], live[partitions.name or ""], run_statuses)
        for key, partitions in keys
    }


def _finished_runs(
    instance: dg.DagsterInstance, infos: Iterable[AssetCheckPartitionInfo]
) -> dict[str, dg.DagsterRunStatus]:
    planned = {
        info.latest_planned_run_id
        for info in infos
        if info.latest_execution_status is AssetCheckExecutionRecordStatus.PLANNED
    }
    if not planned:
        return {}
    runs = instance.get_runs(
        filters=dg.RunsFilter(run_ids=list(planned), statuses=FINISHED_STATUSES)
    )
    return {run.run_id: run.status for run in runs}


def _state(
    key: dg.AssetCheckKey,
    partitions: dg.DynamicPartitionsDefinition,
    infos: Sequence[AssetCheckPartitionInfo],
    live: frozenset[str],
    run_statuses: Mapping[str, dg.DagsterRunStatus],
) -> AssetCheckState:
    def subset(partition_keys: Sequence[str]) -> SerializableEntitySubset[dg.AssetCheckKey]:
        return SerializableEntitySubset(
            key=key, value=partitions.subset_with_partition_keys(partition_keys)
        )

    keys_by_status: dict[AssetCheckExecutionResolvedStatus, list[str]] = defaultdict(list)
    keys_by_run: dict[str, list[str]] = defaultdict(list)
    for info in infos:
        if info.partition_key is None or info.partition_key not in live:
            continue
        if info.latest_execution_status is AssetCheckExecutionRecordStatus.PLANNED:
            status = _status_without_evaluation(run_statuses.get(info.latest_planned_run_id))
            if status is AssetCheckExecutionResolvedStatus.IN_PROGRESS:
                keys_by_run[info.latest_planned_run_id].append(info.partition_key)
            keys_by_status[status].append(info.partition_key)
        elif info.is_current:
            keys_by_status[_RESOLVED[info.latest_execution_status]].append(info.partition_key)
    return AssetCheckState(
        latest_storage_id=max(
            (
                max(info.latest_check_event_storage_id, info.latest_materialization_storage_id or 0)
                for info in infos
            ),
            default=0,
        ),
        subsets={
            status: subset(keys_by_status[status]) for status in AssetCheckExecutionResolvedStatus
        },
        in_progress_runs={run_id: subset(found) for run_id, found in keys_by_run.items()},
    )


def _status_without_evaluation(
    run_status: dg.DagsterRunStatus | None,
) -> AssetCheckExecutionResolvedStatus:
    if run_status is None:
        return AssetCheckExecutionResolvedStatus.IN_PROGRESS
    if run_status is dg.DagsterRunStatus.FAILURE:
        return AssetCheckExecutionResolvedStatus.EXECUTION_FAILED
    return AssetCheckExecutionResolvedStatus.SKIPPED
