"""Maintenance in a process of its own, beside one that ingests, and killed at each of its steps."""

import pytest

from ingest_assets.engine.chores import Chore
from ingest_assets.engine.recovery import recover
from ingest_assets_tests.chaos import keeping, work, worker
from ingest_assets_tests.chaos.world import World

STEPS = (
    "group written",
    "compaction staged",
    "compaction committed",
    "expiry noted",
    "expiry committed",
    "file deleted",
)


@pytest.mark.slow
def test_maintenance_that_is_killed_beside_a_running_ingestion_harms_no_row(world: World) -> None:
    world.batch_files = 2
    killed = []
    for number, step in enumerate(STEPS[1::2]):
        for name in ("first", "second"):
            world.put(f"{number}-{name}.json", rejected=1)
        world.put("changed.json", rejected=number % 2)
        assert worker.run(world, work.engine_pass) == 0
        world.put("changed.json", rejected=1, column=f"extra_{number}")
        world.put(f"{number}-beside.json")
        together = worker.barrier(3)
        pass_, whole, cut = (
            worker.start(world, to_do, barrier=together)
            for to_do in (work.engine_pass, keeping.keep, keeping.killed_at(step))
        )
        assert (pass_.join(), whole.join()) == (0, 0)
        killed.append(cut.join())
        assert worker.run(world, work.engine_pass) == 0
        world.assert_exactly_once()
    assert set(killed) <= {0, -9}
    assert -9 in killed
    keeping.keep(world.deployment, world.ingestion)
    keeping.keep(world.deployment, world.ingestion, chores=(Chore.ORPHANS,))
    world.assert_exactly_once()
    assert len(world.table().snapshots()) <= 2
    again = recover(world.deployment, world.ingestion)
    assert (again.finished, again.released, again.rolled_back) == ((), (), ())
    assert worker.run(world, work.engine_pass) == 0
    world.assert_exactly_once()


@pytest.mark.slow
def test_maintenance_that_is_killed_and_run_again_keeps_every_row(world: World) -> None:
    world.batch_files = 1
    for number, step in enumerate(STEPS):
        for name in ("first", "second"):
            world.put(f"{number}-{name}.json", rejected=1)
        assert worker.run(world, work.engine_pass) == 0
        assert worker.run(world, keeping.killed_at(step)) == -9
        world.assert_exactly_once()
        keeping.keep(world.deployment, world.ingestion)
        keeping.keep(world.deployment, world.ingestion, chores=(Chore.ORPHANS,))
        world.assert_exactly_once()
        assert len(list(world.table().scan().plan_files())) == 1
