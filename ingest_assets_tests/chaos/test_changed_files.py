"""Whatever happens, the table has the contents that the mode of changed files wants, each once."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest_assets_tests.chaos import worker
from ingest_assets_tests.chaos.changing import Changing, ChangingSchedule
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
