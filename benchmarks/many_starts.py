"""How long a run takes from its sensor's tick to its step's first line, alone and among many."""

import statistics
import time
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.many_declarations import BUCKET
from benchmarks.many_services import Running, Services

NAME = "feed_0000"
RUNS = 5
ROW = b'{"order_id": 1}\n'
WAIT_SECONDS = 60
_MARKS = (
    dg.DagsterEventType.RUN_ENQUEUED,
    dg.DagsterEventType.RUN_STARTING,
    dg.DagsterEventType.RUN_START,
    dg.DagsterEventType.STEP_START,
)


def measure(services: Services, one: Path, many: Path) -> dict[str, Any]:
    """The medians of `RUNS` runs each: seconds since the tick began, at each event."""
    return {"one": _measure(services, one), "many": _measure(services, many)}


def _measure(services: Services, defs: Path) -> dict[str, Any]:
    with services.dagster(defs) as running:
        services.store.put(BUCKET, f"{NAME}/{defs.parent.parent.name}/first.json", ROW)
        running.ui.start_sensor(NAME)
        _next_run(running, 1)
        found = []
        before = running.cpu_seconds()
        for number in range(RUNS):
            services.store.put(BUCKET, f"{NAME}/{defs.parent.parent.name}/{number}.json", ROW)
            found.append(_next_run(running, number + 2))
        after = running.cpu_seconds()
    return {
        **{name: round(statistics.median(run[name] for run in found), 2) for name in found[0]},
        "cpu_seconds_a_run": {
            part: round((after[part] - before[part]) / RUNS, 2) for part in after
        },
    }


def _next_run(running: Running, count: int) -> dict[str, float]:
    """Seconds from its tick's beginning to each event of the newest run."""
    deadline = time.monotonic() + WAIT_SECONDS
    with running.instance() as instance:
        while True:
            runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
            if len(runs) >= count:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(running.last_words())
            time.sleep(0.5)
        run_id = runs[0].run_id
        ticks = running.ui.sensor(NAME)["ticks"]
        [tick] = [tick for tick in ticks if run_id in tick["runIds"]]
        marks = {
            entry.dagster_event.event_type: entry.timestamp
            for entry in reversed(instance.all_logs(run_id, of_type=set(_MARKS)))
            if entry.dagster_event is not None
        }
    return {mark.value.lower(): marks[mark] - tick["timestamp"] for mark in _MARKS}
