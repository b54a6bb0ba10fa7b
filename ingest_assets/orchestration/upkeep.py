"""Upkeep: what is done for ingestions beside their ticks, slowly, and never in a file's way.

Each task does a bounded piece of work that may be cut off after any item and be done twice; what is
left follows from the ledger. One sensor does it for all ingestions of the code location, so that a
bucket that hangs holds up no discovery; `ingest-assets run` does it for its own at the end.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import dagster as dg

from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.errors import IngestError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.standing import standing
from ingest_assets.logs import about
from ingest_assets.orchestration.dead_letter_copies import copy_dead_letters
from ingest_assets.orchestration.deadline import Deadline
from ingest_assets.orchestration.retention import archive_attempts, retire_partitions
from ingest_assets.orchestration.source_upkeep import finish_sources
from ingest_assets.orchestration.table_checks import watch_table

logger = logging.getLogger(__name__)

SENSOR_NAME = "ingest_upkeep"
INTERVAL_SECONDS = 30
TICK_TIME = timedelta(seconds=25)
"""Of the minute that Dagster gives a sensor: the last request may be one that hangs for 30 s. A
copy of a large object comes to its end also when Dagster has given the tick up."""
INGESTION_TIME = timedelta(seconds=10)
"""One ingestion's share of a tick."""

Task = Callable[[Deployment, Ingestion, dg.DagsterInstance, Deadline], str | None]
"""Does its work until the deadline, and says in a few words what it did; None for nothing."""

TASKS: tuple[Task, ...] = (
    copy_dead_letters,
    finish_sources,
    retire_partitions,
    archive_attempts,
    watch_table,
)


def keep_up(
    deployment: Deployment,
    ingestion: Ingestion,
    instance: dg.DagsterInstance,
    limit: timedelta,
    turn: int = 0,
) -> list[str]:
    """What the tasks did for the ingestion, in their words; each `turn` begins with another task.

    One that fails is a line in the log and is tried again the next time; the others go on. Nothing
    is done for an ingestion that is deleted.
    """
    if _is_deleted(deployment, ingestion):
        return []
    deadline, said = Deadline(limit), list[str]()
    first = turn % len(TASKS)
    for task in (*TASKS[first:], *TASKS[:first]):
        if deadline.is_over:
            break
        try:
            with about(ingestion=ingestion.name):
                done = task(deployment, ingestion, instance, deadline)
        except IngestError as error:
            logger.warning("Upkeep of %s waits: %s", ingestion.name, error)
        except Exception:
            logger.exception("Upkeep of %s waits.", ingestion.name)
        else:
            said += [done] if done else []
    return said


def _is_deleted(deployment: Deployment, ingestion: Ingestion) -> bool:
    """As the ledger has it; while it does not answer, no task does anything either."""
    with suppress(IngestError), deployment.ledger.transaction() as connection:
        return standing(connection, ingestion.name).is_deleted
    return False


def build_upkeep_sensor(
    ingestions: Sequence[Ingestion], deployment: DeploymentSource = Deployment.from_env
) -> dg.SensorDefinition:
    """Does the upkeep of all ingestions, one after the other; on from the start.

    A tick goes on with the ingestion after the last one, and an ingestion with the task after its
    first one of the last time. Dagster keeps the cursor of a tick that came to its end; the process
    itself knows where one was that Dagster gave up.
    """
    turns: Counter[str] = Counter()
    begun: list[str] = []

    @dg.sensor(
        name=SENSOR_NAME,
        description=(
            "Does what ingestions need beside their ticks. Asks for no run; turning it off stops "
            "no ingestion."
        ),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def upkeep(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        services, deadline, said = deployment(), Deadline(TICK_TIME), list[str]()
        last = begun[-1] if begun else context.cursor
        for ingestion in _from(ingestions, last):
            if deadline.is_over:
                break
            last = ingestion.name
            begun[:] = [last]
            turns[last] += 1
            done = keep_up(services, ingestion, context.instance, INGESTION_TIME, turns[last] - 1)
            said += [f"{last}: {what}" for what in done]
        return dg.SensorResult(
            skip_reason="; ".join(said) + "." if said else "Nothing was to be done.", cursor=last
        )

    return upkeep


def _from(ingestions: Sequence[Ingestion], last: str | None) -> list[Ingestion]:
    """All of them, beginning after the one that was done last."""
    names = [ingestion.name for ingestion in ingestions]
    start = names.index(last) + 1 if last in names else 0
    return [*ingestions[start:], *ingestions[:start]]
