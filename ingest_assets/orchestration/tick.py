"""One tick: recover, discover, plan. Sensors, schedules and the command line do the same work here.

Everything that is asked of Dagster follows from the ledger's state, never from the listing: a crash
between the ledger and the tick's result loses nothing, because the next tick finds the same PLANNED
batches without a run and asks again under the same run keys. Events that a run could not store any
more are stored by the tick itself, before the ledger calls them reported.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import dagster as dg

from ingest_assets.declaration.declared_changes import changes_line
from ingest_assets.deployment import Deployment
from ingest_assets.engine.applied_declaration import follow_declaration
from ingest_assets.engine.arrivals import Arrivals, find_files
from ingest_assets.engine.declared_columns import apply_declaration
from ingest_assets.engine.recovery import Recovered, recover
from ingest_assets.engine.wanted_files import apply_pattern
from ingest_assets.errors import ServiceError, TableMissingError
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import changed_files, lookup, planning, source_address
from ingest_assets.ledger.planning import Origin, PlannedBatch
from ingest_assets.ledger.standing import Standing, standing
from ingest_assets.orchestration.lanes import lanes_for
from ingest_assets.orchestration.live_partitions import remove_partitions, stand_together
from ingest_assets.orchestration.lost_runs import end_lost_runs, report_late
from ingest_assets.orchestration.names import (
    BATCH_TAG,
    INGESTION_TAG,
    LANE_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    asset_key,
)
from ingest_assets.orchestration.planned_batches import plan_batches, settle_planned

logger = logging.getLogger(__name__)

BATCHES_PER_TICK = 10
LISTING_TIME = timedelta(seconds=25)
"""Of the minute that Dagster gives a sensor; a longer listing goes on at the next tick."""


@dataclass(frozen=True)
class Tick:
    """What one tick found and what it asks of Dagster.

    `missing` says of a table that people gave to a shape that it is gone; its files wait.
    `resting`: the ingestion is paused or deleted, and nothing was looked for. `changed`: what is
    declared otherwise than at the tick before.
    """

    arrivals: Arrivals = field(default_factory=Arrivals)
    recovered: Recovered = field(default_factory=Recovered)
    planned: tuple[PlannedBatch, ...] = ()
    run_requests: tuple[dg.RunRequest, ...] = ()
    waiting_batches: int = 0
    settling: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    refused: str | None = None
    missing: TableMissingError | None = None
    resting: str | None = None
    changed: str | None = None

    @property
    def unheard(self) -> ServiceError | None:
        """Why the queue of notifications was not read, if it was not."""
        return self.arrivals.unheard

    def summary(self) -> str:
        """One line for people: what was found, what was asked for, and what waits."""
        seen, received = self.arrivals.seen, self.arrivals.received
        parts = [f"{seen.new} new files, {seen.changed} changed"]
        if self.resting is not None:
            parts = [self.resting]
        if seen.skipped:
            parts.append(f"{seen.skipped} skipped by source.start")
        if seen.ignored:
            parts.append(f"{seen.ignored} changed and ignored by source.on_changed_file")
        if seen.gone:
            parts.append(f"{seen.gone} are gone from the source")
        if received is not None:
            parts.append(received.summary())
        if self.settling:
            parts.append(f"{self.settling} wait for source.settle_seconds")
        if self.run_requests:
            files = sum(len(batch.keys) for batch in self.planned)
            parts.append(f"{files} files in {len(self.run_requests)} runs asked for")
        if self.waiting_batches:
            parts.append(f"{self.waiting_batches} batches are queued or running")
        if self.recovered.released or self.recovered.finished:
            done = len(self.recovered.finished) + len(self.recovered.released)
            parts.append(f"{done} batches of a worker that died were recovered")
        if self.recovered.rolled_back:
            parts.append(f"{len(self.recovered.rolled_back)} batches were rolled back: read again")
        if self.recovered.lost_keys:
            lost = len(self.recovered.lost_keys)
            parts.append(f"{lost} earlier contents are lost by a rollback")
        parts += [
            f"{self.counts[status]} {status}"
            for status in lookup.NEED_ATTENTION
            if self.counts.get(status)
        ]
        parts += [said for said in (self.changed, self.refused) if said]
        parts += [str(problem) for problem in (self.missing, self.unheard) if problem]
        return "; ".join(parts) + "."


def run_tick(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance, origin: Origin
) -> Tick:
    """The ledger knows every file of the source, and Dagster can be asked for the returned runs.

    Their partitions are in the dynamic set.

    Raises:
        ObjectStoreError, CatalogError, LedgerError: a service is out of reach; the next tick goes
            on where this one stopped.
        TableMissingError: the table is gone, or nothing but a table of some shape's own was to be
            written and that is. No run is asked for.
        QueueError: the queue cannot be read, and nothing else was to be done.
        SourceAddressError, TableOwnershipError, NewTableNeededError: nothing was planned.
    """
    with deployment.ledger.transaction() as connection:
        found = standing(connection, ingestion.name)
    if not found.is_at_work:
        return _rest(deployment, ingestion, instance, found)
    deployment.ledger.register(ingestion.name, ingestion.table.identifier)
    with deployment.ledger.transaction() as connection:
        source_address.follow(connection, ingestion.name, ingestion.source.address)
        changed_files.follow(connection, ingestion.name, ingestion.source.on_changed_file)
    changed = follow_declaration(deployment, ingestion)
    recovered = recover(deployment, ingestion)
    end_lost_runs(deployment, instance, recovered)
    limit = None if origin == "command" else LISTING_TIME
    arrivals = find_files(deployment, ingestion, limit)
    apply_pattern(deployment, ingestion, partial(_delete_partitions, instance, ingestion))
    refused = apply_declaration(deployment, ingestion)
    planned = plan_again(deployment, ingestion, instance, origin)
    problem = planned.missing or arrivals.unheard
    if problem is not None and not (planned.planned or planned.waiting_batches):
        raise problem
    tick = replace(
        planned,
        arrivals=arrivals,
        recovered=recovered,
        refused=refused,
        changed=changes_line(changed) if changed else None,
    )
    logger.info("Tick: %s", tick.summary(), extra={"ingestion": ingestion.name})
    return tick


def _rest(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance, found: Standing
) -> Tick:
    """What was begun is brought to its end, also by recovery; nothing new is begun.

    Of a deleted ingestion nothing is open, and nothing is asked.
    """
    if found.is_deleted:
        return Tick(resting=found.sentence(ingestion.name))
    recovered = recover(deployment, ingestion)
    end_lost_runs(deployment, instance, recovered)
    report_late(deployment, ingestion, instance)
    with deployment.ledger.transaction() as connection:
        counts = lookup.counts(connection, ingestion.name, lookup.NEED_ATTENTION)
    return Tick(recovered=recovered, counts=counts, resting=found.sentence(ingestion.name))


def _delete_partitions(
    instance: dg.DagsterInstance, ingestion: Ingestion, keys: Sequence[str]
) -> None:
    """None of the keys is a partition any more."""
    partition_keys = {partition_key_of(key) for key in keys}
    live = instance.get_existing_dynamic_partitions(ingestion.name, list(partition_keys))
    remove_partitions(instance, ingestion.name, sorted(live))


def plan_again(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance, origin: Origin
) -> Tick:
    """As `run_tick`, for the files that the ledger knows already.

    Partitions are added here and not by the tick's result: the daemon asks Postgres about each key
    of a result, one by one (6 s for 10,000, seen in 1.13.27). After a crash in between the next
    tick asks for the run, because its batch is still PLANNED and without one.
    """
    report_late(deployment, ingestion, instance)
    waiting, unasked = settle_planned(deployment, ingestion, instance)
    unasked = unasked[:BATCHES_PER_TICK]
    at_most = BATCHES_PER_TICK - len(unasked) - waiting
    planned, missing = plan_batches(deployment, ingestion, origin, at_most)
    unasked += planned
    with deployment.ledger.transaction() as connection:
        counts = lookup.counts(connection, ingestion.name, lookup.NEED_ATTENTION)
        settling = planning.settling(connection, ingestion.name, ingestion.source.settle)
    wanted = [[partition_key_of(key) for key in batch.keys] for batch in unasked]
    stand_together(instance, ingestion.name, wanted)
    return Tick(
        planned=tuple(unasked),
        run_requests=tuple(
            run_request(ingestion, batch, lane)
            for batch, lane in zip(
                unasked, lanes_for(ingestion, instance, len(unasked)), strict=True
            )
        ),
        waiting_batches=waiting,
        settling=settling,
        counts=counts,
        missing=missing,
    )


def run_request(ingestion: Ingestion, batch: PlannedBatch, lane: str) -> dg.RunRequest:
    """A run over exactly the batch's partitions; Dagster starts one run a batch, however often."""
    return dg.RunRequest(
        run_key=batch.batch_id,
        asset_selection=[asset_key(ingestion)],
        tags={
            RANGE_START_TAG: partition_key_of(batch.keys[0]),
            RANGE_END_TAG: partition_key_of(batch.keys[-1]),
            BATCH_TAG: batch.batch_id,
            INGESTION_TAG: ingestion.name,
            LANE_TAG: lane,
            "dagster/max_retries": "0",  # the ledger's retries are the only ones
        },
    )
