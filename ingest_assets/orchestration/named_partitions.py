"""The partitions that Dagster's unfinished work names: they have to stay in their set.

A run names its partitions by tags, a backfill by a subset of keys. Runs and backfills of any asset
count, because assets of a user may have the partitions of an ingestion.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

# Private, because Dagster has no public way to ask for backfills. Read in dagster 1.13.27. To drop:
# when `DagsterInstance.get_backfills` and its filter are public.
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.execution.backfill import (
    BULK_ACTION_TERMINAL_STATUSES,
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from ingest_assets.orchestration.names import RANGE_END_TAG, RANGE_START_TAG

PARTITION_TAG = "dagster/partition"
_OPEN_BACKFILLS = [
    status for status in BulkActionStatus if status not in BULK_ACTION_TERMINAL_STATUSES
]


def named_partitions(instance: dg.DagsterInstance, live: Sequence[str]) -> set[str]:
    """Those of the keys `live`, a dynamic set in its order, that open runs or backfills name.

    All of them if there is an open backfill of which nobody can tell: one of Dagster's old form.
    """
    positions = {key: position for position, key in enumerate(live)}
    named = set[str]()
    for run in instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)):
        named.update(_of_tags(run.tags, live, positions))
    filters = BulkActionsFilter(statuses=_OPEN_BACKFILLS)
    with partition_loading_context(dynamic_partitions_store=instance):
        for backfill in instance.get_backfills(filters=filters):
            named.update(_of_backfill(backfill, live))
    return named.intersection(positions)


def _of_tags(
    tags: Mapping[str, str], live: Sequence[str], positions: Mapping[str, int]
) -> Iterator[str]:
    if PARTITION_TAG in tags:
        yield tags[PARTITION_TAG]
    ends = [tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG) if tag in tags]
    yield from ends
    if len(ends) == 2 and all(key in positions for key in ends):
        start, end = (positions[key] for key in ends)
        yield from live[start : end + 1]


def _of_backfill(backfill: PartitionBackfill, live: Sequence[str]) -> Iterator[str]:
    if backfill.serialized_asset_backfill_data is not None:
        yield from live
    yield from backfill.partition_names or ()
    if backfill.asset_backfill_data is not None:
        target = backfill.asset_backfill_data.target_subset
        for subset in target.partitions_subsets_by_asset_key.values():
            yield from subset.get_partition_keys()
