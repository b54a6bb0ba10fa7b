"""Which partitions of an asset are green, red or running, in time linear in those that are live.

Read in dagster 1.13.27, whose rules these are; the tests compare the results. Stock, the answer is
cached until a key is added to the dynamic set, which every batch does; then all events of the asset
are read again, those of partitions that have left the set too, and their keys are looked up in the
set by the thousand. To drop: when the stock cache outlives new keys, and leaves out retired ones.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.partition_status_cache import RUN_FETCH_BATCH_SIZE, AssetStatusCacheValue

_FAILURE = dg.DagsterRunStatus.FAILURE
_STATUS = """
    WITH latest AS (
        SELECT e.partition,
               max(e.id) FILTER (WHERE e.dagster_event_type = 'ASSET_MATERIALIZATION')
                   AS materialized,
               coalesce(max(e.id) FILTER (
                   WHERE e.dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'), 0) AS planned
        FROM event_logs e
        JOIN dynamic_partitions d ON d.partition = e.partition AND d.partitions_def_name = :name
        WHERE e.asset_key = :asset_key
          AND e.dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED')
          {since_wipe}
        GROUP BY e.partition
    )
    SELECT array_agg(partition) FILTER (WHERE materialized IS NOT NULL) AS materialized,
           array_agg(planned) FILTER (WHERE planned > coalesce(materialized, 0)) AS pending,
           max(greatest(materialized, planned)) AS latest_storage_id
    FROM latest
"""


def dynamic_status(
    storage: SqlEventLogStorage,
    instance: dg.DagsterInstance,
    asset_key: dg.AssetKey,
    partitions: dg.DynamicPartitionsDefinition,
) -> AssetStatusCacheValue | None:
    """The status of every live partition of the asset; None when nothing is known of any.

    Green is a partition that was ever materialized; red or running one whose newest plan came to
    nothing since, because its run failed or goes on.
    """
    wiped_at = _wiped_at(storage, asset_key)
    since_wipe = "AND e.timestamp > :wiped_at" if wiped_at else ""
    with storage.index_connection() as connection:
        row = connection.execute(
            sqlalchemy.text(_STATUS.format(since_wipe=since_wipe)),
            {"asset_key": asset_key.to_string(), "name": partitions.name, "wiped_at": wiped_at},
        ).one()
        pending = connection.execute(
            sqlalchemy.text("SELECT partition, run_id FROM event_logs WHERE id = ANY(:ids)"),
            {"ids": list(row.pending or ())},
        ).all()
    if row.latest_storage_id is None:
        return None
    statuses = dict(_run_statuses(instance, list({event.run_id for event in pending})))
    failed = {e.partition for e in pending if statuses.get(e.run_id) is _FAILURE}
    running = {
        e.partition for e in pending if statuses.get(e.run_id, _FAILURE) not in FINISHED_STATUSES
    }

    def text_of(keys: Sequence[str] | set[str]) -> str:
        return partitions.empty_subset().with_partition_keys(keys).serialize()

    return AssetStatusCacheValue(
        latest_storage_id=row.latest_storage_id,
        serialized_materialized_partition_subset=text_of(row.materialized or ()),
        serialized_failed_partition_subset=text_of(failed),
        serialized_in_progress_partition_subset=text_of(running),
    )


def _wiped_at(storage: SqlEventLogStorage, asset_key: dg.AssetKey) -> datetime | None:
    """Since when events of the asset count, in the time without zone that Dagster stores."""
    (details,) = storage._get_assets_details([asset_key])
    if details is None or not details.last_wipe_timestamp:
        return None
    return datetime.fromtimestamp(details.last_wipe_timestamp, UTC).replace(tzinfo=None)


def _run_statuses(
    instance: dg.DagsterInstance, run_ids: Sequence[str]
) -> Iterator[tuple[str, dg.DagsterRunStatus]]:
    for start in range(0, len(run_ids), RUN_FETCH_BATCH_SIZE):
        some = run_ids[start : start + RUN_FETCH_BATCH_SIZE]
        for run in instance.get_runs(dg.RunsFilter(run_ids=some)):
            yield run.run_id, run.status
