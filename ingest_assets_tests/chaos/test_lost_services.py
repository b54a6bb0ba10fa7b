"""Services that go away in the middle of a batch: recovery finishes it, nothing is doubled."""

from signal import Signals

import psycopg2
import pytest
from sqlalchemy import make_url

from ingest_assets.engine.steps import Step
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.worker import Fault
from ingest_assets_tests.chaos.world import World

pytestmark = pytest.mark.slow


def _set_reachable(postgres_url: str, world: World, is_reachable: bool) -> None:
    """The world's database lets nobody in, and has thrown everybody out; or it is as before."""
    database = make_url(world.environment["INGEST_POSTGRES_URL"]).database
    connection = psycopg2.connect(postgres_url.replace("postgresql+psycopg2://", "postgresql://"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS {is_reachable}')
            if not is_reachable:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (database,),
                )
    finally:
        connection.close()


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.REPORTED])
def test_postgres_lost_at_a_step_is_made_good_by_recovery(
    world: World, postgres_url: str, step: Step
) -> None:
    world.put("a.json", rejected=1)
    world.put("b.json")
    sleeper = worker.start(world, work.engine_pass, Fault(step, Signals.SIGSTOP))
    assert sleeper.await_stop()
    _set_reachable(postgres_url, world, False)
    sleeper.go_on()
    assert sleeper.join() == worker.SERVICE_ERROR
    _set_reachable(postgres_url, world, True)

    assert worker.run(world, work.one_pass) == 0
    world.assert_exactly_once()
    assert len(world.batch_ids()) == 1


@pytest.mark.parametrize("to_do", [work.pass_with_a_lost_connection, work.pass_with_an_odd_answer])
@pytest.mark.parametrize("is_first", [True, False], ids=["creates the table", "has a table"])
def test_a_commit_whose_answer_was_lost_is_found_by_the_same_pass_and_not_made_again(
    world: World, to_do: worker.Work, is_first: bool
) -> None:
    if not is_first:
        world.put("a.json")
        world.put("other.json")
        assert worker.run(world, work.one_pass) == 0
    world.put("a.json", rejected=1)
    before = len(world.batch_ids())

    assert worker.run(world, to_do) == 0

    world.assert_exactly_once()
    assert len(world.batch_ids()) == before + 1
    assert worker.run(world, work.one_pass) == 0
    world.assert_green()


def test_a_run_cancelled_in_its_commit_leaves_what_was_committed(world: World) -> None:
    world.put("a.json", rejected=1)

    assert worker.run(world, work.pass_interrupted) not in (0, worker.SERVICE_ERROR)
    assert world.rows() == world.expected_rows
    assert worker.run(world, work.one_pass) == 0

    world.assert_exactly_once()
    assert len(world.batch_ids()) == 1


def test_an_answer_lost_over_rejected_rows_doubles_none_of_them(world: World) -> None:
    world.put("a.json", rejected=2)

    assert worker.run(world, work.pass_with_a_lost_connection_over_rejected_rows) == 0

    world.assert_exactly_once()
    world.assert_green()
