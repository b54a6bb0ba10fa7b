"""The bulk event log storage leaves what the stock one leaves, and survives what it survives."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from dagster._check import CheckError
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.events import DagsterEventBatchMetadata
from dagster._core.loader import LoadingContext
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._serdes import serialize_value

from ingest_assets.orchestration import events
from ingest_assets.orchestration.event_log_storage import BulkEventLogStorage

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")

ASSET = dg.AssetKey(["raw", "orders"])
CHECKS = [dg.AssetCheckKey(ASSET, name) for name in ("schema_compatible", "rows_parsed")]
KEYS = [f"2026/01/{day:02d}.json" for day in range(1, 9)]
EVENT = dg.DagsterEventType


def reporter(
    *, bad: Sequence[str] = (), unchecked: Sequence[str] = ()
) -> Callable[[dg.OpExecutionContext], None]:
    """An op's body: all keys but the bad ones are materialized; it raises if any is bad."""

    def report(context: dg.OpExecutionContext) -> None:
        keys = context.partition_keys
        events.log_materializations(
            context,
            ASSET,
            [(k, {"rows": i, "uri": f"s3://x/{k}"}) for i, k in enumerate(keys) if k not in bad],
        )
        events.log_check_evaluations(
            context,
            [
                dg.AssetCheckEvaluation(
                    asset_key=ASSET,
                    check_name=check.name,
                    passed=key not in bad,
                    partition=key,
                    metadata={"differences": 3},
                    severity=dg.AssetCheckSeverity.WARN,
                    description="what differs",
                )
                for key in keys
                if key not in unchecked
                for check in CHECKS
            ],
        )
        if bad:
            raise dg.Failure(f"{len(bad)} files failed")

    return report


def normalized(value: Any) -> Any:
    """Dagster's own text of the value, without what differs between two equal runs."""

    def clean(node: Any) -> Any:
        if isinstance(node, dict):
            if node.get("__class__") == "AssetCheckEvaluationPlanned":
                # the one difference on purpose, see bulk_events.insert_planned_checks
                node = {**node, "partitions_subset": None}
            return {
                name: clean(child)
                for name, child in node.items()
                if name not in ("timestamp", "create_timestamp", "pid", "user_message")
            }
        if isinstance(node, list):
            return [clean(child) for child in node]
        return node

    return clean(json.loads(serialize_value(value)))


def public_view(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> dict[str, Any]:
    """What the storage's public methods say about the asset, its partitions, checks and runs."""
    return {
        "runs": [run_view(instance, run_id) for run_id in run_ids],
        "largest id": instance.event_log_storage.get_maximum_record_id(),
        "assets": instance.all_asset_keys(),
        **asset_view(instance),
        **check_view(instance),
    }


def run_view(instance: dg.DagsterInstance, run_id: str) -> dict[str, Any]:
    varying = {  # they name durations and temporary files
        EVENT.LOGS_CAPTURED,
        EVENT.RESOURCE_INIT_SUCCESS,
        EVENT.STEP_SUCCESS,
        EVENT.STEP_FAILURE,
        EVENT.ENGINE_EVENT,
    }
    records = instance.get_records_for_run(run_id).records
    return {
        "types": [(r.storage_id, r.event_log_entry.dagster_event_type) for r in records],
        "events": [
            normalized(r) for r in records if r.event_log_entry.dagster_event_type not in varying
        ],
        "materializations": instance.get_run_stats(run_id).materializations,
        "partitions": instance.get_asset_partitions_for_run(run_id),
    }


class Asking(LoadingContext):
    """What the webserver hands to a storage that it asks for many things at once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._loaders: dict[type, Any] = {}

    @property
    def instance(self) -> dg.DagsterInstance:
        return self._instance

    @property
    def loaders(self) -> dict[type, Any]:
        return self._loaders


def asset_view(instance: dg.DagsterInstance) -> dict[str, Any]:
    storage = instance.event_log_storage
    partitions = dg.DynamicPartitionsDefinition(name="orders")
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        cache = get_and_update_asset_status_cache_value(instance, ASSET, partitions)
        status = instance.get_status_by_partition(ASSET, KEYS, partitions)
        (shown,) = storage.get_asset_status_cache_values([(ASSET, partitions)], Asking(instance))
    assert shown is not None
    page = instance.fetch_materializations(ASSET, limit=4)
    next_page = instance.fetch_materializations(ASSET, limit=400, cursor=page.cursor)
    return {
        "status cache": cache,
        "status": status,
        "shown": [
            shown.serialized_materialized_partition_subset,
            shown.serialized_failed_partition_subset,
            shown.serialized_in_progress_partition_subset,
        ],
        "materialized": instance.get_materialized_partitions(ASSET),
        "attempts": (
            storage.get_latest_asset_partition_materialization_attempts_without_materializations(
                ASSET
            )
        ),
        "latest": instance.get_latest_storage_id_by_partition(ASSET, EVENT.ASSET_MATERIALIZATION),
        "planned": storage.get_latest_planned_materialization_info(ASSET),
        "pages": [[normalized(r) for r in found.records] for found in (page, next_page)],
        "asset": [
            normalized(r.asset_entry.last_materialization_record)
            for r in instance.get_asset_records([ASSET])
        ],
        "last run": [r.asset_entry.last_run_id for r in instance.get_asset_records([ASSET])],
        "tags": [dict(tags) for tags in instance.get_event_tags_for_asset(ASSET)],
        "data versions": storage.get_latest_tags_by_partition(
            ASSET, EVENT.ASSET_MATERIALIZATION, ["dagster/data_version"]
        ),
    }


def check_view(instance: dg.DagsterInstance) -> dict[str, Any]:
    storage = instance.event_log_storage

    def row(execution: Any) -> Any:
        return (*execution[1:4], execution.partition, normalized(execution.event))

    partitions = dg.DynamicPartitionsDefinition(name="orders")
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        states = storage.get_asset_check_state([(check, partitions) for check in CHECKS])
        mixed = storage.get_asset_check_state([(CHECKS[0], partitions), (CHECKS[1], None)])

    return {
        "history": [
            [
                row(execution)
                for execution in storage.get_asset_check_execution_history(
                    check, limit=limit, cursor=cursor, partition_filter=only
                )
            ]
            for check in CHECKS
            for limit, cursor, only in [
                (1000, None, None),
                (3, 9, None),
                (1000, None, PartitionKeyFilter(key=KEYS[4])),
            ]
        ],
        "latest checks": {
            key.name: row(execution)
            for key, execution in storage.get_latest_asset_check_execution_by_key(CHECKS).items()
        },
        "check partitions": [
            sorted(storage.get_asset_check_partition_info(CHECKS, after, only), key=repr)
            for after in (None, 0, 20, 30, 10_000)
            for only in (None, [], KEYS[2:5], ["no such key"])
        ],
        "check states": states,
        "check states, one read without partitions": mixed,
    }


def test_runs_over_ranges_look_the_same_on_stock_and_bulk_storage(new_instance, ranged_run):
    run_ids = [str(uuid.uuid4()) for _ in range(3)]
    views = []
    for is_stock in (True, False):
        instance = new_instance(is_stock=is_stock)
        instance.add_dynamic_partitions("orders", KEYS)
        view = []
        bad = reporter(bad=KEYS[2:4], unchecked=KEYS[5:6])
        first = ranged_run(instance, KEYS[:6], bad, run_ids[0])
        assert not first.success
        view.append(public_view(instance, run_ids[:1]))
        # the next run mends one of the bad files and breaks a good one
        ranged_run(instance, KEYS[3:], reporter(bad=KEYS[4:5]), run_ids[1])
        view.append(public_view(instance, run_ids[:2]))
        instance.wipe_assets([ASSET])
        view.append([instance.all_asset_keys(), instance.get_materialized_partitions(ASSET)])
        ranged_run(instance, KEYS[:2], reporter(unchecked=KEYS[:1]), run_ids[2])
        instance.delete_dynamic_partition("orders", KEYS[7])
        view.append(public_view(instance, run_ids))
        views.append(view)
    stock, bulk = views
    assert bulk == stock
    assert len(bulk[0]["materialized"]) == 4
    assert bulk[0]["status"][KEYS[2]].value == "FAILED"
    sizes = [
        {
            status.value: subset.size
            for status, subset in view["check states"][CHECKS[0]].subsets.items()
            if subset.size
        }
        for view in (bulk[0], bulk[1], bulk[3])
    ]
    assert sizes == [
        {"SUCCEEDED": 3, "FAILED": 2, "EXECUTION_FAILED": 1},
        {"SUCCEEDED": 6, "FAILED": 2},
        {"SUCCEEDED": 1, "SKIPPED": 1},
    ]


def test_keys_that_a_successful_run_did_not_materialize_keep_their_status(new_instance, ranged_run):
    instance = new_instance()
    instance.add_dynamic_partitions("orders", KEYS)

    def only(*wanted: str) -> Callable[[dg.OpExecutionContext], None]:
        return lambda context: events.log_materializations(
            context, ASSET, [(key, {}) for key in wanted]
        )

    def status() -> list[str | None]:
        partitions = dg.DynamicPartitionsDefinition(name="orders")
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            found = instance.get_status_by_partition(ASSET, KEYS[:4], partitions)
        return [found[key].value if found[key] else None for key in KEYS[:4]]

    ranged_run(instance, KEYS[:2], reporter(bad=KEYS[1:2]))
    assert status() == ["MATERIALIZED", "FAILED", None, None]
    assert ranged_run(instance, KEYS[:4], only(KEYS[3])).success
    assert status() == ["MATERIALIZED", "FAILED", None, "MATERIALIZED"]


def test_a_check_is_shown_for_the_partition_it_was_evaluated_on(new_instance, ranged_run):
    instance = new_instance()
    instance.add_dynamic_partitions("orders", KEYS)
    ranged_run(instance, KEYS, reporter(bad=KEYS[6:7]))

    infos = instance.event_log_storage.get_asset_check_partition_info(CHECKS[:1])

    assert {info.partition_key for info in infos} == set(KEYS)
    assert all(info.is_current for info in infos)
    failed = [i.partition_key for i in infos if i.latest_execution_status.value == "FAILED"]
    assert failed == KEYS[6:7]


@pytest.fixture
def entries(new_instance, ranged_run):
    """The events of a run, with observations, data versions, a check without partition or plan."""
    instance = new_instance(is_stock=True)
    instance.add_dynamic_partitions("orders", KEYS)
    partly = reporter(bad=KEYS[2:4], unchecked=KEYS[5:6])

    def report(context: dg.OpExecutionContext) -> None:
        for key in KEYS[:3]:
            tags = {"dagster/data_version": f"v-{key}", "other": "tag"}
            context.log_event(dg.AssetMaterialization(ASSET, partition=key, tags=tags))
            context.log_event(dg.AssetObservation(ASSET, partition=key, tags=tags))
            context.log_event(dg.AssetMaterialization(["another", "asset"], partition=key))
        never_planned = dg.AssetCheckEvaluation(ASSET, "never_planned", passed=True)
        context.log_event(never_planned)
        for passed in (True, False):
            events.log_check_evaluations(
                context,
                [dg.AssetCheckEvaluation(ASSET, CHECKS[0].name, passed, partition="no such key")],
            )
        partly(context)

    run_id = ranged_run(instance, KEYS[:6], report).run_id
    return [record.event_log_entry for record in instance.get_records_for_run(run_id).records]


def test_a_batch_of_any_mixture_leaves_what_single_events_leave(new_instance, entries):
    asset_entries = [
        entry
        for entry in entries
        if entry.dagster_event
        and (entry.dagster_event.asset_key or "CHECK" in entry.dagster_event.event_type_value)
        and "never_planned" not in serialize_value(entry)
    ]
    assert len({entry.dagster_event_type for entry in asset_entries}) == 5
    stock, bulk = new_instance(is_stock=True), new_instance()
    for instance in (stock, bulk):
        instance.add_dynamic_partitions("orders", KEYS)
    for entry in asset_entries:
        stock.event_log_storage.store_event(entry)
    statements = record_statements(bulk.event_log_storage)

    bulk.event_log_storage.store_event_batch(asset_entries)

    assert len(statements) < 20
    run_id = asset_entries[0].run_id
    stored = [i.get_records_for_run(run_id).records for i in (stock, bulk)]
    assert list(map(normalized, stored[1])) == list(map(normalized, stored[0]))
    assert asset_view(bulk) == asset_view(stock)
    assert check_view(bulk) == check_view(stock)


def record_statements(storage: Any) -> list[str]:
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    sqlalchemy.event.listen(storage._engine, "before_cursor_execute", note)
    return statements


def test_events_it_does_not_know_are_stored_as_dagster_stores_them(new_instance, entries):
    stock, bulk = new_instance(is_stock=True), new_instance()
    for instance in (stock, bulk):
        instance.add_dynamic_partitions("orders", KEYS)
    for entry in entries:
        stock.event_log_storage.store_event(entry)
        bulk.event_log_storage.store_event(entry)
    run_id = entries[0].run_id
    assert asset_view(bulk) == asset_view(stock)
    assert check_view(bulk) == check_view(stock)
    assert run_view(bulk, run_id)["events"] == run_view(stock, run_id)["events"]

    evaluation = [e for e in entries if "never_planned" in serialize_value(e)][:1]
    bulk.event_log_storage.store_event_batch(evaluation)  # a check without a partition
    (row,) = bulk.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(ASSET, "never_planned"), limit=10
    )
    assert row.partition is None
    engine_event = next(e for e in entries if e.dagster_event_type is EVENT.STEP_START)
    with pytest.raises(CheckError, match="batch writes"):
        bulk.event_log_storage.store_event_batch([engine_event])
    bulk.event_log_storage.store_event_batch([])


def test_a_batch_that_fails_leaves_nothing_and_dagster_stores_each_event_once(
    new_instance, entries, monkeypatch, capsys
):
    materializations = [e for e in entries if e.dagster_event_type is EVENT.ASSET_MATERIALIZATION]
    instance = new_instance()

    def broken(*_: Any) -> None:
        raise OSError("the last step of the batch")

    monkeypatch.setattr(BulkEventLogStorage, "_index_asset_events", broken)
    with pytest.raises(OSError, match="last step"):
        instance.event_log_storage.store_event_batch(materializations)
    assert instance.event_log_storage.get_maximum_record_id() is None

    for position, entry in enumerate(materializations):
        is_end = position == len(materializations) - 1
        metadata = DagsterEventBatchMetadata("batch", is_end)
        instance.handle_new_event(entry, batch_metadata=metadata)
    assert "Falling back" in capsys.readouterr().err
    run_id = materializations[0].run_id
    assert len(instance.get_records_for_run(run_id).records) == len(materializations)


WRITER = """
import sys, uuid
import dagster as dg
from dagster._core.events import DagsterEventBatchMetadata, StepMaterializationData
from ingest_assets.orchestration.event_log_storage import BulkEventLogStorage
from dagster._core.events.log import EventLogEntry
storage = BulkEventLogStorage(sys.argv[1])
for batch in range(20):
    storage.store_event_batch([
        EventLogEntry(None, 10, "", sys.argv[2], float(batch + 1), "step", "job", dg.DagsterEvent(
            "ASSET_MATERIALIZATION", "job", event_specific_data=StepMaterializationData(
                dg.AssetMaterialization(name, partition=f"{sys.argv[2]}-{batch}-{number}"))))
        for number in range(50) for name in (("a", "b") if sys.argv[3] == "0" else ("b", "a"))
    ])
"""


def test_the_newest_evaluation_without_a_run_takes_the_place_of_the_one_before(new_instance):
    instance = new_instance()
    for passed in (True, False):
        for key in KEYS[:2]:
            evaluation = dg.AssetCheckEvaluation(
                asset_key=ASSET,
                check_name=CHECKS[0].name,
                passed=passed,
                metadata={},
                partition=key,
            )
            instance.report_runless_asset_event(evaluation)
    found = instance.event_log_storage.get_asset_check_execution_history(CHECKS[0], limit=10)
    assert sorted((one.partition, one.status.value) for one in found) == [
        (key, "FAILED") for key in KEYS[:2]
    ]


def test_two_processes_store_batches_of_the_same_assets_at_once(new_database):
    url = new_database()
    storage = BulkEventLogStorage(url)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, f"run-{number}", str(number)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for writer in writers:
        _, complaints = writer.communicate(timeout=120)
        assert writer.returncode == 0, complaints
    for name in ("a", "b"):
        assert len(storage.get_materialized_partitions(dg.AssetKey(name))) == 2 * 20 * 50
    for run_id in ("run-0", "run-1"):
        records = storage.get_records_for_run(run_id).records
        assert len(records) == 2000
        timestamps = [record.event_log_entry.timestamp for record in records]
        assert timestamps == sorted(timestamps)
