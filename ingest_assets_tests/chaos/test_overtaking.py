"""Workers that merge or overwrite, killed at any step, stopped, or two at a time."""

import random
from collections.abc import Callable
from signal import Signals

import pytest

from ingest_assets.engine.steps import Step
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.overtaking import Merging, Overwriting
from ingest_assets_tests.chaos.worker import Fault
from ingest_assets_tests.chaos.world import World

pytestmark = pytest.mark.slow

STEPS = [s for s in Step if s not in (Step.REPORTED, Step.REJECTED_COMMITTED)]
KINDS = [Merging, Overwriting]
Make = Callable[[type[World]], Merging | Overwriting]


@pytest.fixture
def make(world: World) -> Make:
    """The world as one of another kind, in the same services."""

    def made(kind: type[World]) -> Merging | Overwriting:
        found = kind(world.environment, world.bucket, world.client, deployment=world.deployment)
        assert isinstance(found, Merging | Overwriting)
        return found

    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_killed_at_any_step_leaves_what_the_next_one_finishes(
    make: Make, kind: type[World]
) -> None:
    world, rng = make(kind), random.Random(1)
    for step in STEPS:  # the first of them also before there is a table
        world.change("a.json", rng)
        world.change("b.json", rng)
        assert worker.run(world, work.engine_pass, Fault(step)) == -Signals.SIGKILL
        assert worker.run(world, work.engine_pass) == 0
        world.assert_merged()


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_wakes_up_after_another_did_its_work_changes_nothing(
    make: Make, kind: type[World]
) -> None:
    world, rng = make(kind), random.Random(2)
    world.change("a.json", rng)
    assert worker.run(world, work.engine_pass) == 0
    world.change("b.json", rng)
    sleeper = worker.start(world, work.engine_pass, Fault(Step.LEASE_CHECKED, Signals.SIGSTOP))
    assert sleeper.await_stop()
    world.expire_leases()
    world.change("a.json", rng)
    assert worker.run(world, work.engine_pass) == 0
    world.assert_merged()
    sleeper.go_on()
    sleeper.join()
    world.assert_merged()


def test_two_workers_that_merge_at_once_lose_and_double_nothing(make: Make) -> None:
    world, rng = make(Merging), random.Random(3)
    world.batch_files = 1
    for _ in range(2):
        for key in ("a.json", "b.json", "c.json", "d.json"):
            world.change(key, rng)
        together = worker.barrier(2)
        both = [worker.start(world, work.engine_pass, barrier=together) for _ in range(2)]
        assert [one.join() for one in both] == [0, 0]
        assert worker.run(world, work.engine_pass) == 0
        world.assert_merged()
