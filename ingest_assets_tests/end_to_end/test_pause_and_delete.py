"""Pause, resume and delete: what goes on, what rests, and that no row comes twice."""

from datetime import timedelta

import dagster as dg
import pytest

# Private, because only the daemon makes queued runs. Read in dagster 1.13.27.
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from ingest_assets.declaration.declared_changes import NewTableNeededError
from ingest_assets.engine import steps
from ingest_assets.engine.deletion import DeletionRefusedError, plan_deletion
from ingest_assets.errors import TableOwnershipError
from ingest_assets.ledger import batches, leases
from ingest_assets.ledger.standing import DeletedError, PausedError, Standing, standing
from ingest_assets.orchestration import standing_changes
from ingest_assets.orchestration.names import asset_key
from ingest_assets.orchestration.one_pass import ingest_once
from ingest_assets.orchestration.sensor import build_sensor
from ingest_assets.orchestration.tick import run_tick
from ingest_assets.orchestration.upkeep import keep_up
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop, attributes, declare

UPKEEP = timedelta(seconds=9)
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("ingest_assets"), "repository"),
    "__ASSET_JOB",
)
"""Without one Dagster makes no queued run."""


def found(workshop: Workshop, name: str = "orders") -> Standing:
    with workshop.deployment.ledger.transaction() as connection:
        return standing(connection, name)


def audited(workshop: Workshop, name: str = "orders") -> list[tuple[str, str]]:
    with workshop.deployment.ledger.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT action, actor FROM ingest.audit WHERE ingestion = %s AND action = ANY(%s) "
            "ORDER BY audit_id",
            (name, ["pause", "resume", "delete", "drop_table", "set_aside"]),
        )
        return [(row.action, row.actor) for row in rows]


def pause(workshop: Workshop, note: str = "a look") -> bool:
    return standing_changes.pause(
        workshop.deployment, workshop.ingestion(), workshop.instance, "Ada", note
    )


def resume(workshop: Workshop) -> str | None:
    return standing_changes.resume(
        workshop.deployment, workshop.ingestion(), workshop.instance, "Bob", ""
    )


def delete(workshop: Workshop, **wanted: bool) -> None:
    flags = {"drops_table": False, "purges": False, "removes_declaration": False, **wanted}
    plan = plan_deletion(workshop.deployment, "orders", **flags)
    standing_changes.delete(workshop.deployment, plan, workshop.instance, "Ada", "no more")


@pytest.fixture
def loaded(workshop: Workshop) -> Workshop:
    """Declared, with one file in the table."""
    declare(workshop.deployment.settings.defs, attributes(workshop.bucket))
    workshop.put("a.jsonl", json_lines(orders(1)))
    assert workshop.ingest().counts == {"SUCCESS": 1}
    return workshop


def test_a_paused_ingestion_begins_nothing_until_it_is_resumed(loaded: Workshop) -> None:
    loaded.put("b.jsonl", json_lines(orders(4)))
    planned = run_tick(loaded.deployment, loaded.ingestion(), loaded.instance, "sensor")
    assert len(planned.run_requests) == 1
    queued = loaded.instance.add_run(
        dg.DagsterRun(
            job_name="__ASSET_JOB",
            tags=dict(planned.run_requests[0].tags),
            status=dg.DagsterRunStatus.QUEUED,
            remote_job_origin=ORIGIN,
        )
    )
    assert pause(loaded)
    assert not pause(loaded, "again")
    after = loaded.instance.get_run_by_id(queued.run_id)
    assert after is not None
    assert after.status == dg.DagsterRunStatus.CANCELED
    loaded.put("c.jsonl", json_lines(orders(7)))
    tick = run_tick(loaded.deployment, loaded.ingestion(), loaded.instance, "sensor")
    assert tick.run_requests == ()
    assert tick.summary().startswith("orders is paused since ")
    assert "by Ada (a look); `ingest-assets resume orders` lets it go on" in tick.summary()
    with dg.build_sensor_context(instance=loaded.instance) as context:
        shown = build_sensor(loaded.ingestion(), lambda: loaded.deployment)(context)
    assert isinstance(shown, dg.SensorResult)
    assert "orders is paused since" in str(shown.skip_reason)
    assert loaded.statuses() == {"a.jsonl": "SUCCESS", "b.jsonl": "DISCOVERED"}
    with pytest.raises(PausedError, match=r"Nothing was discovered or read"):
        loaded.ingest()
    assert resume(loaded) == "orders goes on where it was"
    assert resume(loaded) is None
    assert loaded.ingest().counts == {"SUCCESS": 2}
    assert loaded.order_ids() == list(range(1, 10))
    assert audited(loaded) == [("pause", "Ada"), ("resume", "Bob")]
    told = loaded.instance.fetch_observations(asset_key(loaded.ingestion()), limit=9).records
    said = [str(record.asset_observation.metadata["ingestion"].value) for record in told]
    assert said == ["resumed by Bob", "paused by Ada"]


def test_a_batch_that_is_at_work_comes_to_its_end_and_is_not_deleted_away(
    loaded: Workshop,
) -> None:
    loaded.put("b.jsonl", json_lines(orders(4)))
    seen: list[str] = []

    def at_read(_outcome: object) -> None:
        pause(loaded)
        with pytest.raises(DeletionRefusedError, match="is at work, or waits for a run"):
            delete(loaded)
        seen.append("refused")

    loaded.put("c.jsonl", json_lines(orders(7)))
    steps.watch_files(at_read)
    try:
        result = loaded.ingest(batch={"max_files": 1})
    finally:
        steps._file_watchers.remove(at_read)
    assert seen == ["refused"]
    assert result.counts == {"SUCCESS": 1}
    assert result.resting is not None
    assert "paused" in result.resting
    assert loaded.order_ids() == list(range(1, 7))
    assert loaded.statuses()["c.jsonl"] == "DISCOVERED"
    assert not found(loaded).is_deleted


def test_a_worker_that_dies_under_a_pause_is_recovered_and_its_files_wait(
    loaded: Workshop,
) -> None:
    loaded.put("b.jsonl", json_lines(orders(4)))
    tick = run_tick(loaded.deployment, loaded.ingestion(), loaded.instance, "sensor")
    with loaded.deployment.ledger.transaction() as connection:
        holder = leases.Holder.this_process()
        batches.claim(connection, tick.planned[0].batch_id, holder, run_id=None)
    pause(loaded)
    assert loaded.statuses()["b.jsonl"] == "PROCESSING"
    loaded.let_leases_run_out()
    resting = run_tick(loaded.deployment, loaded.ingestion(), loaded.instance, "sensor")
    assert "1 batches of a worker that died were recovered" in resting.summary()
    assert loaded.statuses()["b.jsonl"] == "DISCOVERED"


def test_a_person_may_materialize_under_a_pause_and_the_source_is_left_alone(
    loaded: Workshop,
) -> None:
    pause(loaded)
    assert loaded.materialize("a.jsonl").success
    declared = loaded.ingestion(source={"after_success": {"action": "delete"}})
    assert keep_up(loaded.deployment, declared, loaded.instance, UPKEEP) == []
    resume(loaded)
    assert keep_up(loaded.deployment, declared, loaded.instance, UPKEEP) != []


def test_a_deleted_ingestion_rests_and_its_kept_table_is_not_filled_twice(
    loaded: Workshop,
) -> None:
    loaded.put("bad.jsonl.gz", cut_gzip(orders(100, 400)))
    loaded.ingest()
    assert len(loaded.instance.get_dynamic_partitions("orders")) == 2
    delete(loaded)
    assert loaded.instance.get_dynamic_partitions("orders") == []
    assert found(loaded).is_deleted
    loaded.put("b.jsonl", json_lines(orders(4)))
    tick = run_tick(loaded.deployment, loaded.ingestion(), loaded.instance, "sensor")
    assert tick.summary().startswith("orders was deleted at ")
    assert "its table kept; `ingest-assets resume orders` takes it up" in tick.summary()
    with pytest.raises(DeletedError):
        loaded.ingest()
    with pytest.raises(TableOwnershipError, match="belongs to the ingestion 'orders'"):
        loaded.ingest(name="returns", table={"identifier": "raw.orders"})
    loaded.instance.add_dynamic_partitions("orders", ["a.jsonl"])
    assert not loaded.materialize("a.jsonl").success
    loaded.instance.delete_dynamic_partition("orders", "a.jsonl")
    assert loaded.order_ids() == [1, 2, 3]
    assert loaded.files()["a.jsonl"].retired_at is not None
    resume(loaded)
    assert loaded.instance.get_dynamic_partitions("orders") == ["bad.jsonl.gz"]
    assert loaded.ingest().counts == {"SUCCESS": 1}
    assert loaded.order_ids() == list(range(1, 7))
    assert audited(loaded) == [("delete", "Ada"), ("resume", "Bob")]


@pytest.mark.parametrize("purges", [False, True])
def test_a_dropped_table_is_made_anew_and_its_history_is_kept_under_another_name(
    loaded: Workshop, purges: bool
) -> None:
    loaded.put("half.jsonl", json_lines(orders(5, 20)) + b"{broken\n")
    loaded.ingest()
    plan = plan_deletion(
        loaded.deployment, "orders", drops_table=True, purges=purges, removes_declaration=False
    )
    assert [table.identifier for table in plan.tables] == ["raw.orders", "raw.orders__rejected"]
    delete(loaded, drops_table=True, purges=purges)
    data = list(loaded.deployment.settings.warehouse.rglob("*.parquet"))
    assert bool(data) != purges
    assert not loaded.deployment.catalog.table_exists("raw.orders")
    assert not loaded.deployment.catalog.table_exists("raw.orders__rejected")
    assert loaded.partitions() == set()
    with pytest.raises(DeletedError, match="after `ingest-assets resume orders` it begins anew"):
        loaded.ingest()
    assert resume(loaded) == "orders begins anew. What was known of it is orders~1 in the ledger"
    assert set(loaded.files("orders~1")) == {"a.jsonl", "half.jsonl"}
    assert loaded.files() == {}
    assert loaded.ingest().counts == {"SUCCESS": 2}
    assert loaded.order_ids() == [*range(1, 4), *range(5, 25)]
    assert loaded.partitions() == {"a.jsonl", "half.jsonl"}
    assert audited(loaded, "orders~1")[-1] == ("set_aside", "Bob")


def test_what_needs_a_new_table_is_refused_until_it_is_put_back(loaded: Workshop) -> None:
    other = {"partition_by": ["day(ordered_at)"]}
    for _ in range(2):
        with pytest.raises(NewTableNeededError, match=r"table\.sort_by was \[\]"):
            loaded.ingest(table={**other, "sort_by": ["order_id"]})
    assert not loaded.materialize("a.jsonl", table={"sort_by": ["order_id"]}).success
    assert set(loaded.files()) == {"a.jsonl"}
    with pytest.raises(NewTableNeededError, match=r"table\.partition_by was \[\] when"):
        loaded.ingest(table=other)
    loaded.ingest(table={"partition_by": []})
    loaded.deployment.catalog.drop_table("raw.orders")
    again = {"table": {"sort_by": ["order_id desc"], "partition_by": ["day(ordered_at)"]}}
    assert loaded.materialize("a.jsonl", **again).success
    loaded.put("b.jsonl", json_lines(orders(4)))
    assert loaded.ingest(**again).counts == {"SUCCESS": 1}
    assert loaded.order_ids() == list(range(1, 7))


def test_before_its_first_row_a_table_may_still_be_another(workshop: Workshop) -> None:
    for terms in (["region"], ["day(sold_at)"], []):
        workshop.ingest(table={"partition_by": terms, "sort_by": terms and ["order_id"]})
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest(table={"sort_by": ["order_id"]})
    assert workshop.order_ids() == [1, 2, 3]


def test_the_name_of_a_dropped_table_is_free_for_another_ingestion(loaded: Workshop) -> None:
    delete(loaded, drops_table=True)
    loaded.put("a.jsonl", json_lines(orders(40)), name="returns")
    loaded.ingest(name="returns", table={"identifier": "raw.orders"})
    assert loaded.order_ids() == [40, 41, 42]


def test_a_table_that_nobody_owns_yet_is_not_dropped(loaded: Workshop) -> None:
    catalog = loaded.deployment.catalog
    with catalog.load_table("raw.orders").transaction() as transaction:
        transaction.remove_properties("ingest.ingestion")
    delete(loaded, drops_table=True)
    assert catalog.table_exists("raw.orders")


def test_a_deleted_reader_of_the_same_objects_lets_them_go(loaded: Workshop) -> None:
    """One whose `after_success` moves or deletes waits for every other that wants the object."""
    other = {"uri": f"s3://{loaded.bucket}/orders/", "after_success": {"action": "delete"}}
    loaded.put("b.jsonl", json_lines(orders(4)))
    two = loaded.ingestion(name="two", source=other, table={"identifier": "raw.two"})
    ingest_once(loaded.deployment, two, loaded.instance)
    keep_up(loaded.deployment, two, loaded.instance, UPKEEP)
    assert loaded.s3.client.list_objects_v2(Bucket=loaded.bucket)["KeyCount"] == 1
    delete(loaded)
    with loaded.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE ingest.files SET source_retry_at = NULL")
    keep_up(loaded.deployment, two, loaded.instance, UPKEEP)
    assert loaded.s3.client.list_objects_v2(Bucket=loaded.bucket)["KeyCount"] == 0
