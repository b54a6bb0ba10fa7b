"""A file whose rows are in the table changes: what `source.on_changed_file` makes of it."""

from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEventType
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from ingest_assets.engine.recovery import recover
from ingest_assets.engine.replay import Choice, plan_replay, replay
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import batches, kept_contents, planning
from ingest_assets.ledger.leases import Holder
from ingest_assets.ledger.states import FileStatus
from ingest_assets.orchestration.names import asset_key, partitions_def
from ingest_assets.orchestration.tick import run_tick
from ingest_assets_tests.chaos.work import engine_batches, engine_pass
from ingest_assets_tests.end_to_end.deciding import decide
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.test_reconcile import check, execute, mend
from ingest_assets_tests.end_to_end.workshop import Workshop

KEY = "a.json"
A, B, C = (json_lines(orders(first, 2)) for first in (10, 20, 30))
BROKEN = b"{broken\n{broken\n{broken"
HALF_BROKEN = json_lines(orders(40, 1)) + b"{broken\n"


def declared(workshop: Workshop, mode: str, **source: Any) -> Ingestion:
    """The ingestion under the mode; half of a file may be rejected."""
    source = {"on_changed_file": mode, **source}
    return workshop.ingestion(source=source, max_rejected_ratio=0.5)


def ingest(workshop: Workshop, mode: str, **source: Any) -> None:
    """A pass without Dagster."""
    engine_pass(workshop.deployment, declared(workshop, mode, **source))


def put(workshop: Workshop, *contents: bytes, mode: str) -> None:
    """Each content is ingested, one after the other."""
    for content in contents:
        workshop.put(KEY, content)
        ingest(workshop, mode)


def materialize(workshop: Workshop, mode: str) -> None:
    """A person asks for the file, without Dagster."""
    with workshop.deployment.ledger.transaction() as connection:
        planning.plan_keys(
            connection,
            "orders",
            [KEY],
            max_files=1,
            max_bytes=1,
            run_id="by hand",
            holder=Holder.this_process(),
        )
    engine_batches(workshop.deployment, declared(workshop, mode))


def pass_and_colour(workshop: Workshop, content: bytes, mode: str) -> AssetPartitionStatus | None:
    """The colour of the partition after a pass of the product over the new content."""
    workshop.put(KEY, content)
    workshop.ingest(source={"on_changed_file": mode})
    return colour(workshop)


def planned_by_a_tick(workshop: Workshop) -> str:
    """The id of the batch that a tick under `replace` asks a run for."""
    ingestion = declared(workshop, "replace")
    (batch,) = run_tick(workshop.deployment, ingestion, workshop.instance, "sensor").planned
    return batch.batch_id


def colour(workshop: Workshop) -> AssetPartitionStatus | None:
    """The file's partition as the UI has it."""
    ingestion = workshop.ingestion()
    found = workshop.instance.get_status_by_partition(
        asset_key(ingestion), [KEY], partitions_def(ingestion)
    )
    return found[KEY] if found else None


def rejected_lines(workshop: Workshop) -> list[str]:
    """What is in the table of rejected rows."""
    return sorted(row["raw"] for row in workshop.rows("raw.orders__rejected"))


def roll_back(workshop: Workshop, commits: int) -> None:
    """A person takes the table back by so many snapshots."""
    table = workshop.deployment.catalog.load_table("raw.orders")
    target = table.current_snapshot()
    for _ in range(commits):
        target = table.snapshot_by_id(target.parent_snapshot_id)
    table.manage_snapshots().rollback_to_snapshot(target.snapshot_id).commit()


def test_replace_has_the_rows_of_the_newest_content(workshop: Workshop) -> None:
    put(workshop, A, B, C, mode="replace")
    assert workshop.order_ids() == [30, 31]


def test_append_keeps_the_rows_of_every_content_and_doubles_none(workshop: Workshop) -> None:
    workshop.put("other.json", json_lines(orders(1, 1)))
    put(workshop, A, B, A, mode="append")
    assert workshop.order_ids() == [1, 10, 11, 20, 21]
    for _ in range(2):
        materialize(workshop, "append")
    assert workshop.order_ids() == [1, 10, 11, 20, 21]
    assert len({row["_content_id"] for row in workshop.rows()}) == 3
    file = workshop.files()[KEY]
    assert (file.status, file.rows, file.etag == file.committed_etag) == ("SUCCESS", 2, True)


def test_append_keeps_the_rejected_rows_of_every_content_too(workshop: Workshop) -> None:
    put(workshop, HALF_BROKEN, A + b"{damaged\n", HALF_BROKEN, A, mode="append")
    assert rejected_lines(workshop) == ["{broken", "{damaged"]
    materialize(workshop, "append")
    assert rejected_lines(workshop) == ["{broken", "{damaged"]


def test_a_content_that_fails_leaves_those_that_append_kept(workshop: Workshop) -> None:
    put(workshop, A, B, BROKEN, mode="append")
    assert workshop.order_ids() == [10, 11, 20, 21]
    assert workshop.statuses()[KEY] == "DEAD_LETTER"
    put(workshop, C, mode="append")
    assert workshop.order_ids() == [10, 11, 20, 21, 30, 31]


def test_replace_after_append_takes_all_contents_out(workshop: Workshop) -> None:
    put(workshop, A, B, mode="append")
    put(workshop, C, mode="replace")
    assert workshop.order_ids() == [30, 31]


@pytest.mark.parametrize("mode", ["append", "ignore", "fail"])
def test_a_file_that_never_came_into_the_table_starts_afresh(workshop: Workshop, mode: str) -> None:
    put(workshop, BROKEN, A, mode=mode)
    assert workshop.order_ids() == [10, 11]
    assert workshop.statuses() == {KEY: "SUCCESS"}


def test_ignore_notes_the_new_content_and_does_not_read_it(workshop: Workshop) -> None:
    put(workshop, A, B, mode="ignore")
    file = workshop.files()[KEY]
    assert (file.status, file.etag != file.committed_etag) == ("SUCCESS", True)
    assert workshop.order_ids() == [10, 11]
    put(workshop, A, mode="ignore")
    file = workshop.files()[KEY]
    assert (file.status, file.etag == file.committed_etag) == ("SUCCESS", True)


def test_a_person_takes_a_content_that_was_ignored(workshop: Workshop) -> None:
    put(workshop, A, B, mode="ignore")
    materialize(workshop, "ignore")
    assert workshop.order_ids() == [20, 21]
    put(workshop, C, mode="ignore")
    assert workshop.order_ids() == [20, 21]


def test_fail_dead_letters_the_file_and_leaves_its_rows(workshop: Workshop) -> None:
    put(workshop, A, B, mode="fail")
    file = workshop.files()[KEY]
    assert (file.status, file.error_type) == ("DEAD_LETTER", "FileChangedError")
    assert "The rows that it brought earlier stay" in str(file.error)
    assert "Upload the earlier content again" in str(file.error)
    assert workshop.order_ids() == [10, 11]


def test_the_earlier_content_heals_a_file_that_fail_refused(workshop: Workshop) -> None:
    put(workshop, A, B, A, mode="fail")
    file = workshop.files()[KEY]
    assert (file.status, file.error, file.etag == file.committed_etag) == ("SUCCESS", None, True)
    assert workshop.order_ids() == [10, 11]


def test_a_person_takes_a_content_that_fail_refused(workshop: Workshop) -> None:
    put(workshop, A, B, mode="fail")
    materialize(workshop, "fail")
    assert workshop.order_ids() == [20, 21]
    put(workshop, C, mode="fail")
    assert workshop.statuses()[KEY] == "DEAD_LETTER"
    assert workshop.order_ids() == [20, 21]


def test_what_was_ignored_or_refused_follows_another_mode(workshop: Workshop) -> None:
    put(workshop, A, B, mode="ignore")
    ingest(workshop, "fail")
    assert workshop.statuses() == {KEY: "DEAD_LETTER"}
    ingest(workshop, "append")
    assert workshop.order_ids() == [10, 11, 20, 21]


def test_a_change_that_waits_follows_the_mode_ignore(workshop: Workshop) -> None:
    put(workshop, A, mode="replace")
    workshop.put(KEY, B)
    ingest(workshop, "replace", settle_seconds=3600)
    assert workshop.statuses() == {KEY: "DISCOVERED"}
    ingest(workshop, "ignore")
    assert workshop.statuses() == {KEY: "SUCCESS"}
    assert workshop.order_ids() == [10, 11]


def test_a_change_in_a_planned_batch_follows_the_mode_ignore_and_other_files_are_read(
    workshop: Workshop,
) -> None:
    put(workshop, A, mode="replace")
    workshop.put(KEY, B)
    workshop.put("other.json", json_lines(orders(1, 1)))
    assert planned_by_a_tick(workshop)
    run_tick(workshop.deployment, declared(workshop, "ignore"), workshop.instance, "sensor")
    engine_batches(workshop.deployment, declared(workshop, "ignore"))
    assert workshop.order_ids() == [1, 10, 11]
    assert workshop.statuses() == {KEY: "SUCCESS", "other.json": "SUCCESS"}
    ingest(workshop, "replace")
    assert workshop.order_ids() == [1, 20, 21]


def test_a_change_whose_worker_died_follows_the_mode_ignore(workshop: Workshop) -> None:
    put(workshop, A, mode="replace")
    workshop.put(KEY, B)
    batch_id = planned_by_a_tick(workshop)
    with workshop.deployment.ledger.transaction() as connection:
        assert batches.claim(connection, batch_id, Holder.this_process(), None)
    workshop.let_leases_run_out()
    ingest(workshop, "ignore")
    assert workshop.order_ids() == [10, 11]
    assert workshop.statuses() == {KEY: "SUCCESS"}


def test_a_change_that_overtakes_a_replay_is_ignored(workshop: Workshop) -> None:
    put(workshop, A, mode="ignore")
    choice = Choice(statuses=(FileStatus.SUCCESS,))
    plan = plan_replay(workshop.deployment, declared(workshop, "ignore"), choice)
    assert replay(workshop.deployment, plan, "Ada", "") == 1
    put(workshop, B, mode="ignore")
    assert workshop.order_ids() == [10, 11]
    assert workshop.statuses() == {KEY: "SUCCESS"}
    (batch,) = execute(workshop, "SELECT note FROM ingest.batches WHERE status = 'RELEASED'")
    assert batch.note == "source.on_changed_file is ignore: 1 changed files of it stay unread"


def test_a_change_that_overtakes_what_reconcile_mends_is_ignored(workshop: Workshop) -> None:
    put(workshop, A, mode="ignore")
    execute(workshop, "UPDATE ingest.files SET rows = 7")
    assert mend(workshop, check(workshop, source={"on_changed_file": "ignore"}))
    put(workshop, B, mode="ignore")
    assert workshop.order_ids() == [10, 11]
    assert workshop.statuses() == {KEY: "SUCCESS"}


def test_a_decision_on_a_parked_content_holds_under_the_mode_ignore(workshop: Workshop) -> None:
    put(workshop, A, json_lines(orders(20, 2, amount={"value": 1})), mode="replace")
    ingest(workshop, "ignore")
    assert workshop.statuses() == {KEY: "PARKED"}
    decide(workshop, "ignore")
    ingest(workshop, "ignore")
    assert workshop.order_ids() == [20, 21]


@pytest.mark.parametrize("mode", ["append", "ignore", "fail"])
def test_a_rollback_past_the_only_content_reads_the_file_again(
    workshop: Workshop, mode: str
) -> None:
    workshop.put("first.json", json_lines(orders(1, 1)))
    ingest(workshop, mode)
    put(workshop, A, mode=mode)
    roll_back(workshop, 1)
    assert workshop.order_ids() == [1]
    ingest(workshop, mode)
    assert workshop.order_ids() == [1, 10, 11]


def test_a_rollback_past_several_contents_brings_the_newest_back_and_says_what_is_lost(
    workshop: Workshop,
) -> None:
    put(workshop, A, B, C, mode="append")
    roll_back(workshop, 2)
    assert workshop.order_ids() == [10, 11]
    ingest(workshop, "append")
    assert workshop.order_ids() == [10, 11, 30, 31]
    file = workshop.files()[KEY]
    assert (file.status, file.lost_contents) == ("SUCCESS", 1)
    put(workshop, B, mode="append")
    assert workshop.order_ids() == [10, 11, 20, 21, 30, 31]
    assert workshop.files()[KEY].lost_contents == 0


def test_rows_that_replace_took_out_leave_again_when_a_rollback_brings_them_back(
    workshop: Workshop,
) -> None:
    put(workshop, A, B, mode="replace")
    ingest(workshop, "append")
    roll_back(workshop, 1)
    assert workshop.order_ids() == [10, 11]
    ingest(workshop, "append")
    assert workshop.order_ids() == [20, 21]


def test_what_was_replaced_long_ago_is_asked_about_after_a_rollback_only(
    workshop: Workshop,
) -> None:
    put(workshop, A, B, C, mode="replace")
    [(file_id,)] = execute(workshop, "SELECT file_id FROM ingest.files")
    with workshop.deployment.ledger.transaction() as connection:
        assert kept_contents.unwritten(connection, [file_id]) == {}
    roll_back(workshop, 1)
    recover(workshop.deployment, declared(workshop, "replace"))
    with workshop.deployment.ledger.transaction() as connection:
        assert len(kept_contents.unwritten(connection, [file_id])[file_id]) == 2


def test_a_lost_content_that_a_person_brings_back_stays_under_append(workshop: Workshop) -> None:
    put(workshop, A, B, mode="append")
    with_both = workshop.deployment.catalog.load_table("raw.orders").current_snapshot()
    assert with_both is not None
    put(workshop, C, mode="append")
    roll_back(workshop, 2)
    ingest(workshop, "append")
    assert workshop.order_ids() == [10, 11, 30, 31]
    table = workshop.deployment.catalog.load_table("raw.orders")
    table.manage_snapshots().set_current_snapshot(with_both.snapshot_id).commit()
    ingest(workshop, "append")
    assert workshop.order_ids() == [10, 11, 20, 21, 30, 31]


def test_a_content_that_was_overwritten_after_a_rollback_is_lost_and_stays_when_it_is_back(
    workshop: Workshop,
) -> None:
    put(workshop, A, B, mode="append")
    with_both = workshop.deployment.catalog.load_table("raw.orders").current_snapshot()
    assert with_both is not None
    roll_back(workshop, 1)
    recover(workshop.deployment, declared(workshop, "append"))
    assert workshop.files()[KEY].lost_contents == 0
    put(workshop, C, mode="append")
    assert workshop.order_ids() == [10, 11, 30, 31]
    assert workshop.files()[KEY].lost_contents == 1
    table = workshop.deployment.catalog.load_table("raw.orders")
    table.manage_snapshots().set_current_snapshot(with_both.snapshot_id).commit()
    ingest(workshop, "append")
    assert workshop.order_ids() == [10, 11, 20, 21, 30, 31]


def test_a_rollback_under_another_mode_leaves_what_append_had_kept(workshop: Workshop) -> None:
    workshop.put("other.json", json_lines(orders(1, 1)))
    put(workshop, A, B, mode="append")
    ingest(workshop, "replace")
    roll_back(workshop, 1)
    assert workshop.order_ids() == [1, 10, 11]
    workshop.put("other.json", json_lines(orders(2, 1)))
    ingest(workshop, "replace")
    assert workshop.order_ids() == [2, 10, 11, 20, 21]
    found = check(workshop, source={"on_changed_file": "replace"})
    assert found.disagreements == []
    roll_back(workshop, 1)
    ingest(workshop, "replace")
    assert workshop.order_ids() == [2, 10, 11, 20, 21]
    put(workshop, C, mode="replace")
    assert workshop.order_ids() == [2, 30, 31]


def test_a_content_that_an_older_batch_brought_too_is_not_lost(workshop: Workshop) -> None:
    put(workshop, A, B, A, C, mode="append")
    roll_back(workshop, 2)
    assert workshop.order_ids() == [10, 11, 20, 21]
    ingest(workshop, "append")
    assert workshop.order_ids() == [10, 11, 20, 21, 30, 31]
    assert workshop.files()[KEY].lost_contents == 0


def test_a_partition_is_green_while_its_new_content_is_ignored(workshop: Workshop) -> None:
    assert pass_and_colour(workshop, A, "ignore") == AssetPartitionStatus.MATERIALIZED
    assert pass_and_colour(workshop, B, "ignore") == AssetPartitionStatus.MATERIALIZED
    event = workshop.instance.get_latest_materialization_event(dg.AssetKey(["raw", "orders"]))
    assert event is not None
    assert event.asset_materialization is not None
    file = workshop.files()[KEY]
    assert event.asset_materialization.metadata["etag"].value == file.committed_etag


def test_a_run_says_how_many_data_files_it_rewrote(workshop: Workshop) -> None:
    workshop.put("other.json", json_lines(orders(1, 1)))
    workshop.put(KEY, A)
    workshop.ingest()
    workshop.put(KEY, B)
    workshop.ingest()
    (run, _) = workshop.instance.get_runs()
    (output,) = [
        event.event_specific_data.metadata
        for log in workshop.instance.all_logs(run.run_id, of_type=DagsterEventType.HANDLED_OUTPUT)
        if (event := log.get_dagster_event()).step_key.endswith("ingest_orders")
    ]
    assert (output["rewritten_data_files"].value, output["removed_rows"].value) == (1, 2)


def test_a_partition_is_red_until_the_earlier_content_is_back_or_a_person_takes_the_new_one(
    workshop: Workshop,
) -> None:
    assert pass_and_colour(workshop, A, "fail") == AssetPartitionStatus.MATERIALIZED
    assert pass_and_colour(workshop, B, "fail") == AssetPartitionStatus.FAILED
    assert pass_and_colour(workshop, A, "fail") == AssetPartitionStatus.MATERIALIZED
    assert pass_and_colour(workshop, B, "fail") == AssetPartitionStatus.FAILED
    assert workshop.materialize(KEY, source={"on_changed_file": "fail"}).success
    assert colour(workshop) == AssetPartitionStatus.MATERIALIZED
    assert workshop.order_ids() == [20, 21]
