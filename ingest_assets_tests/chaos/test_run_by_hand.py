"""A person materializes a range of partitions: what goes wrong with one leaves the others green."""

import warnings

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from ingest_assets.engine.discovery import discover
from ingest_assets.ledger import batches
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.names import (
    IO_MANAGER_KEY,
    RANGE_END_TAG,
    RANGE_START_TAG,
    asset_key,
    partitions_def,
)
from ingest_assets_tests.chaos import work, worker
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.materialize(
            [build_asset(world.ingestion, lambda: world.deployment)],
            instance=instance,
            resources={IO_MANAGER_KEY: IcebergIOManager(lambda: world.deployment)},
            tags={RANGE_START_TAG: KEYS[0], RANGE_END_TAG: KEYS[-1]},
            raise_on_error=False,
        )


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
    with ingested.deployment.ledger.transaction() as connection:
        held = batches.plan_keys(connection, ingested.name, ["c.json"])
    assert held.batch is not None
    with ingested.instance() as instance:
        result = _materialize(ingested, instance)
        assert not result.success
        assert _statuses(ingested, instance) == dict.fromkeys(KEYS, GREEN)
        told = instance.fetch_materializations(asset_key(ingested.ingestion), limit=100).records
    again = [one.partition_key for one in told if one.run_id == result.run_id]
    assert sorted(again) == KEYS
    assert "c.json" in _failure(result)
    assert "a.json" not in _failure(result)
    assert worker.run(ingested, work.one_pass) == 0
    ingested.assert_exactly_once()
    ingested.assert_green()
