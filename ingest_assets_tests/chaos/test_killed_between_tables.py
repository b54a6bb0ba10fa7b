"""Files on their way between the tables of two shapes: killed, asleep, rolled back, all at random.

A failure names its seed and what happened. `CHAOS_SEED=17` runs that one alone; `CHAOS_SCHEDULES`
and `CHAOS_FIRST_SEED` say how many there are and where they begin.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from signal import Signals

import pytest

from ingest_assets.engine.steps import Step
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.deciding import decision
from ingest_assets_tests.chaos.two_tables import OTHER, ShapedSchedule, TwoTables
from ingest_assets_tests.chaos.worker import Fault
from ingest_assets_tests.chaos.world import World

pytestmark = pytest.mark.slow

STEPS = [step for step in Step if step is not Step.REPORTED]
LEAVING, COMING = 1, 2


@pytest.fixture
def shaped(world: World) -> TwoTables:
    """An empty source, no table yet."""
    return TwoTables(world.environment, world.bucket, world.client, deployment=world.deployment)


@pytest.mark.parametrize("turn", [LEAVING, COMING], ids=["leaving", "coming"])
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_while_files_change_tables_loses_and_doubles_nothing(
    shaped: TwoTables, step: Step, turn: int
) -> None:
    shaped.part()
    shaped.put_shaped("a.json", OTHER, rejected=1)
    shaped.put_shaped("c.json", "", rejected=1)

    code = worker.run(shaped, work.engine_pass, Fault(step, turn=turn))
    if (step, turn) != (Step.REJECTED_COMMITTED, COMING):
        assert code == -Signals.SIGKILL
    for _ in range(2):
        work.engine_pass(shaped.deployment, shaped.ingestion)

    shaped.assert_in_their_tables()


def test_a_worker_that_makes_the_other_table_too_late_leaves_no_rows_of_old(
    shaped: TwoTables,
) -> None:
    shaped.put_shaped("a.json", "")
    shaped.put_shaped("b.json", OTHER)
    work.engine_pass(shaped.deployment, shaped.ingestion)
    decision("new_table")(shaped.deployment, shaped.ingestion)
    asleep = Fault(Step.LEASE_CHECKED, Signals.SIGSTOP)
    sleeper = worker.start(shaped, work.engine_pass, asleep)
    assert sleeper.await_stop()
    shaped.put_shaped("b.json", "")
    shaped.expire_leases()
    work.engine_pass(shaped.deployment, shaped.ingestion)
    assert shaped.rows() == shaped.expected_rows

    sleeper.go_on()
    assert sleeper.join() == 0
    assert sum(shaped.rows_in(OTHER).values()) == 3
    shaped.put_shaped("b.json", OTHER)  # rows of earlier contents are in both tables
    work.engine_pass(shaped.deployment, shaped.ingestion)

    shaped.assert_in_their_tables()


def _seeds() -> list[int]:
    if "CHAOS_SEED" in os.environ:
        return [int(os.environ["CHAOS_SEED"])]
    first = int(os.environ.get("CHAOS_FIRST_SEED", "0"))
    return list(range(first, first + int(os.environ.get("CHAOS_SCHEDULES", "5"))))


def _live(shaped: TwoTables, seed: int) -> None:
    schedule = ShapedSchedule(shaped, seed)
    try:
        schedule.run()
        shaped.assert_in_their_tables()
    except BaseException as error:
        error.add_note(f"CHAOS_SEED={seed}\n" + "\n".join(schedule.log))
        raise


def test_whatever_happens_every_row_is_in_the_table_of_its_shape_once(shaped: TwoTables) -> None:
    worlds = {seed: shaped.another(f"s{seed}", batch_files=1 + seed % 4) for seed in _seeds()}
    # Two side by side, because a schedule mostly waits for its worker processes.
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_live, world, seed) for seed, world in worlds.items()]:
            done.result()
