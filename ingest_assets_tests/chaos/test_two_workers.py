"""Two workers on the same files in the same moment: every row is in the table once."""

import pytest

from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.world import World

ROUNDS = 6


@pytest.mark.slow
@pytest.mark.parametrize("to_do", [work.engine_pass, work.one_pass])
def test_two_workers_that_begin_together_write_every_row_once(
    world: World, to_do: worker.Work
) -> None:
    world.batch_files = 2
    for number in range(ROUNDS):
        world.put(f"{number}-new.json", rejected=1)
        world.put(f"{number}-wide.json", column=f"extra_{number}")
        world.put("changed.json", rejected=number % 2)
        together = worker.barrier(2)
        both = [worker.start(world, to_do, barrier=together) for _ in range(2)]
        assert [one.join() for one in both] == [0, 0]
        assert worker.run(world, to_do) == 0
        world.assert_exactly_once()
    if to_do is work.one_pass:
        world.assert_green()


@pytest.mark.slow
@pytest.mark.parametrize("_attempt", range(4))
def test_two_workers_that_both_create_the_table_write_every_row_once(
    world: World, _attempt: int
) -> None:
    world.put("a.json", rejected=1)
    world.put("b.json", rejected=1, column="extra")
    world.batch_files = 1
    together = worker.barrier(2)
    both = [worker.start(world, work.one_pass, barrier=together) for _ in range(2)]

    assert [one.join() for one in both] == [0, 0]

    world.assert_exactly_once()
    world.assert_green()
