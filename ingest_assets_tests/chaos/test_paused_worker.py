"""A worker that slept past its lease, while another one ingested newer content of its file."""

from signal import Signals

import pytest

from ingest_assets.engine.discovery import discover
from ingest_assets.engine.recovery import recover
from ingest_assets.engine.steps import Step
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.worker import Fault
from ingest_assets_tests.chaos.world import World

pytestmark = pytest.mark.slow

BEFORE_THE_COMMIT = [
    Step.CLAIMED,
    Step.STAGED,
    Step.RECORDED,
    Step.REJECTED_COMMITTED,
    Step.TABLE_LOADED,
    Step.LEASE_CHECKED,
]


@pytest.mark.parametrize("step", [*BEFORE_THE_COMMIT, Step.COMMITTED, Step.MARKED])
@pytest.mark.parametrize("is_first", [True, False], ids=["creates the table", "has a table"])
def test_a_worker_that_wakes_up_after_newer_content_came_changes_nothing(
    world: World, step: Step, is_first: bool
) -> None:
    if not is_first:
        world.put("other.json", rejected=1)
        world.put("changed.json", rejected=1)
        assert worker.run(world, work.one_pass) == 0
    world.put("changed.json", rows=4, rejected=2)
    sleeper = worker.start(world, work.one_pass, Fault(step, Signals.SIGSTOP))
    assert sleeper.await_stop()

    world.put("changed.json", rows=2, rejected=1)
    discover(world.deployment, world.ingestion)
    world.expire_leases()
    assert worker.run(world, work.one_pass) == 0
    world.assert_exactly_once()
    before = world.batch_ids()
    sleeper.go_on()

    assert sleeper.join() in (0, worker.SERVICE_ERROR)
    world.assert_exactly_once()
    assert world.batch_ids() == before
    assert worker.run(world, work.one_pass) == 0
    world.assert_exactly_once()
    world.assert_green()


def test_a_sleeper_that_was_recovered_commits_nothing_even_if_nobody_else_did(
    world: World,
) -> None:
    world.put("changed.json")
    assert worker.run(world, work.engine_pass) == 0
    before, rows = world.batch_ids(), world.rows()
    world.put("changed.json", rows=4, rejected=1)
    sleeper = worker.start(world, work.engine_pass, Fault(Step.LEASE_CHECKED, Signals.SIGSTOP))
    assert sleeper.await_stop()
    world.expire_leases()
    assert len(recover(world.deployment, world.ingestion).released) == 1
    world.ask_for("changed.json")  # so that it finds no more to do
    world.query("UPDATE ingest.batches SET status = 'PREPARED' WHERE status = 'PLANNED'")
    sleeper.go_on()

    assert sleeper.join() == 0
    assert (world.batch_ids(), world.rows()) == (before, rows)


def test_a_worker_that_sleeps_for_less_than_its_lease_finishes_its_work(world: World) -> None:
    world.put("a.json", rejected=1)
    sleeper = worker.start(world, work.one_pass, Fault(Step.LEASE_CHECKED, Signals.SIGSTOP))
    assert sleeper.await_stop()
    assert worker.run(world, work.engine_pass) == 0
    sleeper.go_on()

    assert sleeper.join() == 0
    world.assert_exactly_once()
    world.assert_green()


@pytest.mark.parametrize("content", [b"", b"{broken"], ids=["empty", "unreadable"])
def test_a_table_that_a_sleeper_creates_after_all_has_no_rows_that_the_ledger_does_not_know(
    world: World, content: bytes
) -> None:
    world.put("changed.json", rows=4, rejected=2)
    sleeper = worker.start(world, work.engine_pass, Fault(Step.LEASE_CHECKED, Signals.SIGSTOP))
    assert sleeper.await_stop()
    world.put_bytes("changed.json", content)
    world.expire_leases()
    assert worker.run(world, work.engine_pass) == 0
    sleeper.go_on()

    assert sleeper.join() == 0
    assert worker.run(world, work.engine_pass) == 0
    assert worker.run(world, work.engine_pass) == 0

    assert sum(world.rows().values()) == sum(file.rows or 0 for file in world.files())


def test_rejected_rows_of_older_content_are_not_written_after_newer_content_without_any(
    world: World,
) -> None:
    world.put("changed.json", rows=4, rejected=2)
    sleeper = worker.start(world, work.pass_asleep_over_rejected_rows)
    assert sleeper.await_stop()
    world.put("changed.json")
    world.expire_leases()
    assert worker.run(world, work.engine_pass) == 0
    sleeper.go_on()

    assert sleeper.join() == 0
    world.assert_exactly_once()


def test_a_sleeper_whose_base_a_rollback_brought_back_commits_nothing_that_stays(
    world: World,
) -> None:
    world.put("other.json")
    assert worker.run(world, work.engine_pass) == 0
    base = world.table().current_snapshot().snapshot_id
    world.put("changed.json", rows=4, rejected=2)
    sleeper = worker.start(world, work.engine_pass, Fault(Step.LEASE_CHECKED, Signals.SIGSTOP))
    assert sleeper.await_stop()
    world.put("changed.json", rejected=1)
    world.expire_leases()
    assert worker.run(world, work.engine_pass) == 0
    world.table().manage_snapshots().rollback_to_snapshot(base).commit()
    sleeper.go_on()

    assert sleeper.join() == 0
    assert worker.run(world, work.engine_pass) == 0
    world.assert_exactly_once()


def test_a_worker_that_sleeps_in_the_catalogs_transaction_stops_nobody_for_long(
    world: World,
) -> None:
    world.put("a.json")
    world.put("b.json")
    assert worker.run(world, work.one_pass) == 0
    world.put("a.json", rows=4)
    sleeper = worker.start(world, work.pass_asleep_in_the_catalogs_transaction)
    assert sleeper.await_stop()
    world.put("c.json")
    world.expire_leases()

    others = [worker.start(world, work.one_pass), worker.start(world, work.one_tick)]
    assert [other.join() for other in others] == [0, 0]  # the second one ends too
    sleeper.go_on()
    assert sleeper.join() in (0, worker.SERVICE_ERROR)
    world.expire_leases()
    assert worker.run(world, work.one_pass) == 0
    world.assert_exactly_once()
    world.assert_green()
