"""Two hundred random schedules of uploads, workers, deaths, sleeps, rollbacks and asked-for files.

A failure names its seed and what happened. `CHAOS_SEED=17` runs that one alone; `CHAOS_SCHEDULES`
and `CHAOS_FIRST_SEED` say how many there are and where they begin; `RANDOM_SCHEDULES` says how many
for these tests alone.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest_assets_tests.chaos.schedule import Schedule
from ingest_assets_tests.chaos.world import World

SEEDS_PER_TEST = 20


def _seeds() -> list[int]:
    if "CHAOS_SEED" in os.environ:
        return [int(os.environ["CHAOS_SEED"])]
    first = int(os.environ.get("CHAOS_FIRST_SEED", "0"))
    share = os.environ.get("RANDOM_SCHEDULES", "200")
    return list(range(first, first + int(os.environ.get("CHAOS_SCHEDULES", share))))


def _parts() -> list[list[int]]:
    seeds = _seeds()
    return [seeds[start : start + SEEDS_PER_TEST] for start in range(0, len(seeds), SEEDS_PER_TEST)]


def _live(world: World, seed: int) -> None:
    schedule = Schedule(world.another(f"s{seed}", batch_files=1 + seed % 4), seed)
    try:
        schedule.run()
        schedule.world.assert_exactly_once()
    except BaseException as error:
        error.add_note(f"CHAOS_SEED={seed}\n" + "\n".join(schedule.log))
        raise


@pytest.mark.slow
@pytest.mark.parametrize("seeds", _parts(), ids=lambda seeds: f"seeds {seeds[0]} to {seeds[-1]}")
def test_whatever_happens_every_row_is_in_the_table_once(world: World, seeds: list[int]) -> None:
    # Two side by side, because a schedule mostly waits for its worker processes.
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_live, world, seed) for seed in seeds]:
            done.result()
