"""A worker killed at any step, and started again: every row is in the table once."""

from signal import Signals

import pytest

from ingest_assets.engine.steps import Step
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.worker import Fault
from ingest_assets_tests.chaos.world import World

pytestmark = pytest.mark.slow

STEPS_WITHOUT_REJECTED_ROWS = [step for step in Step if step is not Step.REJECTED_COMMITTED]


@pytest.mark.parametrize("step", STEPS_WITHOUT_REJECTED_ROWS)
def test_a_worker_killed_while_it_creates_the_table_loses_and_doubles_nothing(
    world: World, step: Step
) -> None:
    world.put("first.json")

    assert worker.run(world, work.one_pass, Fault(step)) == -Signals.SIGKILL
    assert worker.run(world, work.one_pass) == 0

    world.assert_exactly_once()
    world.assert_green()


@pytest.mark.parametrize("step", Step)
def test_a_worker_killed_over_changed_files_and_rejected_rows_loses_and_doubles_nothing(
    world: World, step: Step
) -> None:
    world.put("changed.json", rejected=1)
    world.put("kept.json", rejected=1)
    assert worker.run(world, work.one_pass) == 0
    world.put("changed.json", rejected=2)
    world.put("new.json", rejected=1, column="extra")

    assert worker.run(world, work.one_pass, Fault(step)) == -Signals.SIGKILL
    assert worker.run(world, work.one_pass) == 0

    world.assert_exactly_once()
    world.assert_green()


def test_a_worker_killed_in_the_middle_of_a_listing_loses_nothing(world: World) -> None:
    world.put("a.json")
    world.put("b.json")

    assert worker.run(world, work.pass_killed_in_a_listing) == -Signals.SIGKILL
    assert [file.key for file in world.files()] == ["a.json"]
    assert worker.run(world, work.one_pass) == 0

    world.assert_exactly_once()
    world.assert_green()


def test_a_tick_whose_result_never_reached_dagster_loses_nothing(world: World) -> None:
    world.put("a.json")
    assert worker.run(world, work.one_pass, Fault(Step.MARKED)) == -Signals.SIGKILL
    world.put("b.json")

    assert worker.run(world, work.one_tick) == 0
    assert worker.run(world, work.one_pass) == 0

    world.assert_exactly_once()
    world.assert_green()
