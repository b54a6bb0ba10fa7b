"""Every disagreement is made behind the product's back, told with its cause, mended, and gone."""

import itertools
import threading
import time
from datetime import timedelta
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyiceberg.expressions import EqualTo
from sqlalchemy import text

from ingest_assets.engine import bucket_comparison
from ingest_assets.engine.disagreement import Disagreement, Remedy
from ingest_assets.engine.discovery import discover
from ingest_assets.engine.reconciliation import Reconciliation
from ingest_assets.ledger import batches, planning
from ingest_assets.ledger.leases import Holder
from ingest_assets.orchestration.planned_batches import plan_one
from ingest_assets.orchestration.reconcile_job import RECONCILE_OP, build_reconcile_job
from ingest_assets.orchestration.reconciling import mend_all, reconcile_all
from ingest_assets.schema.resolution import Resolution
from ingest_assets_tests.end_to_end import two_shapes
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop, attributes, declare

TABLE = "raw.orders"
PERSON = "ada@desk"


@pytest.fixture
def filled(workshop: Workshop) -> Workshop:
    """Three files of three orders each."""
    for first_id, key in ((1, "a.jsonl"), (4, "b.jsonl"), (7, "c.jsonl")):
        workshop.put(key, json_lines(orders(first_id)))
    workshop.ingest()
    return workshop


def check(workshop: Workshop, *, with_bucket: bool = True, **changes: Any) -> Reconciliation:
    ingestion = workshop.ingestion(**changes)
    return reconcile_all(workshop.deployment, ingestion, workshop.instance, with_bucket=with_bucket)


def mend(workshop: Workshop, found: Reconciliation) -> list[Disagreement]:
    return mend_all(workshop.deployment, found, workshop.instance, PERSON)


def said(found: Reconciliation) -> list[tuple[str, str | None, Remedy | None]]:
    return sorted((d.kind.value, d.key, d.remedy) for d in found.disagreements)


def execute(workshop: Workshop, statement: str, **values: object) -> list[Any]:
    with workshop.deployment.ledger.transaction() as connection:
        result = connection.execute(text(statement), values)
        return list(result.all()) if result.returns_rows else []


def file_id(workshop: Workshop, key: str) -> int:
    [(found,)] = execute(workshop, "SELECT file_id FROM ingest.files WHERE key = :key", key=key)
    return int(found)


def table(workshop: Workshop, identifier: str = TABLE) -> Any:
    return workshop.deployment.catalog.load_table(identifier)


def delete(workshop: Workshop, key: str, identifier: str = TABLE) -> None:
    """Another writer deletes the file's rows."""
    table(workshop, identifier).delete(EqualTo("_file_id", file_id(workshop, key)))


def append(workshop: Workshop, rows: pa.Table, identifier: str = TABLE, **values: int) -> None:
    """Another writer appends rows, with other numbers in the columns named."""
    for name, value in values.items():
        place = rows.column_names.index(name)
        column = pa.array([value] * rows.num_rows, pa.int64())
        rows = rows.set_column(place, rows.schema.field(name), column)
    table(workshop, identifier).append(rows)


def rows_of(workshop: Workshop, key: str, identifier: str = TABLE) -> pa.Table:
    found = table(workshop, identifier).scan().to_arrow()
    return found.filter(pc.equal(found["_file_id"], file_id(workshop, key)))


def assert_mended(workshop: Workshop, found: Reconciliation, ids: list[int] | None = None) -> None:
    """All of it is mended, the audit says so, and after a pass nothing is left."""
    assert len(mend(workshop, found)) == len(found.disagreements)
    assert workshop.ingest().is_all_well
    assert said(check(workshop)) == []
    assert workshop.order_ids() == (ids or list(range(1, 10)))
    [actor] = {row.actor for row in audited(workshop)}
    assert actor == PERSON


def take(workshop: Workshop, key: str) -> None:
    """A batch holds the file."""
    with workshop.deployment.ledger.transaction() as connection:
        planning.plan_keys(
            connection,
            "orders",
            [key],
            max_files=1,
            max_bytes=1,
            run_id="a person's",
            holder=Holder.this_process(),
        )


def audited(workshop: Workshop) -> list[Any]:
    return execute(
        workshop,
        "SELECT actor, detail FROM ingest.audit WHERE action = 'reconcile' ORDER BY audit_id",
    )


def test_a_healthy_deployment_of_files_in_all_states_agrees(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.put("changed.jsonl", json_lines(orders(10)))
    workshop.put("kept.jsonl", json_lines(orders(20)))
    workshop.ingest()
    lines = json_lines(orders(30, 20)).splitlines(keepends=True)
    workshop.put("rejected.jsonl", b"".join([*lines, b"-- resumed --\n"]))
    workshop.put("changed.jsonl", json_lines(orders(11, 2)))
    workshop.put("kept.jsonl", b"\x00 no json")
    workshop.put("empty.jsonl", b"")
    workshop.put("cut.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.put("parked.jsonl", json_lines(orders(60, amount={"value": 4})))
    workshop.put("rescued.jsonl", json_lines([*orders(70, 20), *orders(90, 1, amount="much")]))
    workshop.ingest()
    workshop.put("waits.jsonl", json_lines(orders(95)))
    found = check(workshop)
    assert said(found) == []
    assert (found.files, found.objects, found.fresh_objects) == (8, 9, 1)
    assert found.rows == len(workshop.rows()) > 40
    assert workshop.files()["rescued.jsonl"].rescued == 1
    assert len(workshop.rows("raw.orders__rejected")) == 1


def test_files_in_tables_of_their_own_agree(workshop: Workshop) -> None:
    two_shapes.part(workshop)
    found = check(workshop, table=two_shapes.LAYOUT)
    assert said(found) == []
    assert (found.files, found.rows) == (4, 6)


def test_an_ingestion_that_has_nothing_yet_agrees(workshop: Workshop) -> None:
    assert said(check(workshop)) == []
    workshop.put("empty.jsonl", b"")
    workshop.ingest()
    assert said(check(workshop)) == []


def test_rows_that_another_writer_deleted_are_missing_and_read_again(filled: Workshop) -> None:
    delete(filled, "b.jsonl")
    found = check(filled)
    assert said(found) == [("rows_missing", "b.jsonl", Remedy.READ_AGAIN)]
    snapshot_id = filled.files()["b.jsonl"].snapshot_id
    assert "another writer deleted them, or replaced the table's rows, after snapshot " in (
        found.disagreements[0].cause
    )
    assert str(snapshot_id) in found.disagreements[0].cause
    assert len(mend(filled, found)) == 1
    file = filled.files()["b.jsonl"]
    assert (file.status, file.rows, file.committed_etag) == ("DISCOVERED", None, None)
    assert mend(filled, found) == []
    assert filled.ingest().counts == {"SUCCESS": 1}
    assert said(check(filled)) == []
    assert filled.order_ids() == list(range(1, 10))
    [(actor, detail)] = audited(filled)
    assert (actor, detail) == (PERSON, {"mended": {"b.jsonl": ["rows_missing"]}})


def test_rows_that_were_doubled_or_half_deleted_are_read_again(filled: Workshop) -> None:
    doubled = rows_of(filled, "a.jsonl")
    append(filled, doubled)
    table(filled).delete(EqualTo("order_id", 4))
    extra = rows_of(filled, "c.jsonl").slice(0, 1)
    append(filled, extra, _source_row=99)
    found = check(filled)
    assert said(found) == [
        ("row_count", "b.jsonl", Remedy.READ_AGAIN),
        ("row_count", "c.jsonl", Remedy.READ_AGAIN),
        ("rows_doubled", "a.jsonl", Remedy.READ_AGAIN),
    ]
    causes = {d.key: d.cause for d in found.disagreements}
    assert "3 of 6 rows have a row number that is there already" in causes["a.jsonl"]
    assert "the table has 2 rows and the ledger 3; another writer deleted" in causes["b.jsonl"]
    assert "the table has 4 rows and the ledger 3; another writer added" in causes["c.jsonl"]
    assert_mended(filled, found)


def test_a_row_that_was_doubled_where_another_was_deleted_is_found(filled: Workshop) -> None:
    first = rows_of(filled, "a.jsonl").slice(0, 1)
    table(filled).delete(EqualTo("order_id", 2))
    append(filled, first)
    found = check(filled)
    assert said(found) == [("rows_doubled", "a.jsonl", Remedy.READ_AGAIN)]
    assert_mended(filled, found)


def test_rows_of_an_older_content_beside_the_committed_are_replaced(filled: Workshop) -> None:
    old = rows_of(filled, "a.jsonl")
    filled.put("a.jsonl", json_lines(orders(1, 2)))
    filled.ingest()
    append(filled, old)
    found = check(filled)
    assert said(found) == [("other_content", "a.jsonl", Remedy.READ_AGAIN)]
    assert_mended(filled, found, [1, 2, *range(4, 10)])


def test_a_rollback_that_no_tick_has_seen_is_told_of_as_one(filled: Workshop) -> None:
    before = table(filled).current_snapshot().snapshot_id
    filled.put("a.jsonl", json_lines(orders(1, 2)))
    filled.put("d.jsonl", json_lines(orders(10)))
    filled.ingest()
    table(filled).manage_snapshots().rollback_to_snapshot(before).commit()
    found = check(filled)
    assert said(found) == [
        ("rolled_back", "a.jsonl", Remedy.RECOVER),
        ("rolled_back", "d.jsonl", Remedy.RECOVER),
    ]
    assert_mended(filled, found, [1, 2, *range(4, 13)])


def test_a_table_that_was_dropped_is_reported_once_and_left_to_a_person(filled: Workshop) -> None:
    filled.deployment.catalog.drop_table(TABLE)
    found = check(filled)
    assert said(found) == [("table_missing", None, None)]
    assert mend(filled, found) == []
    assert set(filled.statuses().values()) == {"SUCCESS"}


def test_a_table_that_was_made_anew_has_lost_its_rows_and_gets_them_again(
    filled: Workshop,
) -> None:
    schema = table(filled).schema()
    filled.deployment.catalog.drop_table(TABLE)
    filled.deployment.catalog.create_table(TABLE, schema)
    found = check(filled)
    assert said(found) == [
        ("rows_missing", key, Remedy.READ_AGAIN) for key in ("a.jsonl", "b.jsonl", "c.jsonl")
    ]
    assert "it was dropped and made anew since" in found.disagreements[0].cause
    assert_mended(filled, found)


def test_another_deployments_table_is_not_compared(filled: Workshop) -> None:
    with table(filled).transaction() as transaction:
        transaction.set_properties({"ingest.ledger-id": "another"})
    found = check(filled)
    assert said(found) == [("other_owner", None, None)]
    assert "belongs to another deployment" in found.disagreements[0].cause


def test_rows_of_nobodys_files_are_reported_and_never_deleted(filled: Workshop) -> None:
    rows = rows_of(filled, "a.jsonl")
    append(filled, rows, _file_id=4711)
    nameless = rows.set_column(
        rows.column_names.index("_file_id"),
        rows.schema.field("_file_id"),
        pa.nulls(3, pa.int64()),
    )
    append(filled, nameless)
    found = check(filled)
    assert said(found) == [("unknown_file", None, None)]
    assert "3 rows with _file_id 4711, no file of the ledger" in found.disagreements[0].cause
    assert found.unmarked_rows == 3
    assert mend(filled, found) == []
    assert len(filled.rows()) == 15


def test_rows_of_a_file_that_was_never_committed_go_when_it_is_read(filled: Workshop) -> None:
    """A ledger that is older than its table: restored from a backup."""
    execute(
        filled,
        "UPDATE ingest.files SET status = 'DISCOVERED', committed_content_id = NULL, "
        "committed_batch_id = NULL, rows = NULL WHERE key = 'c.jsonl'",
    )
    execute(
        filled,
        "UPDATE ingest.files SET status = 'DEAD_LETTER', committed_content_id = NULL, "
        "committed_batch_id = NULL, rows = NULL WHERE key = 'b.jsonl'",
    )
    found = check(filled)
    assert said(found) == [
        ("not_committed", "b.jsonl", None),
        ("not_committed", "c.jsonl", Remedy.WAIT),
        ("partition_green", "b.jsonl", None),
    ]
    filled.ingest()
    assert {d.key for d in check(filled).disagreements} == {"b.jsonl"}
    assert filled.order_ids() == list(range(1, 10))


def test_a_file_whose_object_is_gone_cannot_be_read_again(filled: Workshop) -> None:
    delete(filled, "b.jsonl")
    filled.s3.client.delete_object(Bucket=filled.bucket, Key="orders/b.jsonl")
    filled.s3.client.delete_object(Bucket=filled.bucket, Key="orders/c.jsonl")
    found = check(filled)
    assert said(found) == [("rows_missing", "b.jsonl", None)]
    assert "its object is gone" in found.disagreements[0].cause
    assert found.gone_objects == 2
    without = check(filled, with_bucket=False)
    assert said(without) == [("rows_missing", "b.jsonl", None)]
    assert "compare with the bucket too" in without.disagreements[0].cause
    assert mend(filled, found) == []


def test_a_parked_newer_upload_is_not_read_for_old_rows_that_are_lost(filled: Workshop) -> None:
    filled.put("b.jsonl", json_lines(orders(4, amount={"value": 4})))
    filled.ingest()
    assert filled.statuses()["b.jsonl"] == "PARKED"
    delete(filled, "b.jsonl")
    found = check(filled)
    assert said(found) == [("rows_missing", "b.jsonl", Remedy.FORGET)]
    assert len(mend(filled, found)) == 1
    assert (filled.statuses()["b.jsonl"], filled.files()["b.jsonl"].rows) == ("PARKED", None)
    assert said(check(filled)) == []


def test_rejected_rows_that_are_not_the_files_are_read_again(workshop: Workshop) -> None:
    lines = json_lines(orders(1, 20)) + b"-- resumed --\n"
    workshop.put("a.jsonl", lines)
    workshop.ingest()
    delete(workshop, "a.jsonl", f"{TABLE}__rejected")
    found = check(workshop)
    assert said(found) == [("rejected_count", "a.jsonl", Remedy.READ_AGAIN)]
    mend(workshop, found)
    workshop.ingest()
    assert said(check(workshop)) == []
    workshop.deployment.catalog.drop_table(f"{TABLE}__rejected")
    assert said(check(workshop)) == [("rejected_count", "a.jsonl", Remedy.READ_AGAIN)]


def test_rows_of_one_file_in_two_tables_leave_the_wrong_one(workshop: Workshop) -> None:
    two_shapes.part(workshop)
    rows = rows_of(workshop, "b.json")
    other = table(workshop, two_shapes.OTHER)
    lineage = [name for name in rows.column_names if name.startswith("_")]
    stray = rows.select([*lineage, "id"])
    other.append(stray)
    found = check(workshop, table=two_shapes.LAYOUT)
    assert said(found) == [("two_tables", "b.json", Remedy.READ_AGAIN)]
    assert "raw.orders_v2 has rows of it, which belong into raw.orders" in (
        found.disagreements[0].cause
    )
    assert len(mend(workshop, found)) == 1
    workshop.ingest(table=two_shapes.LAYOUT)
    assert said(check(workshop, table=two_shapes.LAYOUT)) == []
    assert two_shapes.ids(workshop, TABLE) == [1, 2, 3]
    assert two_shapes.ids(workshop, two_shapes.OTHER) == [4, 5, 6]


def test_rows_of_one_file_in_three_tables_leave_both_wrong_ones(workshop: Workshop) -> None:
    two_shapes.part(workshop)
    workshop.put("e.json", b'{"id": 7, "amount": [1]}\n')
    assert workshop.ingest(table=two_shapes.LAYOUT).counts == {"PARKED": 1}
    two_shapes.resolve(workshop, 3, Resolution.NEW_TABLE)
    assert workshop.ingest(table=two_shapes.LAYOUT).counts == {"SUCCESS": 1}
    others = [two_shapes.OTHER, "raw.orders_v3"]
    rows = rows_of(workshop, "b.json")
    lineage = [name for name in rows.column_names if name.startswith("_")]
    for other in others:
        table(workshop, other).append(rows.select([*lineage, "id"]))
    found = check(workshop, table=two_shapes.LAYOUT)
    assert said(found) == [("two_tables", "b.json", Remedy.READ_AGAIN)] * 2
    assert len(mend(workshop, found)) == 2
    workshop.ingest(table=two_shapes.LAYOUT)
    assert said(check(workshop, table=two_shapes.LAYOUT)) == []
    assert [two_shapes.ids(workshop, name) for name in others] == [[4, 5, 6], [7]]


def test_objects_that_no_listing_found_are_listed(filled: Workshop) -> None:
    filled.put("late.jsonl", json_lines(orders(10)))
    filled.put("b.jsonl", json_lines(orders(4, 2)))
    assert (said(check(filled)), check(filled).fresh_objects) == ([], 2)
    execute(filled, "UPDATE ingest.ingestions SET last_listed_at = now() - interval '1 hour'")
    assert check(filled).fresh_objects == 2
    found = later(filled)
    assert said(found) == [
        ("object_changed", "b.jsonl", Remedy.DISCOVER),
        ("object_unknown", "late.jsonl", Remedy.DISCOVER),
    ]
    assert "see that the sensor is on" in found.disagreements[0].cause
    assert_mended(filled, found, [*range(1, 6), *range(7, 13)])


def test_an_ingestion_that_never_ticked_can_be_mended(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    found = later(workshop)
    assert said(found) == [("object_unknown", "a.jsonl", Remedy.DISCOVER)]
    assert_mended(workshop, found, [1, 2, 3])


def test_an_object_that_is_gone_when_it_is_listed_is_not_called_mended(filled: Workshop) -> None:
    filled.put("late.jsonl", json_lines(orders(10)))
    filled.put("b.jsonl", json_lines(orders(4, 2)))
    found = later(filled)
    filled.s3.client.delete_object(Bucket=filled.bucket, Key="orders/late.jsonl")
    assert [d.key for d in mend(filled, found)] == ["b.jsonl"]
    [(detail,)] = [(row.detail,) for row in audited(filled)]
    assert detail == {"mended": {"b.jsonl": ["object_changed"]}}


def later(workshop: Workshop, **source: Any) -> Reconciliation:
    """As if the objects had been there for an hour."""
    changed = {"discovery": {"interval_seconds": 1}, **source}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bucket_comparison, "_INTERVALS", -3600)
        patch.setattr(bucket_comparison, "_LEAST_WAIT", timedelta(hours=-1))
        return check(workshop, source=changed)


def test_a_file_that_waits_and_whose_object_is_gone_is_told_of(filled: Workshop) -> None:
    filled.put("late.jsonl", json_lines(orders(10)))
    discover(filled.deployment, filled.ingestion())
    filled.s3.client.delete_object(Bucket=filled.bucket, Key="orders/late.jsonl")
    found = check(filled)
    assert said(found) == [("object_gone", "late.jsonl", None)]


def test_batches_that_were_left_are_recovered(filled: Workshop) -> None:
    filled.put("d.jsonl", json_lines(orders(10)))
    discover(filled.deployment, filled.ingestion())
    batch = plan_one(filled.deployment, filled.ingestion(), "command")
    dead = Holder("nowhere", "never", 1, 0.0)
    with filled.deployment.ledger.transaction() as connection:
        batches.claim(connection, batch.batch_id, dead, None)
    assert said(check(filled)) == []
    filled.let_leases_run_out()
    found = check(filled)
    assert said(found) == [("batch_lapsed", None, Remedy.RECOVER)]
    assert_mended(filled, found, list(range(1, 13)))


def test_a_batch_in_the_table_that_was_given_up_is_finished(filled: Workshop) -> None:
    newest = filled.files()["c.jsonl"].batch_id
    execute(filled, "UPDATE ingest.batches SET status = 'RELEASED' WHERE batch_id = :b", b=newest)
    found = check(filled)
    assert said(found) == [("batch_released", None, Remedy.RECOVER)]
    assert_mended(filled, found)


def test_what_recovery_leaves_to_another_batch_is_not_called_mended(filled: Workshop) -> None:
    newest = filled.files()["c.jsonl"].batch_id
    execute(filled, "UPDATE ingest.batches SET status = 'RELEASED' WHERE batch_id = :b", b=newest)
    found = check(filled)
    take(filled, "c.jsonl")
    assert mend(filled, found) == []


def test_a_rollback_of_a_file_that_a_batch_holds_is_not_called_mended(filled: Workshop) -> None:
    before = table(filled).current_snapshot().snapshot_id
    filled.put("d.jsonl", json_lines(orders(10)))
    filled.put("e.jsonl", json_lines(orders(13)))
    filled.ingest()
    table(filled).manage_snapshots().rollback_to_snapshot(before).commit()
    found = check(filled)
    assert len(found.disagreements) == 2
    take(filled, "d.jsonl")
    assert [d.key for d in mend(filled, found)] == ["e.jsonl"]


def test_a_batch_that_the_ledger_does_not_have_is_told_of(filled: Workshop) -> None:
    snapshot_properties = {"ingest.batch-id": "of-another-time"}
    rows = rows_of(filled, "a.jsonl").slice(0, 0)
    table(filled).append(rows, snapshot_properties)
    found = check(filled)
    assert said(found) == [("batch_unknown", None, None)]
    assert "restored from a backup perhaps" in found.disagreements[0].cause


def test_files_that_a_finished_batch_holds_are_let_go(filled: Workshop) -> None:
    execute(
        filled,
        "UPDATE ingest.files SET batch_id = committed_batch_id WHERE key = 'a.jsonl'",
    )
    execute(filled, "UPDATE ingest.files SET status = 'PROCESSING' WHERE key = 'b.jsonl'")
    execute(filled, "UPDATE ingest.files SET committed_content_id = NULL WHERE key = 'c.jsonl'")
    found = check(filled)
    assert said(found) == [
        ("file_held", "a.jsonl", Remedy.READ_AGAIN),
        ("file_held", "b.jsonl", Remedy.READ_AGAIN),
        ("not_recorded", "c.jsonl", Remedy.READ_AGAIN),
    ]
    assert_mended(filled, found)


def test_dagster_is_told_again_of_what_it_forgot(filled: Workshop) -> None:
    filled.instance.delete_dynamic_partition("orders", "a.jsonl")
    key = dg.AssetKey(["raw", "orders"])
    filled.instance.add_dynamic_partitions("orders", ["nobodys"])
    filled.instance.wipe_assets([key])
    event = dg.AssetMaterialization(key, partition="nobodys")
    filled.instance.report_runless_asset_event(event)
    found = check(filled)
    assert said(found) == [
        ("partition_green", "nobodys", None),
        ("partition_missing", "a.jsonl", Remedy.REPORT),
        ("partition_not_green", "b.jsonl", Remedy.REPORT),
        ("partition_not_green", "c.jsonl", Remedy.REPORT),
    ]
    assert len(mend(filled, found)) == 3
    filled.instance.delete_dynamic_partition("orders", "nobodys")
    assert said(check(filled)) == []
    assert filled.partitions() >= set(filled.files())
    assert set(filled.instance.get_dynamic_partitions("orders")) == set(filled.files())


def test_files_that_a_batch_took_after_the_check_are_left_to_it(filled: Workshop) -> None:
    delete(filled, "b.jsonl")
    delete(filled, "c.jsonl")
    found = check(filled)
    take(filled, "c.jsonl")
    assert [d.key for d in mend(filled, found)] == ["b.jsonl"]
    assert filled.statuses()["c.jsonl"] == "SUCCESS"


def test_nothing_is_reported_of_what_an_ingestion_does_beside(filled: Workshop) -> None:
    """Files come and change all the time while ledger, table and bucket are compared."""
    stop = threading.Event()

    def arrive() -> None:
        other = Workshop.__new__(Workshop)
        other.__dict__.update(filled.__dict__)
        for number in itertools.count():
            if stop.is_set():
                return
            other.put("a.jsonl", json_lines(orders(1000 + number, 2)))
            other.put(f"new{number}.jsonl", json_lines(orders(100 + number, 3)))
            other.ingest()

    thread = threading.Thread(target=arrive)
    thread.start()
    reports = list[Reconciliation]()
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (
            len(reports) > 9
            and any(found.moving for found in reports)
            and reports[-1].files > reports[0].files
        ):
            reports.append(check(filled))
    finally:
        stop.set()
        thread.join(timeout=60)
    assert [said(found) for found in reports] == [[]] * len(reports)
    assert reports[-1].files > reports[0].files
    assert any(found.moving for found in reports)
    assert said(check(filled)) == []


def test_the_job_says_what_disagrees_and_mends_it_only_when_told_to(filled: Workshop) -> None:
    declare(filled.deployment.settings.defs, attributes(filled.bucket))
    delete(filled, "b.jsonl")

    def launch(**config: Any) -> dg.ExecuteInProcessResult:
        job = build_reconcile_job(lambda: filled.deployment)
        run_config = {"ops": {RECONCILE_OP: {"config": {"ingestion": "orders", **config}}}}
        return job.execute_in_process(run_config, filled.instance, raise_on_error=False)

    planned = launch()
    [failure] = [event.step_failure_data for event in planned.all_events if event.is_step_failure]
    assert "1 disagreement. Nothing was changed." in failure.error.message
    assert failure.user_failure_data.metadata["rows_missing"].value == 1
    assert filled.statuses()["b.jsonl"] == "SUCCESS"
    assert launch(plan_only=False).success
    assert filled.statuses()["b.jsonl"] == "DISCOVERED"
    assert audited(filled)[-1].actor.startswith("Dagster run ")
    filled.ingest()
    assert launch().success
