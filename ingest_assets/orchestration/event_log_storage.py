"""Dagster's event log on Postgres, on a connection pool, with the events of a batch in one go.

Named in `dagster.yaml` as `event_log_storage`. What Dagster reads is the same as with the stock
storage; only fewer connections and statements stand behind it. A run over 1000 partitions plans,
materializes and checks each of them, and the stock storage writes each of these events alone.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import dagster as dg

# Private, because storages are only public by name in dagster.yaml. Read in dagster 1.13.27. To
# drop: when PostgresEventLogStorage keeps a pool and writes these events in bulk.
from dagster._core.events.log import EventLogEntry
from dagster._core.loader import LoadingContext
from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo
from dagster._core.storage.asset_check_state import AssetCheckState
from dagster._core.storage.event_log.migration import ASSET_KEY_INDEX_COLS
from dagster._core.storage.partition_status_cache import AssetStatusCacheValue
from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy.engine import Connection

from ingest_assets.orchestration import bulk_events, dynamic_partitions
from ingest_assets.orchestration.bulk_events import StoredEvent
from ingest_assets.orchestration.check_state import dynamic_check_states, partition_infos
from ingest_assets.orchestration.event_texts import EventTexts
from ingest_assets.orchestration.instance_storage import PooledPostgres
from ingest_assets.orchestration.partition_status import dynamic_status

EVENT_BATCH_SIZE_DEFAULT = 1000

_ASSET_EVENTS = frozenset(
    {
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        dg.DagsterEventType.ASSET_OBSERVATION,
    }
)


class BulkEventLogStorage(PooledPostgres, PostgresEventLogStorage):
    """The stock event log, except that `store_event_batch` stores batches as batches."""

    # `events.log_check_evaluations` hands evaluations over as a batch only to a storage with this
    # claim: the stock one refuses them, and Dagster then complains on stderr before it goes on.
    can_store_check_evaluations_in_batches = True

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        self._tables_seen: set[str] = set()
        super().__init__(postgres_url, should_autocreate_tables, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Dagster hands events over in batches only where this variable of its own is set."""
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENT_BATCH_SIZE_DEFAULT))
        return super().from_config_value(inst_data, config_value)

    def has_table(self, table_name: str) -> bool:
        """A table that was there once is not asked for again; Dagster asks with every check."""
        if table_name not in self._tables_seen and super().has_table(table_name):
            self._tables_seen.add(table_name)
        return table_name in self._tables_seen

    def get_asset_check_partition_info(
        self,
        keys: Sequence[dg.AssetCheckKey],
        after_storage_id: int | None = None,
        partition_keys: Sequence[str] | None = None,
    ) -> Sequence[AssetCheckPartitionInfo]:
        """The stock answer, without its join of all executions with all materializations."""
        return partition_infos(self, keys, after_storage_id, partition_keys)

    def get_asset_check_state(
        self, keys: Sequence[tuple[dg.AssetCheckKey, dg.PartitionsDefinition | None]]
    ) -> Mapping[dg.AssetCheckKey, AssetCheckState]:
        """What the UI shows of checks; those of our files in time linear in the partitions."""
        dynamic = [
            (key, partitions)
            for key, partitions in keys
            if isinstance(partitions, dg.DynamicPartitionsDefinition) and partitions.name
        ]
        known = dynamic_check_states(self._instance, dynamic) if dynamic else {}
        others = [(key, partitions) for key, partitions in keys if key not in known]
        return {**known, **(super().get_asset_check_state(others) if others else {})}

    def get_asset_status_cache_values(
        self,
        partitions_defs_by_key: Iterable[tuple[dg.AssetKey, dg.PartitionsDefinition | None]],
        context: LoadingContext,
    ) -> Sequence[AssetStatusCacheValue | None]:
        """What the UI shows of partitions; of our files without what has left the dynamic set."""
        values: list[AssetStatusCacheValue | None] = []
        for key, partitions in partitions_defs_by_key:
            if isinstance(partitions, dg.DynamicPartitionsDefinition) and partitions.name:
                values.append(dynamic_status(self, self._instance, key, partitions))
            else:
                values += super().get_asset_status_cache_values([(key, partitions)], context)
        return values

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The set in its order, as one value: a tenth of the time that a row a key takes."""
        with self.index_connection() as connection:
            return dynamic_partitions.ordered(connection, partitions_def_name)

    def delete_dynamic_partitions(self, partitions_def_name: str, keys: Sequence[str]) -> None:
        """None of the keys is in the set; the others keep their order. Dagster has no such call."""
        with self.index_connection() as connection:
            dynamic_partitions.delete(connection, partitions_def_name, keys)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """All of the events are in the log in their order, or none is.

        That none is matters, because Dagster answers an error by storing each event alone. Kinds of
        events that are unknown here go to the stock storage.
        """
        if not events:
            return
        if all(_is_bulk_writable(event) for event in events):
            self._store_in_bulk(events)
        elif any(_is_check_evaluation(event) for event in events):
            # the stock batch refuses evaluations altogether
            for event in events:
                self.store_event(event)
        else:
            super().store_event_batch(events)

    def _store_asset_check_evaluation_planned(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        """The stock method writes the event's text, all of its partitions, once a partition."""
        if event_id is None:
            super()._store_asset_check_evaluation_planned(event, event_id)
            return
        with self.index_connection() as connection:
            planned = StoredEvent(event, self._event_to_row(event), event_id)
            bulk_events.insert_planned_checks(connection, planned)

    def _store_runless_asset_check_evaluation(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        """The newest evaluation without a run takes the place of the one before.

        The stock method refuses a second one of a partition, for good.
        """
        with self.index_connection() as connection:
            bulk_events.delete_runless_evaluation(connection, event)
        super()._store_runless_asset_check_evaluation(event, event_id)

    def _store_in_bulk(self, events: Sequence[EventLogEntry]) -> None:
        texts = EventTexts()
        rows = [self._bulk_row(event, texts) for event in events]
        with self.index_transaction() as connection:
            storage_ids = bulk_events.insert_events(connection, rows)
            stored = [
                StoredEvent(event, row, storage_id)
                for event, row, storage_id in zip(events, rows, storage_ids, strict=True)
            ]
            self._index_asset_events(connection, stored)
            for one in stored:
                if (
                    one.entry.dagster_event_type
                    is dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
                ):
                    bulk_events.insert_planned_checks(connection, one)
            evaluations = [one for one in stored if _is_check_evaluation(one.entry)]
            if evaluations:
                bulk_events.store_check_evaluations(connection, evaluations)

    def _bulk_row(self, event: EventLogEntry, texts: EventTexts) -> dict[str, Any]:
        """As `_event_to_row` makes of an event that is `_is_bulk_writable`."""
        dagster_event = event.get_dagster_event()
        asset_key = dagster_event.asset_key  # None of an evaluation
        return {
            "run_id": event.run_id,
            "event": texts.text(event),
            "dagster_event_type": dagster_event.event_type_value,
            "timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "step_key": dagster_event.step_key,
            "asset_key": None if asset_key is None else asset_key.to_string(),
            "partition": dagster_event.partition,
        }

    def _index_asset_events(self, connection: Connection, stored: Sequence[StoredEvent]) -> None:
        """Tags of each event, and of each asset what its last event of each kind says about it."""
        asset_events = [one for one in stored if one.entry.dagster_event_type in _ASSET_EVENTS]
        self._store_asset_event_tags(
            connection,
            [one.entry for one in asset_events],
            [one.storage_id for one in asset_events],
        )
        last_of_each_kind = {
            (one.row["asset_key"], one.entry.dagster_event_type): one for one in asset_events
        }
        values_by_asset_key: dict[str, dict[str, Any]] = {}
        has_index_columns = self.has_secondary_index(ASSET_KEY_INDEX_COLS)
        for (asset_key, _), one in sorted(
            last_of_each_kind.items(), key=lambda item: item[1].storage_id
        ):
            values_by_asset_key.setdefault(asset_key, {}).update(
                self._get_asset_entry_values(one.entry, one.storage_id, has_index_columns)
            )
        # in a fixed order, so that two processes never wait for each other's rows
        for asset_key, values in sorted(values_by_asset_key.items()):
            bulk_events.upsert_asset_key(connection, asset_key, values)


def _is_check_evaluation(event: EventLogEntry) -> bool:
    return event.dagster_event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION


def _is_bulk_writable(event: EventLogEntry) -> bool:
    dagster_event = event.dagster_event
    if dagster_event is None:
        return False
    if dagster_event.event_type in _ASSET_EVENTS:
        return dagster_event.asset_key is not None
    if dagster_event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        # without a run there is no planned execution, and without a partition it is only one
        evaluation = event.asset_check_evaluation
        return bool(event.run_id) and evaluation is not None and evaluation.partition is not None
    return dagster_event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
