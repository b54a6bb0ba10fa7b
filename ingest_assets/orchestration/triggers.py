"""Whether the triggers of ingestions are on, as the Dagster instance has it."""

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.instance import INSTANCE_FILE, open_instance
from ingest_assets.orchestration.names import trigger_name
from ingest_assets.settings import Settings

STALLED_SECONDS = 300
"""A sensor that is on ticks every half a minute, or as declared; a tick has a minute's time."""


class TriggerState(StrEnum):
    """Finds files; was never switched on, or was switched off; is on, but no daemon evaluates it.

    NO_INSTANCE: there is no Dagster home here, so that nobody knows.
    """

    ON = "on"
    OFF = "off"
    STALLED = "stalled"
    NO_INSTANCE = "no instance"


def trigger_states(settings: Settings, ingestions: Sequence[Ingestion]) -> dict[str, TriggerState]:
    """The state of the sensor or schedule that each ingestion declares, by its name.

    From the deployment's Dagster home, which keeps the state of those that were declared before.

    Raises:
        ServiceError: the instance's storage does not answer.
    """
    if not (settings.dagster_home / INSTANCE_FILE.name).exists():
        return dict.fromkeys((one.name for one in ingestions), TriggerState.NO_INSTANCE)
    with open_instance(settings) as instance:
        # A trigger that nobody has touched has no state here; it is off unless code says otherwise.
        known = {state.name: _state(state) for state in instance.all_instigator_state()}
    return {one.name: known.get(trigger_name(one), TriggerState.OFF) for one in ingestions}


def _state(state: Any) -> TriggerState:
    if not state.is_running:
        return TriggerState.OFF
    ticked_at = getattr(state.instigator_data, "last_tick_start_timestamp", None)
    interval = getattr(state.instigator_data, "min_interval", None) or 0
    if ticked_at is not None and time.time() - ticked_at > max(STALLED_SECONDS, 10 * interval):
        return TriggerState.STALLED
    return TriggerState.ON
