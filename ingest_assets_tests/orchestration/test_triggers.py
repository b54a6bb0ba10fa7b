"""What an operator learns of the triggers of ingestions from the Dagster instance."""

import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.triggers import TriggerState, trigger_states
from ingest_assets.settings import Settings
from ingest_assets_tests.end_to_end.workshop import attributes


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment whose Dagster home has an instance on SQLite."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return Settings(tmp_path, tmp_path / "defs", home)


def _store(settings: Settings, name: str, status: InstigatorStatus, ticked_at: float) -> None:
    target = LoadableTargetOrigin(module_name="ingest_assets.definitions")
    location = InProcessCodeLocationOrigin(target)
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
    data = SensorInstigatorData(last_tick_start_timestamp=ticked_at, min_interval=30)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, status, data))


def _ingestion(name: str, **changes: Any) -> Ingestion:
    return Ingestion.model_validate(attributes("landing", name, **changes))


def test_a_trigger_is_on_off_or_stalled(settings: Settings) -> None:
    now = time.time()
    _store(settings, "ticks_sensor", InstigatorStatus.RUNNING, now - 20)
    _store(settings, "on_by_code_sensor", InstigatorStatus.DECLARED_IN_CODE, now - 20)
    _store(settings, "no_daemon_sensor", InstigatorStatus.RUNNING, now - 3600)
    _store(settings, "switched_off_sensor", InstigatorStatus.STOPPED, now - 3600)
    names = ["ticks", "on_by_code", "no_daemon", "switched_off", "untouched"]
    assert trigger_states(settings, [_ingestion(name) for name in names]) == {
        "ticks": TriggerState.ON,
        "on_by_code": TriggerState.ON,
        "no_daemon": TriggerState.STALLED,
        "switched_off": TriggerState.OFF,
        "untouched": TriggerState.OFF,
    }


def test_a_schedule_that_took_the_sensors_place_is_the_trigger(settings: Settings) -> None:
    now = time.time()
    _store(settings, "orders_sensor", InstigatorStatus.RUNNING, now - 3600)
    _store(settings, "orders_schedule", InstigatorStatus.STOPPED, now - 7200)
    nightly = _ingestion("orders", schedule={"cron": "0 3 * * *"})
    assert trigger_states(settings, [nightly]) == {"orders": TriggerState.OFF}
    assert trigger_states(settings, [_ingestion("orders")]) == {"orders": TriggerState.STALLED}


def test_without_a_dagster_home_nobody_knows_and_none_is_made(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path / "defs", tmp_path / "dagster")
    assert trigger_states(settings, [_ingestion("orders")]) == {"orders": TriggerState.NO_INSTANCE}
    assert list(tmp_path.iterdir()) == []
