"""Which files a batch takes, and that no file is ever in two."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest_assets.ledger import batches, planning
from ingest_assets.ledger.leases import Holder
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file


def test_nothing_to_do_plans_nothing(orders: Bookkeeping) -> None:
    assert orders.plan() is None


def test_files_are_taken_by_time_and_then_by_the_bytes_of_their_keys(orders: Bookkeeping) -> None:
    orders.see(
        source_file("z", minute=0),
        source_file("ä", minute=1),
        source_file("a", minute=1),
        source_file("B", minute=1),
        source_file("0", minute=2),
    )
    planned = orders.plan()
    assert planned is not None
    assert planned.keys == ("z", "B", "a", "ä", "0")
    with orders.ledger.transaction() as connection:
        assert batches.planned(connection, orders.ingestion) == [planned]
        assert batches.planned_keys(connection, planned.batch_id) == planned.keys
    claimed = orders.claim(planned.batch_id)
    assert claimed is not None
    assert [file.source.key for file in claimed.files] == list(planned.keys)


def test_a_batch_has_at_most_max_files(orders: Bookkeeping) -> None:
    orders.see(*(source_file(key, minute=int(key)) for key in "0123456"))
    plans = [orders.plan(max_files=3) for _ in range(4)]
    assert [planned and planned.keys for planned in plans] == [
        ("0", "1", "2"),
        ("3", "4", "5"),
        ("6",),
        None,
    ]


def test_a_batch_has_at_most_max_bytes_but_at_least_one_file(orders: Bookkeeping) -> None:
    sizes = [40, 60, 1, 500, 99, 1, 1]
    orders.see(*(source_file(str(n), minute=n, size_bytes=size) for n, size in enumerate(sizes)))
    plans = [orders.plan(max_bytes=100) for _ in range(5)]
    assert [planned and planned.keys for planned in plans] == [
        ("0", "1"),
        ("2",),
        ("3",),
        ("4", "5"),
        ("6",),
    ]


def test_a_failed_file_waits_for_its_backoff(orders: Bookkeeping) -> None:
    orders.see(source_file("a"), source_file("b"))
    claimed = orders.work()
    orders.finish(
        claimed,
        FileOutcome(claimed.files[0].file_id, "FAILED"),
        FileOutcome(claimed.files[1].file_id, "SUCCESS"),
    )
    assert orders.plan() is None
    orders.let_time_pass(minutes=0.9)
    assert orders.plan() is None
    orders.let_time_pass(minutes=0.2)
    planned = orders.plan()
    assert planned is not None
    assert planned.keys == ("a",)


def test_planners_at_once_never_share_a_file_and_leave_none_out(orders: Bookkeeping) -> None:
    keys = [f"{number:03}" for number in range(300)]
    orders.see(*(source_file(key) for key in keys))
    begin = threading.Barrier(4)

    def plan_all(_: int) -> list[str]:
        begin.wait()
        taken: list[str] = []
        for _ in range(40):
            if planned := orders.plan(max_files=7):
                taken += planned.keys
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [key for part in pool.map(plan_all, range(4)) for key in part]
    assert sorted(taken) == keys


def test_a_planner_passes_over_what_another_is_taking(orders: Bookkeeping) -> None:
    orders.see(source_file("a"), source_file("b", minute=1))
    limits = {"max_files": 1, "max_bytes": 1000}
    with orders.ledger.transaction() as first, orders.ledger.transaction() as second:
        one = planning.plan(first, orders.ingestion, **limits, origin="sensor")
        other = planning.plan(second, orders.ingestion, **limits, origin="command")
    assert one is not None
    assert other is not None
    assert (one.keys, other.keys) == (("a",), ("b",))


def test_a_file_whose_worker_died_twice_is_planned_alone(orders: Bookkeeping) -> None:
    orders.see(source_file("b", minute=1))
    for _ in range(2):
        assert orders.release(orders.work(), crashed=True)
    orders.see(source_file("a", minute=0), source_file("c", minute=2), source_file("d", minute=3))
    plans = [orders.plan() for _ in range(4)]
    assert [planned and planned.keys for planned in plans] == [("a",), ("b",), ("c", "d"), None]


def test_a_batch_that_never_started_gives_its_files_back(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    planned = orders.plan()
    assert planned is not None
    with orders.ledger.transaction() as connection:
        assert batches.free_planned(connection, planned.batch_id, "its run was cancelled")
        assert not batches.free_planned(connection, planned.batch_id, "again")
        assert batches.planned(connection, orders.ingestion) == []
        assert batches.planned_keys(connection, planned.batch_id) is None
    row = orders.file("a")
    assert (row.status, row.attempts, row.batch_id) == ("DISCOVERED", 0, None)
    assert orders.claim(planned.batch_id) is None
    again = orders.plan()
    assert again is not None
    assert again.batch_id != planned.batch_id


def test_a_batch_is_claimed_by_one_worker_only(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    planned = orders.plan()
    assert planned is not None
    begin = threading.Barrier(4)

    def claim(_: int) -> batches.ClaimedBatch | None:
        begin.wait()
        with orders.ledger.transaction() as connection:
            return batches.claim(connection, planned.batch_id, Holder.this_process(), None)

    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(claim, range(4)))
    assert sum(claimed is not None for claimed in claims) == 1
    assert orders.claim(planned.batch_id) is None
    with orders.ledger.transaction() as connection:
        assert batches.is_any_open(connection, orders.ingestion)
        assert not batches.free_planned(connection, planned.batch_id, "too late")
    assert orders.file("a").status == "PROCESSING"


def test_a_claim_of_an_unknown_batch_gives_none(orders: Bookkeeping) -> None:
    assert orders.claim("no-such-batch") is None


def test_the_keys_of_a_person_are_planned_whatever_their_state(orders: Bookkeeping) -> None:
    orders.see(source_file("done"), source_file("failed"), source_file("letter"))
    claimed = orders.work()
    outcome = {"done": "SUCCESS", "failed": "FAILED", "letter": "DEAD_LETTER"}
    orders.finish(
        claimed,
        *(FileOutcome(file.file_id, outcome[file.source.key]) for file in claimed.files),  # type: ignore[arg-type]
    )
    orders.see(source_file("skipped", minute=-5), source_file("new"), skipped=["skipped"])
    (planned,) = orders.ask_for("new", "skipped", "letter", "failed", "done")
    assert planned.keys == ("skipped", "done", "failed", "letter", "new")


def test_the_keys_of_a_person_are_planned_in_batches_that_belong_to_their_run(
    orders: Bookkeeping,
) -> None:
    sizes = [40, 70, 1, 1, 1]
    orders.see(*(source_file(str(n), minute=-n, size_bytes=size) for n, size in enumerate(sizes)))
    asked = orders.ask_for("0", "1", "2", "3", "4", max_files=2, max_bytes=100)
    assert [batch.keys for batch in asked] == [("4", "3"), ("2", "1"), ("0",)]
    assert [batch.run_id for batch in asked] == [orders.run_by_hand] * 3
    with orders.ledger.transaction() as connection:
        assert batches.planned(connection, orders.ingestion) == asked


def test_a_person_gets_a_file_whose_worker_died_twice_in_a_batch_of_its_own(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("b"))
    for _ in range(2):
        assert orders.release(orders.work(), crashed=True)
    orders.see(source_file("a"), source_file("c"))
    assert [batch.keys for batch in orders.ask_for("a", "b", "c")] == [("a",), ("b",), ("c",)]


def test_keys_that_are_held_or_unknown_are_left_out(orders: Bookkeeping) -> None:
    orders.see(source_file("a"), source_file("b", minute=1))
    held = orders.plan(max_files=1)
    assert held is not None
    (planned,) = orders.ask_for("no such\nkey", "b", "a", "é")
    assert planned.keys == ("b",)
    assert orders.ask_for("a", "b", "c") == []


def test_another_ingestion_has_other_files(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    orders.ledger.register(f"{orders.ingestion}_too", f"raw.{orders.ingestion}_too")
    other = Bookkeeping(orders.ledger, f"{orders.ingestion}_too")
    assert other.plan() is None
    assert other.ask_for("a") == []
    other.see(source_file("a"))
    planned = other.plan()
    assert planned is not None
    assert orders.file("a").status == "DISCOVERED"
    assert orders.file("a").batch_id is None


@pytest.mark.parametrize("outcome", ["SUCCESS", "DEAD_LETTER"])
def test_a_file_that_a_person_asks_for_again_has_all_its_attempts_before_it(
    orders: Bookkeeping, outcome: str
) -> None:
    orders.see(source_file("a"))
    for _ in range(2):
        claimed = orders.work()
        orders.finish(claimed, FileOutcome(claimed.files[0].file_id, "FAILED"))
        orders.let_time_pass(minutes=60)
    claimed = orders.work()
    orders.finish(claimed, FileOutcome(claimed.files[0].file_id, outcome))  # type: ignore[arg-type]
    assert orders.file("a").attempts == 3
    (asked,) = orders.ask_for("a")
    again = orders.claim(asked.batch_id)
    assert again is not None
    orders.finish(again, FileOutcome(again.files[0].file_id, "FAILED"))
    row = orders.file("a")
    assert (row.status, row.attempts) == ("FAILED", 1)
