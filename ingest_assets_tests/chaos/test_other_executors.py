"""A project without the in-process executor: each step of a run is a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets.engine.steps import Step
from ingest_assets.orchestration.tick import run_tick
from ingest_assets_tests.chaos import own_project, work, worker
from ingest_assets_tests.chaos.world import World
from ingest_assets_tests.end_to_end.workshop import declare

pytestmark = pytest.mark.slow
_COMMAND = "from ingest_assets_tests.chaos import own_project; own_project.main()"


def _start(tags: Mapping[str, str], **env: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _COMMAND, json.dumps(dict(tags))],
        env={**os.environ, **env},
        stderr=subprocess.DEVNULL,
    )


def _asked(world: World, instance: dg.DagsterInstance) -> Mapping[str, str]:
    """The tags of the one run that a tick asks for."""
    tick = run_tick(world.deployment, world.ingestion, instance, "sensor")
    [request] = tick.run_requests
    return request.tags


def test_ticks_leave_a_healthy_run_of_several_processes_alone(world: World, tmp_path: Path) -> None:
    declare(tmp_path / "own", world.attributes)
    world.put("a.json", rejected=1)
    world.put("b.json")
    with world.instance() as instance:
        run = _start(_asked(world, instance), INGEST_DEFS=str(tmp_path / "own"))
        while run.poll() is None:
            run_tick(world.deployment, world.ingestion, instance, "sensor")
        assert run.wait() == 0
        [record] = instance.get_runs()
        events = [
            log.dagster_event.event_type
            for log in instance.all_logs(record.run_id)
            if log.dagster_event
        ]
    assert dg.DagsterEventType.RUN_FAILURE not in events
    assert record.status == dg.DagsterRunStatus.SUCCESS
    world.assert_exactly_once()
    world.assert_green()


@pytest.mark.parametrize("step", [Step.STAGED, Step.COMMITTED, Step.REPORTED])
def test_a_step_whose_process_is_killed_is_made_good_by_the_next_pass(
    world: World, tmp_path: Path, step: Step
) -> None:
    declare(tmp_path / "own", world.attributes)
    world.put("a.json", rejected=1)
    with world.instance() as instance:
        env = {"INGEST_DEFS": str(tmp_path / "own"), own_project.KILLED_AT: step.value}
        assert _start(_asked(world, instance), **env).wait() == 1
    assert worker.run(world, work.one_pass) == 0
    world.assert_exactly_once()
    world.assert_green()
