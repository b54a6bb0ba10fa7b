"""SQL for many events at once, into the tables that Dagster's own storage reads.

Statements over an open transaction and nothing else: the storage decides what is bulk. What belongs
in which column was read in dagster 1.13.27 (`sql_event_log.py`); the tests compare every table's
content, through the storage's public methods, with what the stock storage leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import sqlalchemy

# Private, because Dagster has no other name for its tables and statuses. Read in 1.13.27. To drop:
# when PostgresEventLogStorage.store_event_batch writes planned events and evaluations in bulk.
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._record import replace
from dagster._serdes import serialize_value
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

_UPDATE_EVALUATIONS = sqlalchemy.text("""
    UPDATE asset_check_executions AS execution
    SET execution_status = evaluated.execution_status,
        evaluation_event = evaluated.evaluation_event,
        evaluation_event_timestamp = evaluated.evaluation_event_timestamp,
        evaluation_event_storage_id = evaluated.evaluation_event_storage_id,
        materialization_event_storage_id = evaluated.materialization_event_storage_id
    FROM unnest(
        CAST(:asset_key AS text[]), CAST(:check_name AS text[]), CAST(:run_id AS text[]),
        CAST(:partition AS text[]), CAST(:execution_status AS text[]),
        CAST(:evaluation_event AS text[]), CAST(:evaluation_event_timestamp AS timestamp[]),
        CAST(:evaluation_event_storage_id AS bigint[]),
        CAST(:materialization_event_storage_id AS bigint[])
    ) AS evaluated (
        asset_key, check_name, run_id, partition, execution_status, evaluation_event,
        evaluation_event_timestamp, evaluation_event_storage_id, materialization_event_storage_id
    )
    WHERE execution.asset_key = evaluated.asset_key
      AND execution.check_name = evaluated.check_name
      AND execution.run_id = evaluated.run_id
      AND execution.partition = evaluated.partition
    RETURNING execution.asset_key, execution.check_name, execution.run_id, execution.partition
""")

_INSERT_PLANNED_CHECKS = sqlalchemy.text("""
    INSERT INTO asset_check_executions (
        asset_key, check_name, partition, run_id, execution_status, evaluation_event,
        evaluation_event_timestamp, evaluation_event_storage_id
    )
    SELECT :asset_key, :check_name, planned.partition, :run_id, :execution_status,
           :evaluation_event, :evaluation_event_timestamp, :evaluation_event_storage_id
    FROM unnest(CAST(:partitions AS text[])) WITH ORDINALITY AS planned (partition, position)
    ORDER BY planned.position
""")


@dataclass(frozen=True)
class StoredEvent:
    """An event, its row in `event_logs` as the stock storage writes it, and the row's id."""

    entry: EventLogEntry
    row: Mapping[str, Any]
    storage_id: int


def insert_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """All rows are in `event_logs`; their ids ascend, and come back in the order of the rows."""
    insert = SqlEventLogStorageTable.insert().returning(
        SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
    )
    return list(connection.execute(insert, [dict(row) for row in rows]).scalars())


def upsert_asset_key(connection: Connection, asset_key: str, values: Mapping[str, Any]) -> None:
    """The asset's row exists and holds `values`."""
    insert = postgresql.insert(AssetKeyTable).values(asset_key=asset_key, **values)
    index_elements = [AssetKeyTable.c.asset_key]
    if values:
        connection.execute(
            insert.on_conflict_do_update(index_elements=index_elements, set_=dict(values))
        )
    else:
        connection.execute(insert.on_conflict_do_nothing(index_elements=index_elements))


def insert_planned_checks(connection: Connection, planned: StoredEvent) -> None:
    """One PLANNED execution for each partition of the event, or one without a partition.

    The one difference to the stock storage: each execution's copy of the event leaves out the list
    of all partitions, which the event in the log has. Stock, a run over n partitions writes that
    list n times: 30 MB for 1000 of them, and 75 GB for 50,000.
    """
    dagster_event = planned.entry.get_dagster_event()
    data = dagster_event.asset_check_planned_data
    subset = data.partitions_subset
    event = planned.entry._replace(
        dagster_event=dagster_event._replace(
            event_specific_data=replace(data, partitions_subset=None)
        )
    )
    connection.execute(
        _INSERT_PLANNED_CHECKS,
        {
            "asset_key": data.asset_key.to_string(),
            "check_name": data.check_name,
            "run_id": planned.entry.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": planned.row["timestamp"],
            "evaluation_event_storage_id": planned.storage_id,
            "partitions": list(subset.get_partition_keys()) if subset else [None],
        },
    )


def store_check_evaluations(connection: Connection, evaluated: Sequence[StoredEvent]) -> None:
    """Each planned execution has its outcome; one that was never planned is inserted.

    Every evaluation has a run and a partition. Of two evaluations of one check and partition in
    one run the later one stands, as when they are stored one after the other.
    """
    executions = {
        (row["asset_key"], row["check_name"], row["run_id"], row["partition"]): row
        for row in map(_execution_row, evaluated)
    }
    rows = list(executions.values())
    updated = connection.execute(
        _UPDATE_EVALUATIONS, {column: [row[column] for row in rows] for column in rows[0]}
    )
    for key in updated:
        del executions[tuple(key)]
    if executions:
        connection.execute(AssetCheckExecutionsTable.insert(), list(executions.values()))


def _execution_row(stored: StoredEvent) -> dict[str, Any]:
    evaluation = stored.entry.asset_check_evaluation
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    target = evaluation.target_materialization_data
    status = (
        AssetCheckExecutionRecordStatus.SUCCEEDED
        if evaluation.passed
        else AssetCheckExecutionRecordStatus.FAILED
    )
    return {
        "asset_key": evaluation.asset_key.to_string(),
        "check_name": evaluation.check_name,
        "run_id": stored.entry.run_id,
        "partition": evaluation.partition,
        "execution_status": status.value,
        "evaluation_event": stored.row["event"],
        "evaluation_event_timestamp": stored.row["timestamp"],
        "evaluation_event_storage_id": stored.storage_id,
        "materialization_event_storage_id": target.storage_id if target else None,
    }


def delete_runless_evaluation(connection: Connection, event: EventLogEntry) -> None:
    """The evaluation that `event`, which has no run, takes the place of is gone, if there is one.

    Of a check of one partition: others are not told apart by Dagster's index, and stay.
    """
    evaluation, executions = event.asset_check_evaluation, AssetCheckExecutionsTable.c
    if evaluation is not None and evaluation.partition is not None:
        connection.execute(
            AssetCheckExecutionsTable.delete().where(
                executions.asset_key == evaluation.asset_key.to_string(),
                executions.check_name == evaluation.check_name,
                executions.run_id == event.run_id,
                executions.partition == evaluation.partition,
            )
        )
