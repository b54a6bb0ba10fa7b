"""Upkeep goes round: no task and no ingestion is starved by one that takes all the time."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest_assets.deployment import Deployment
from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration import upkeep
from ingest_assets.orchestration.deadline import Deadline
from ingest_assets.settings import Settings
from ingest_assets_tests.end_to_end.workshop import attributes


def sensor(home: Path, *names: str) -> dg.SensorDefinition:
    settings = Settings(home, home / "defs", home / "dagster", "postgresql://nowhere/none")
    declared = [Ingestion.model_validate(attributes("landing", name)) for name in names]
    return upkeep.build_upkeep_sensor(declared, lambda: Deployment(settings))


def tick(sensor: dg.SensorDefinition, cursor: str | None = None) -> str | None:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, cursor=cursor)
        result: Any = sensor(context)
    return str(result.cursor)


def test_a_task_that_always_takes_all_the_time_starves_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def greedy(_: Deployment, __: Ingestion, ___: Any, deadline: Deadline) -> None:
        while not deadline.is_over:
            time.sleep(0.001)

    def modest(_: Deployment, ingestion: Ingestion, ___: Any, ____: Deadline) -> None:
        done.append(ingestion.name)

    monkeypatch.setattr(upkeep, "TASKS", (greedy, modest))
    monkeypatch.setattr(upkeep, "INGESTION_TIME", timedelta(milliseconds=20))
    looked_after = sensor(tmp_path, "orders", "returns")
    cursor = None
    for _ in range(4):
        cursor = tick(looked_after, cursor)
    assert done == ["orders", "returns"] * 2


def test_a_tick_that_is_given_up_is_followed_by_one_of_the_next_ingestion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def hang(_: Deployment, ingestion: Ingestion, ___: Any, ____: Deadline) -> None:
        begun.append(ingestion.name)
        if ingestion.name == "orders":
            raise KeyboardInterrupt

    monkeypatch.setattr(upkeep, "TASKS", (hang,))
    looked_after = sensor(tmp_path, "orders", "returns", "visits")
    with pytest.raises(KeyboardInterrupt):
        tick(looked_after)
    with pytest.raises(KeyboardInterrupt):
        tick(looked_after)
    assert begun == ["orders", "returns", "visits", "orders"]
