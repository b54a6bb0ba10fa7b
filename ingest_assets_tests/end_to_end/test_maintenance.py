"""Maintenance of an ingestion's tables: the same rows, in fewer files, and nothing read again."""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyiceberg.table import Table

from ingest_assets.engine import maintenance, steps
from ingest_assets.engine.chores import Chore, MaintenanceReport
from ingest_assets.engine.recovery import recover
from ingest_assets.orchestration.maintenance_job import (
    MAINTAIN_OP,
    build_maintain_job,
    build_maintenance_schedules,
    maintain_config,
)
from ingest_assets.tables import expiry
from ingest_assets.tables.compaction import Compacted
from ingest_assets.tables.expiry import Expiry
from ingest_assets.tables.orphans import Orphans
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.test_changed_files import roll_back
from ingest_assets_tests.end_to_end.test_reconcile import check
from ingest_assets_tests.end_to_end.workshop import Workshop, declare

LATER = timedelta(days=30)
FEW: dict[str, Any] = {"maintenance": {"keep_snapshots": 1, "min_files": 2}}


def keep(
    workshop: Workshop, *chores: Chore, later: timedelta = LATER, **changes: Any
) -> MaintenanceReport:
    """The tables are maintained as on a later day."""
    return maintenance.maintain(
        workshop.deployment,
        workshop.ingestion(**{**FEW, **changes}),
        chores or tuple(Chore),
        datetime.now(UTC) + later,
    )


def result(report: MaintenanceReport, chore: Chore, table: str = "raw.orders") -> Any:
    [found] = [one for one in report.tables if one.identifier == table]
    assert not found.refused
    assert not found.failed
    return found.results[chore]


def table(workshop: Workshop, name: str = "raw.orders") -> Table:
    return workshop.deployment.catalog.load_table(name)


def put(workshop: Workshop, *numbers: int, **changes: Any) -> None:
    """A file, and so a commit, for each number: an order of that number, and a line that is bad."""
    for number in numbers:
        body = json_lines(orders(number, 1)) + b"\n{bad"
        workshop.put(f"{number:03}.json", body)
    workshop.ingest(max_rejected_ratio=1, batch={"max_files": 1}, **changes)


def row_ids(workshop: Workshop, name: str = "raw.orders") -> "Counter[tuple[int, int]]":
    """How often each row is there."""
    found = table(workshop, name).scan(selected_fields=("_content_id", "_source_row")).to_arrow()
    return Counter((row["_content_id"], row["_source_row"]) for row in found.to_pylist())


def warehouse(workshop: Workshop) -> list[Path]:
    """Every file of the main table."""
    location = Path(table(workshop).metadata.location.removeprefix("file://"))
    return sorted(path for path in location.rglob("*") if path.is_file())


def test_small_files_become_one_with_the_same_rows_in_both_tables(workshop: Workshop) -> None:
    put(workshop, *range(6))
    before = workshop.rows(), row_ids(workshop, "raw.orders__rejected"), workshop.files()
    report = keep(workshop)
    for name in ("raw.orders", "raw.orders__rejected"):
        done = result(report, Chore.COMPACT, name)
        assert (done.old_files, done.new_files, done.rows) == (6, 1, 6)
        assert len(list(table(workshop, name).scan().plan_files())) == 1

    assert workshop.rows() == before[0]
    assert row_ids(workshop, "raw.orders__rejected") == before[1]
    found = check(workshop)
    assert not found.disagreements
    workshop.ingest(max_rejected_ratio=1)
    assert workshop.files() == before[2]
    assert workshop.rows() == before[0]


def test_the_plan_says_exactly_what_is_done_and_changes_nothing(workshop: Workshop) -> None:
    put(workshop, *range(4))
    before = table(workshop).metadata_location, warehouse(workshop)
    declared, now = workshop.ingestion(**FEW), datetime.now(UTC) + LATER
    plan = maintenance.plan(workshop.deployment, declared, tuple(Chore), now)
    assert (table(workshop).metadata_location, warehouse(workshop)) == before
    expiry = result(plan, Chore.EXPIRE)
    done = result(keep(workshop, Chore.EXPIRE), Chore.EXPIRE)
    assert done == expiry
    assert len(done.snapshots) == 3
    gone = {Path(path.removeprefix("file://")) for path in done.files.paths}
    assert set(before[1]) - set(warehouse(workshop)) == gone
    [group] = result(plan, Chore.COMPACT)
    compacted = result(keep(workshop, Chore.COMPACT), Chore.COMPACT)
    assert isinstance(compacted, Compacted)
    assert (len(group.tasks), group.size_bytes) == (compacted.old_files, compacted.old_bytes)


def test_after_an_expiry_no_file_is_read_again_and_the_rest_is_deleted(workshop: Workshop) -> None:
    put(workshop, *range(5))
    keep(workshop)
    rows, files = workshop.rows(), workshop.files()
    assert len(list(table(workshop).snapshots())) == 1
    assert recover(workshop.deployment, workshop.ingestion()).rolled_back == ()
    assert workshop.ingest(max_rejected_ratio=1).files == {}
    assert (workshop.rows(), workshop.files()) == (rows, files)
    data = [path for path in warehouse(workshop) if path.suffix == ".parquet"]
    assert len(data) == 1


def test_two_that_expire_the_same_snapshots_do_not_disturb_each_other(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(workshop, *range(3))
    rows = row_ids(workshop)
    left_by, others = expiry.left_by, []

    def after_another(*arguments: Any) -> Any:
        if not others:
            others.append("begun")
            others.append(keep(workshop, Chore.EXPIRE))
        return left_by(*arguments)

    monkeypatch.setattr(expiry, "left_by", after_another)
    assert result(keep(workshop, Chore.EXPIRE), Chore.EXPIRE).snapshots == ()
    assert len(result(others[1], Chore.EXPIRE).snapshots) == 2
    assert row_ids(workshop) == rows


def test_a_rollback_to_before_expired_snapshots_sends_their_files_round_again(
    workshop: Workshop,
) -> None:
    put(workshop, 0)
    tagged = table(workshop).current_snapshot().snapshot_id
    table(workshop).manage_snapshots().create_tag(tagged, "month-end").commit()
    put(workshop, 1, 2, 3)
    keep(workshop)
    assert {one.snapshot_id for one in table(workshop).snapshots()} > {tagged}
    table(workshop).manage_snapshots().set_current_snapshot(tagged).commit()
    assert workshop.order_ids() == [0]
    again = recover(workshop.deployment, workshop.ingestion())
    assert len(again.rolled_back) == 3
    assert recover(workshop.deployment, workshop.ingestion()).rolled_back == ()
    workshop.ingest(max_rejected_ratio=1)
    assert workshop.order_ids() == [0, 1, 2, 3]
    assert set(row_ids(workshop).values()) == {1}
    assert recover(workshop.deployment, workshop.ingestion()).rolled_back == ()


def test_a_rollback_to_before_expired_snapshots_is_noticed_although_a_batch_lands_on_it(
    workshop: Workshop,
) -> None:
    put(workshop, 0)
    tagged = table(workshop).current_snapshot().snapshot_id
    table(workshop).manage_snapshots().create_tag(tagged, "month-end").commit()
    put(workshop, 1, 2)
    keep(workshop)
    workshop.put("003.json", json_lines(orders(3, 1)))

    read: list[object] = []

    def at_read(outcome: object) -> None:
        read.append(outcome)
        if len(read) == 1:
            table(workshop).manage_snapshots().set_current_snapshot(tagged).commit()

    steps.watch_files(at_read)
    try:
        workshop.ingest(max_rejected_ratio=1)
    finally:
        steps._file_watchers.remove(at_read)
    workshop.ingest(max_rejected_ratio=1)
    assert workshop.order_ids() == [0, 1, 2, 3]
    assert not check(workshop).disagreements


def test_of_the_deleted_keys_the_newest_snapshot_alone_is_kept(workshop: Workshop) -> None:
    feed = {
        "write_mode": "merge",
        "primary_key": ["id"],
        "order_by": "at",
        "delete_when": {"column": "op", "equals": ["D"]},
    }
    for at in range(1, 5):
        rows = [{"id": at, "at": at, "op": "D"}, {"id": 9, "at": at, "op": "U"}]
        workshop.put(f"{at}.json", json_lines(rows))
        assert workshop.ingest(table=feed).is_all_well
    keep(workshop, table=feed)
    assert len(table(workshop).snapshots()) == 2, "that of main, and that of the branch"
    workshop.put("late.json", json_lines([{"id": at, "at": 0, "op": "U"} for at in range(1, 5)]))
    assert workshop.ingest(table=feed).is_all_well
    assert [(row["id"], row["at"]) for row in workshop.rows()] == [(9, 4)]


def test_a_rollback_to_a_kept_snapshot_is_noticed_after_an_expiry(workshop: Workshop) -> None:
    put(workshop, 0, 1, 2)
    keep(workshop, Chore.EXPIRE, maintenance={"keep_snapshots": 2})
    assert len(table(workshop).snapshots()) == 2
    roll_back(workshop, 1)
    assert workshop.order_ids() == [0, 1]
    workshop.ingest(max_rejected_ratio=1)
    assert workshop.order_ids() == [0, 1, 2]


def test_what_a_rollback_took_out_is_not_expired_before_its_files_wait_again(
    workshop: Workshop,
) -> None:
    put(workshop, 0, 1)
    abandoned = table(workshop).current_snapshot().snapshot_id
    roll_back(workshop, 1)
    declared, now = workshop.ingestion(**FEW), datetime.now(UTC) + LATER
    plan = maintenance.plan(workshop.deployment, declared, [Chore.EXPIRE], now)
    assert result(plan, Chore.EXPIRE) == Expiry()
    done = result(keep(workshop, Chore.EXPIRE), Chore.EXPIRE)
    assert [one.snapshot_id for one in done.snapshots] == [abandoned]
    assert workshop.statuses() == {"000.json": "SUCCESS", "001.json": "DISCOVERED"}
    workshop.ingest(max_rejected_ratio=1)
    assert workshop.order_ids() == [0, 1]


@pytest.mark.parametrize("status", ["PREPARED", "RELEASED"])
def test_the_snapshot_of_a_batch_without_an_end_stays(workshop: Workshop, status: str) -> None:
    put(workshop, 0, 1, 2)
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql(
            f"UPDATE ingest.batches SET status = '{status}', lease_expires_at = now() + '1 hour' "
            "WHERE batch_id = (SELECT batch_id FROM ingest.batches ORDER BY created_at LIMIT 1)"
        )
    declared, now = workshop.ingestion(**FEW), datetime.now(UTC) + LATER
    plan = maintenance.plan(workshop.deployment, declared, [Chore.EXPIRE], now)
    assert result(plan, Chore.EXPIRE) == Expiry()
    workshop.let_leases_run_out()
    assert len(recover(workshop.deployment, workshop.ingestion()).finished) == 1
    assert len(result(keep(workshop, Chore.EXPIRE), Chore.EXPIRE).snapshots) == 2
    assert workshop.order_ids() == [0, 1, 2]


def test_tags_and_branches_keep_their_snapshots_and_files(workshop: Workshop) -> None:
    put(workshop, 0, 1)
    first, second = (one.snapshot_id for one in table(workshop).snapshots())
    table(workshop).manage_snapshots().create_tag(first, "audit").commit()
    table(workshop).manage_snapshots().create_branch(second, "trial").commit()
    put(workshop, 2, 3)
    done = result(keep(workshop, Chore.COMPACT, Chore.EXPIRE), Chore.EXPIRE)
    assert len(done.snapshots) == 2
    for name, ids in (("audit", [0]), ("trial", [0, 1]), ("main", [0, 1, 2, 3])):
        found = table(workshop).scan(snapshot_id=table(workshop).refs()[name].snapshot_id)
        assert sorted(found.to_arrow()["order_id"].to_pylist()) == ids
    assert recover(workshop.deployment, workshop.ingestion()).rolled_back == ()


def test_orphans_are_old_files_that_nothing_names(workshop: Workshop) -> None:
    put(workshop, 0, 1)
    keep(workshop, Chore.COMPACT)
    location = Path(table(workshop).metadata.location.removeprefix("file://"))
    orphan, young = location / "data" / "compact-dead-00000.parquet", location / "data" / "new"
    for path in (orphan, young):
        path.write_bytes(b"left")
    [live] = (location / "data").glob("compact-[!d]*.parquet")
    beside = live.with_name(f"{live.name}?one")  # PyIceberg would delete the live one for it
    beside.write_bytes(b"left")
    kept = [path for path in warehouse(workshop) if path not in (orphan, young)]
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO ingest.batches (batch_id, ingestion, status, origin) "
            "VALUES ('work-under-way', 'others', 'PREPARED', 'sensor')"
        )
    mine = location / "data" / "work-under-way-0-00000.parquet"
    mine.write_bytes(b"mine")
    old = (datetime.now(UTC) - timedelta(days=4)).timestamp()
    for path in (orphan, mine, *kept):
        os.utime(path, (old, old))
    done = result(keep(workshop, Chore.ORPHANS, later=timedelta()), Chore.ORPHANS)
    assert [Path(one.location.removeprefix("file://")) for one in done.files] == [orphan]
    assert done.young == 1
    assert warehouse(workshop) == sorted([*kept, young, mine])
    assert result(keep(workshop, Chore.ORPHANS, later=timedelta()), Chore.ORPHANS) == Orphans(
        young=1
    )


def test_what_cannot_be_maintained_safely_is_left_and_says_why(workshop: Workshop) -> None:
    put(workshop, 0, 1, 2)
    with table(workshop).transaction() as transaction:
        transaction.set_properties({"gc.enabled": "false"})
    [found] = [t for t in keep(workshop).tables if t.identifier == "raw.orders"]
    assert {name: why.split(" has ")[0] for name, why in found.refused.items()} == {
        "expire": "raw.orders",
        "orphans": "raw.orders",
    }
    assert "gc.enabled=false" in found.refused["expire"]
    with table(workshop).transaction() as transaction:
        transaction.set_properties({"gc.enabled": "true", "ingest.ledger-id": "another"})
    [found] = [t for t in keep(workshop).tables if t.identifier == "raw.orders"]
    assert set(found.refused) == {*Chore, "health"}
    assert "belongs to another deployment" in found.refused["compact"]


def test_the_command_shows_its_plan_and_acts_when_it_is_agreed_to(product: Product) -> None:
    product.declare(maintenance={"min_files": 2}, batch={"max_files": 1})
    for number in range(3):
        product.put(f"{number}.json", json_lines(orders(number, 1)))
    assert product("run", "orders").returncode == 0
    said = product("maintain", "orders")
    assert said.returncode == 0, said.stderr
    assert "3 data files" in said.stdout
    assert "Nothing was changed. To do it, add --yes." in said.stdout
    for answer, verb, files in (("--dry-run", "would become", 3), ("--yes", "became", 1)):
        [report] = product.json("maintain", "--all", answer)
        [found] = report["tables"]
        assert verb in found["said"]["compact"]
        assert found["health"]["files"] == files
    assert product.table_rows("raw.orders") == 3
    [health] = [one["tables"] for one in product.json("status")]
    assert [(one["table"], one["files"]) for one in health] == [("raw.orders", 1)]
    wrong = product("maintain", "orders", "--only", "compact,vacuum")
    assert wrong.returncode == 2
    assert "the chores are compact, manifests, expire, orphans" in wrong.stderr


def test_the_job_plans_first_and_then_observes_the_health_on_the_asset(workshop: Workshop) -> None:
    put(workshop, 0, 1, maintenance={"min_files": 2, "schedule": {"cron": "30 3 * * *"}})
    declared = workshop.ingestion(maintenance={"min_files": 2, "schedule": {"cron": "30 3 * * *"}})
    declare(workshop.deployment.settings.defs, declared.model_dump(mode="json", by_alias=True))
    job = build_maintain_job(lambda: workshop.deployment)
    [schedule] = build_maintenance_schedules([declared], job)
    config = maintain_config("orders")
    plan = {"ops": {MAINTAIN_OP: {"config": {"ingestion": "orders"}}}}
    done = job.execute_in_process(plan, workshop.instance)
    assert done.success
    assert len(list(table(workshop).scan().plan_files())) == 2
    done = job.execute_in_process(config, workshop.instance)
    assert done.success
    assert len(list(table(workshop).scan().plan_files())) == 1
    [seen] = workshop.instance.fetch_observations(dg.AssetKey(["raw", "orders"]), limit=9).records
    metadata = seen.asset_observation.metadata
    assert {n: metadata[n].value for n in ("files", "small_files", "rows", "rejected_files")} == {
        "files": 1,
        "small_files": 1,
        "rows": 2,
        "rejected_files": 1,
    }
    assert schedule.cron_schedule == "30 3 * * *"
    context = dg.build_schedule_context(workshop.instance)
    [asked] = schedule.evaluate_tick(context).run_requests
    assert asked.run_config == config
