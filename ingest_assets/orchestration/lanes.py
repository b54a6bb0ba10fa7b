"""Lanes: the run queue lets one run of a lane go at a time, and an ingestion has one lane or more.

`dagster.yaml` limits each value of the tag `ingest/lane` to one run.
"""

from collections import Counter

import dagster as dg

from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.names import INGESTION_TAG, LANE_TAG

_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def lanes_for(ingestion: Ingestion, instance: dg.DagsterInstance, count: int) -> list[str]:
    """The lanes of the next `count` runs: each time the one in which the fewest wait or run."""
    first, *others = _lanes(ingestion)
    if not others:
        return [first] * count
    wanted = dg.RunsFilter(tags={INGESTION_TAG: ingestion.name}, statuses=_UNFINISHED)
    runs = instance.get_runs(wanted) if count else []
    busy = Counter(dict.fromkeys((first, *others), 0))
    busy.update(run.tags[LANE_TAG] for run in runs if run.tags.get(LANE_TAG) in busy)
    taken = []
    for _ in range(count):
        lane = min(busy, key=busy.__getitem__)
        busy[lane] += 1
        taken.append(lane)
    return taken


def _lanes(ingestion: Ingestion) -> list[str]:
    numbers = range(2, ingestion.batch.max_concurrent_runs + 1)
    return [ingestion.name, *(f"{ingestion.name}/{number}" for number in numbers)]
