"""A rollback of the table sends exactly the files round again whose batches left `main`."""

import pytest

from ingest_assets.engine.recovery import recover
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.world import World


@pytest.mark.slow
def test_the_files_of_batches_that_left_main_are_ingested_again_and_no_others(
    world: World,
) -> None:
    world.put("kept.json")
    world.put("changed.json")
    assert worker.run(world, work.one_pass) == 0
    target = world.table().current_snapshot().snapshot_id
    world.put("changed.json", rejected=1)
    world.put("second.json", column="extra")
    assert worker.run(world, work.one_pass) == 0
    world.put("third.json")
    assert worker.run(world, work.one_pass) == 0
    third, second, first = world.batch_ids()

    world.table().manage_snapshots().rollback_to_snapshot(target).commit()
    recovered = recover(world.deployment, world.ingestion)

    assert set(recovered.rolled_back) == {second, third}
    assert {file.key: file.status for file in world.files()} == {
        "kept.json": "SUCCESS",
        "changed.json": "DISCOVERED",
        "second.json": "DISCOVERED",
        "third.json": "DISCOVERED",
    }
    assert recover(world.deployment, world.ingestion).rolled_back == ()
    assert worker.run(world, work.one_pass) == 0
    world.assert_exactly_once()
    world.assert_green()
    assert first in world.batch_ids()
