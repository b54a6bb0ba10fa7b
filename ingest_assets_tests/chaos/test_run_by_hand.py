"""A person materializes a range of partitions: what goes wrong with one leaves the others green."""

from collections.abc import Callable
from datetime import timedelta
from signal import Signals

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from ingest_assets.engine import steps
from ingest_assets.engine.discovery import discover
from ingest_assets.engine.steps import Step
from ingest_assets.errors import CatalogError, CommitConflictError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import batches
from ingest_assets.ledger.leases import Holder
from ingest_assets.orchestration.names import asset_key, partitions_def
from ingest_assets.orchestration.tick import run_tick
from ingest_assets.tables import racing
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.worker import Fault
from ingest_assets_tests.chaos.world import World

pytestmark = pytest.mark.slow
KEYS = ["a.json", "b.json", "c.json", "d.json"]
GREEN, RED = AssetPartitionStatus.MATERIALIZED, AssetPartitionStatus.FAILED


@pytest.fixture
def ingested(world: World) -> World:
    """Four files that are in the table."""
    for key in KEYS:
        world.put(key, rejected=1)
    assert worker.run(world, work.one_pass) == 0
    world.assert_green()
    return world


def _materialize(world: World, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """The run that the UI starts for the range of all four."""
    ingestion = Ingestion.model_validate(world.attributes)
    return work.materialize_all(world.deployment, ingestion, instance)


def _statuses(world: World, instance: dg.DagsterInstance) -> dict[str, AssetPartitionStatus]:
    return instance.get_status_by_partition(
        asset_key(world.ingestion), KEYS, partitions_def(world.ingestion)
    )


def _failure(result: dg.ExecuteInProcessResult) -> str:
    [failed] = [event for event in result.all_events if event.is_step_failure]
    return failed.step_failure_data.error.message


def test_a_range_is_read_again_and_every_row_is_there_once(ingested: World) -> None:
    with ingested.instance() as instance:
        assert _materialize(ingested, instance).success
    ingested.assert_exactly_once()
    ingested.assert_green()


@pytest.mark.parametrize("is_known", [True, False], ids=["after a listing", "before a listing"])
def test_a_file_replaced_by_garbage_fails_alone_and_its_old_rows_stay(
    ingested: World, is_known: bool
) -> None:
    ingested.put_bytes("b.json", b"{garbage")
    if is_known:
        discover(ingested.deployment, ingested.ingestion)
    with ingested.instance() as instance:
        result = _materialize(ingested, instance)
        assert not result.success
        assert _statuses(ingested, instance) == dict.fromkeys(KEYS, GREEN) | {"b.json": RED}
    assert "b.json" in _failure(result)
    assert ingested.rows() == ingested.expected_rows
    expected = "DEAD_LETTER" if is_known else "FAILED"
    assert [file.status for file in ingested.files()] == ["SUCCESS", expected, "SUCCESS", "SUCCESS"]


def test_a_file_that_another_batch_holds_is_refused_by_name_and_stays_green(
    ingested: World,
) -> None:
    (held,) = ingested.ask_for("c.json")
    with ingested.deployment.ledger.transaction() as connection:
        assert batches.claim(connection, held.batch_id, Holder.this_process(), None)
    with ingested.instance() as instance:
        result = _materialize(ingested, instance)
        assert not result.success
        assert _statuses(ingested, instance) == dict.fromkeys(KEYS, GREEN)
        told = instance.fetch_materializations(asset_key(ingested.ingestion), limit=100).records
    again = [one.partition_key for one in told if one.run_id == result.run_id]
    assert sorted(again) == KEYS
    assert "c.json" in _failure(result)
    assert "a.json" not in _failure(result)
    ingested.expire_leases()
    assert worker.run(ingested, work.one_pass) == 0
    ingested.assert_exactly_once()
    ingested.assert_green()


def test_partitions_that_are_moved_while_the_run_goes_on_do_not_change_what_it_is_for(
    ingested: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ingested.instance() as instance:

        def move(reached: Step, _batch_id: str) -> None:
            if reached is Step.COMMITTED:
                instance.delete_dynamic_partition(ingested.name, "d.json")
                instance.add_dynamic_partitions(ingested.name, ["new.json", "d.json"])

        monkeypatch.setattr(steps, "_watchers", [move])
        result = _materialize(ingested, instance)
        assert result.success
        told = instance.fetch_materializations(asset_key(ingested.ingestion), limit=100).records
    assert sorted(one.partition_key for one in told if one.run_id == result.run_id) == KEYS


def test_a_run_that_has_ingested_and_goes_on_with_other_assets_is_left_alone(
    ingested: World,
) -> None:
    seen = []

    @dg.asset
    def zz_takes_half_an_hour(context: dg.AssetExecutionContext) -> None:
        ingested.query("UPDATE ingest.batches SET finished_at = now() - interval '11 minutes'")
        run_tick(ingested.deployment, ingested.ingestion, context.instance, "sensor")
        seen.append(context.instance.get_run_by_id(context.run.run_id))

    with ingested.instance() as instance:
        result = work.materialize_all(
            ingested.deployment, ingested.ingestion, instance, zz_takes_half_an_hour
        )
    order = [event.step_key for event in result.all_events if event.is_step_start]
    assert order[:2] == ["raw__orders.ingest_orders", "zz_takes_half_an_hour"]
    assert [run.status for run in seen] == [dg.DagsterRunStatus.STARTED]
    assert result.success


def _at_second(monkeypatch: pytest.MonkeyPatch, step: Step, act: Callable[[], None]) -> None:
    """The second batch that reaches the step meets the act there."""
    turns = iter(range(1, 1000))
    monkeypatch.setattr(steps, "_watchers", [])
    steps.watch(lambda reached, _: act() if reached is step and next(turns) == 2 else None)


def _raise(error: BaseException) -> None:
    raise error


def test_a_large_range_is_worked_through_in_batches_with_a_commit_each(ingested: World) -> None:
    ingested.batch_files = 2
    before = ingested.batch_ids()
    with ingested.instance() as instance:
        assert _materialize(ingested, instance).success
    first, second = reversed(ingested.batch_ids()[: -len(before)])
    planned = [
        row.keys
        for batch_id in (first, second)
        for row in ingested.query(
            "SELECT array_agg(f.key ORDER BY a.position) AS keys FROM ingest.attempts a "
            "JOIN ingest.files f USING (file_id) WHERE a.batch_id = :batch_id",
            batch_id=batch_id,
        )
    ]
    assert planned == [["a.json", "b.json"], ["c.json", "d.json"]]
    ingested.assert_exactly_once()
    ingested.assert_green()


@pytest.mark.parametrize("error", [CatalogError("out of reach"), CommitConflictError("too slow")])
def test_a_batch_that_fails_as_a_whole_leaves_those_before_and_after_it_green(
    ingested: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ingested.batch_files = 1
    monkeypatch.setattr(racing, "TRIES", 1)
    _at_second(monkeypatch, Step.TABLE_LOADED, lambda: _raise(error))
    with ingested.instance() as instance:
        result = _materialize(ingested, instance)
        assert not result.success
        assert _statuses(ingested, instance) == dict.fromkeys(KEYS, GREEN) | {"b.json": RED}
    assert f"FAILED b.json: {error}" in _failure(result)
    assert worker.run(ingested, work.one_pass) == 0
    ingested.assert_exactly_once()
    ingested.assert_green()


def test_bad_files_of_several_batches_are_all_named_at_the_end(ingested: World) -> None:
    ingested.batch_files = 2
    for key in ("a.json", "d.json"):
        ingested.put_bytes(key, b"{garbage")
    discover(ingested.deployment, ingested.ingestion)
    with ingested.instance() as instance:
        result = _materialize(ingested, instance)
        expected = {"a.json": RED, "b.json": GREEN, "c.json": GREEN, "d.json": RED}
        assert _statuses(ingested, instance) == expected
    failure = _failure(result)
    assert "2 files of orders are not in raw.orders:\n" in failure
    assert [key for key in KEYS if f"DEAD_LETTER {key}" in failure] == ["a.json", "d.json"]


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("turn", [1, 2])
def test_a_run_killed_in_one_of_its_batches_is_finished_by_the_next_pass(
    ingested: World, step: Step, turn: int
) -> None:
    ingested.batch_files = 2
    killed = worker.run(ingested, work.run_by_hand, Fault(step, Signals.SIGKILL, turn))
    assert killed == -Signals.SIGKILL
    assert worker.run(ingested, work.one_pass) == 0
    ingested.assert_exactly_once()
    ingested.assert_green()


def test_a_run_killed_before_its_first_batch_is_done_by_the_next_pass(ingested: World) -> None:
    before = len(ingested.batch_ids())
    to_do = work.run_by_hand_killed_before_its_first_batch
    assert worker.run(ingested, to_do) == -Signals.SIGKILL
    assert worker.run(ingested, work.one_pass) == 0
    assert len(ingested.batch_ids()) == before + 1
    ingested.assert_exactly_once()
    ingested.assert_green()


def _interrupt_at_second(
    monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance, *, is_cancelled: bool
) -> None:
    """In the middle of its second batch the run is interrupted, by a person or by its host."""

    def act() -> None:
        if is_cancelled:
            [run] = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
            instance.report_run_canceling(run)
        raise KeyboardInterrupt

    _at_second(monkeypatch, Step.TABLE_LOADED, act)


def test_a_cancelled_run_leaves_what_it_did_not_come_to_as_it_was(
    ingested: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingested.batch_files = 1
    before = len(ingested.batch_ids())
    with ingested.instance() as instance:
        _interrupt_at_second(monkeypatch, instance, is_cancelled=True)
        _materialize(ingested, instance)
        states = [file.status for file in ingested.files()]
        assert states == ["SUCCESS", "DISCOVERED", "SUCCESS", "SUCCESS"]
        assert _statuses(ingested, instance) == dict.fromkeys(KEYS, GREEN)
    assert worker.run(ingested, work.one_pass) == 0
    assert len(ingested.batch_ids()) == before + 2
    ingested.assert_exactly_once()
    ingested.assert_green()


@pytest.mark.parametrize("is_by_hand", [True, False])
def test_what_an_interrupted_run_did_not_come_to_is_done_by_the_next(
    ingested: World, monkeypatch: pytest.MonkeyPatch, is_by_hand: bool
) -> None:
    ingested.batch_files = 1
    before = len(ingested.batch_ids())
    with ingested.instance() as instance:
        _interrupt_at_second(monkeypatch, instance, is_cancelled=False)
        _materialize(ingested, instance)
        assert _statuses(ingested, instance) == dict.fromkeys(KEYS, RED) | {"a.json": GREEN}
        if is_by_hand:
            assert _materialize(ingested, instance).success
        else:
            assert worker.run(ingested, work.one_pass) == 0
    assert len(ingested.batch_ids()) == before + (5 if is_by_hand else 4)
    ingested.assert_exactly_once()
    ingested.assert_green()


def test_a_tick_leaves_the_batches_of_a_run_that_goes_on_alone_however_long_it_takes(
    ingested: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingested.batch_files = 1
    asked = []

    def tick_an_hour_later() -> None:
        ingested.query(
            "UPDATE ingest.batches SET created_at = created_at - CAST(:hour AS interval), "
            "finished_at = finished_at - CAST(:hour AS interval)",
            hour=timedelta(hours=1),
        )
        with ingested.instance() as other:
            tick = run_tick(ingested.deployment, ingested.ingestion, other, "sensor")
        asked.append(tick.run_requests)

    _at_second(monkeypatch, Step.STAGED, tick_an_hour_later)
    with ingested.instance() as instance:
        assert _materialize(ingested, instance).success
    assert asked == [()]
    ingested.assert_exactly_once()
    ingested.assert_green()
