"""Events reported in one go are the events that Dagster's own `log_event` stores."""

import json
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from dagster._serdes import serialize_value

from ingest_assets.orchestration import events

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")

ASSET = dg.AssetKey(["raw", "orders"])
KEYS = ["a.json", "b/c.json", "d.json"]
EVENT = dg.DagsterEventType


def stored(instance: dg.DagsterInstance, run_id: str, event_type: EVENT) -> list[Any]:
    """Dagster's text of the run's events of the type, without run, time and target."""

    def clean(node: Any) -> Any:
        if isinstance(node, dict):
            varying = ("timestamp", "run_id", "user_message", "target_materialization_data")
            return {name: clean(child) for name, child in node.items() if name not in varying}
        return [clean(child) for child in node] if isinstance(node, list) else node

    return [
        clean(json.loads(serialize_value(record.event_log_entry)))
        for record in instance.get_records_for_run(run_id, of_type=event_type).records
    ]


def evaluation(key: str | None, **changes: Any) -> dg.AssetCheckEvaluation:
    fields = {"passed": True, "metadata": {"rows": 3}, **changes}
    return dg.AssetCheckEvaluation(
        asset_key=ASSET, check_name="rows_parsed", partition=key, **fields
    )


@pytest.mark.parametrize("is_stock", [True, False], ids=["stock", "bulk"])
def test_reported_events_equal_those_of_log_event(new_instance, ranged_run, is_stock):
    instance = new_instance(is_stock=is_stock)
    instance.add_dynamic_partitions("orders", KEYS)
    metadata = {"rows": 3, "uri": dg.MetadataValue.url("s3://x/y")}
    evaluations = [
        evaluation(KEYS[0]),
        evaluation(KEYS[1], passed=False, description="two rows", blocking=True),
        evaluation(None),
    ]

    def one_by_one(context: dg.OpExecutionContext) -> None:
        for key in KEYS:
            context.log_event(dg.AssetMaterialization(ASSET, partition=key, metadata=metadata))
        for one in evaluations:
            context.log_event(one)

    def in_one_go(context: dg.OpExecutionContext) -> None:
        events.log_materializations(context, ASSET, [(key, metadata) for key in KEYS])
        events.log_check_evaluations(context, evaluations)

    single = ranged_run(instance, KEYS, one_by_one)
    bulk = ranged_run(instance, KEYS, in_one_go)

    for event_type in (EVENT.ASSET_MATERIALIZATION, EVENT.ASSET_CHECK_EVALUATION):
        found = stored(instance, bulk.run_id, event_type)
        assert found == stored(instance, single.run_id, event_type)
        assert len(found) == 3


def test_batches_are_complete_whatever_their_size(new_instance, ranged_run, monkeypatch):
    instance = new_instance()
    keys = [f"{number}.json" for number in range(7)]
    instance.add_dynamic_partitions("orders", keys)
    batches: list[int] = []
    store = type(instance.event_log_storage)._store_in_bulk

    def count(storage: Any, entries: Any) -> None:
        batches.append(len(entries))
        store(storage, entries)

    monkeypatch.setattr(type(instance.event_log_storage), "_store_in_bulk", count)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "3")

    def report(context: dg.OpExecutionContext) -> None:
        batches.clear()  # those of the planned events
        events.log_materializations(context, ASSET, [(key, {}) for key in keys])
        events.log_check_evaluations(context, [evaluation(key) for key in keys[:6]])
        events.log_materializations(context, ASSET, [])
        events.log_check_evaluations(context, [])

    assert ranged_run(instance, keys, report).success
    assert batches == [3, 3, 3, 3]  # and the seventh materialization alone
    assert instance.get_materialized_partitions(ASSET) == set(keys)


def test_evaluations_name_the_materialization_they_are_about(new_instance, ranged_run):
    instance = new_instance()
    instance.add_dynamic_partitions("orders", KEYS)

    def materialize(*keys: str) -> Callable[[dg.OpExecutionContext], None]:
        def report(context: dg.OpExecutionContext) -> None:
            events.log_materializations(context, ASSET, [(key, {}) for key in keys])
            events.log_check_evaluations(context, [evaluation(key) for key in KEYS])

        return report

    first = ranged_run(instance, KEYS, materialize(KEYS[0])).run_id
    second = ranged_run(instance, KEYS, materialize(KEYS[1])).run_id

    records = instance.get_records_for_run(second, of_type=EVENT.ASSET_CHECK_EVALUATION).records
    targets = {
        record.partition_key or found.partition: found.target_materialization_data
        for record in records
        if (found := record.event_log_entry.asset_check_evaluation)
    }
    latest = instance.get_latest_storage_id_by_partition(ASSET, EVENT.ASSET_MATERIALIZATION)
    assert targets[KEYS[0]].storage_id == latest[KEYS[0]]
    assert targets[KEYS[0]].run_id == first
    assert targets[KEYS[1]].storage_id == latest[KEYS[1]]
    assert targets[KEYS[1]].run_id == second
    assert targets[KEYS[2]] is None


def test_a_thousand_events_are_one_log_line_each_kind(new_instance, ranged_run, capsys):
    instance = new_instance()
    keys = [f"{number:04d}.json" for number in range(1000)]
    instance.add_dynamic_partitions("orders", keys)

    def report(context: dg.OpExecutionContext) -> None:
        events.log_materializations(context, ASSET, [(key, {"rows": 1}) for key in keys])
        events.log_check_evaluations(
            context, [evaluation(k, passed=k != "0000.json") for k in keys]
        )

    assert ranged_run(instance, keys, report).success
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) < 30
    assert sum("Materialized 1000 partitions of raw/orders." in line for line in lines) == 1
    assert sum("Evaluated 1000 checks, 1 did not pass." in line for line in lines) == 1
