"""Whatever happens, the table has the contents that the mode of changed files wants, each once."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from signal import Signals

import pytest

from ingest_assets.engine.recovery import recover
from ingest_assets.engine.steps import Step
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.changing import Changing, ChangingSchedule
from ingest_assets_tests.chaos.worker import Fault
from ingest_assets_tests.chaos.world import World

SCHEDULES = {"append": 20, "ignore": 6, "fail": 6}


@pytest.fixture
def changing(world: World) -> Iterator[Changing]:
    """Empty, in the services of the world."""
    made = Changing(world.environment, world.bucket, world.client, deployment=world.deployment)
    yield made
    worker.end_all()


def _live(changing: Changing, mode: str, seed: int) -> None:
    own = changing.another(f"s{seed}", batch_files=1 + seed % 4).under(mode)
    schedule = ChangingSchedule(own, seed, has_rollbacks=seed % 2 == 1)
    try:
        schedule.run()
        own.assert_as_the_mode_says()
    except BaseException as error:
        error.add_note(f"CHAOS_SEED={seed}\n" + "\n".join(schedule.log))
        raise


@pytest.mark.slow
@pytest.mark.parametrize("mode", SCHEDULES)
def test_whatever_happens_each_wanted_content_is_in_the_table_once(
    changing: Changing, mode: str
) -> None:
    first = int(os.environ.get("CHAOS_FIRST_SEED", "0"))
    count = int(os.environ.get("CHAOS_SCHEDULES", SCHEDULES[mode]))
    with ThreadPoolExecutor(2) as pool:
        for done in [
            pool.submit(_live, changing, mode, seed) for seed in range(first, first + count)
        ]:
            done.result()


@pytest.mark.slow
def test_rejected_rows_come_back_that_were_taken_for_those_of_a_dead_worker(
    changing: Changing,
) -> None:
    """Nobody can fence a worker that makes the table; what it wrote before is tidied up too early.

    Its own pass does that when it has woken up: its batch was released, its files wait again, and
    they have other content by then, so that nobody reads the earlier one again.
    """
    own = changing.another("late", batch_files=4).under("append")
    own.put("a.json", rows=2, rejected=1)
    sleeper = worker.start(own, work.engine_pass, Fault(Step.LEASE_CHECKED, Signals.SIGSTOP))
    assert sleeper.await_stop()
    own.put("a.json", rows=1)
    own.expire_leases()
    assert len(recover(own.deployment, own.ingestion).released) == 1
    sleeper.go_on()
    assert sleeper.join() == 0
    assert not own.rejected_rows()
    for _ in range(2):
        own.expire_leases()
        work.engine_pass(own.deployment, own.ingestion)
        own.assert_as_the_mode_says()
    assert own.rejected_rows() == {own.uri("a.json"): 1}
