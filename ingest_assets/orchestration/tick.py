"""One tick: recover, discover, plan. Sensors, schedules and the command line do the same work here.

Everything that is asked of Dagster follows from the ledger's state, never from the listing: a crash
between the ledger and the tick's result loses nothing, because the next tick finds the same PLANNED
batches without a run and asks again under the same run keys. Events that a run could not store any
more are stored by the tick itself, before the ledger calls them reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine.declared_columns import apply_declaration
from ingest_assets.engine.discovery import discover
from ingest_assets.engine.recovery import Recovered, recover
from ingest_assets.engine.wanted_files import apply_pattern
from ingest_assets.errors import TableMissingError
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup
from ingest_assets.ledger.listing import Seen
from ingest_assets.ledger.planning import Origin, PlannedBatch
from ingest_assets.orchestration.lost_runs import end_lost_runs, report_late
from ingest_assets.orchestration.names import (
    BATCH_TAG,
    INGESTION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    asset_key,
    partitions_def,
)
from ingest_assets.orchestration.planned_batches import plan_batches, settle_planned

BATCHES_PER_TICK = 10
LISTING_TIME = timedelta(seconds=25)
"""Of the minute that Dagster gives a sensor; a longer listing goes on at the next tick."""
PARTITIONS_PER_REQUEST = 1000

PartitionsRequest = dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest


@dataclass(frozen=True)
class Tick:
    """What one tick found and what it asks of Dagster.

    `missing` says of a table that people gave to a shape that it is gone; its files wait.
    """

    seen: Seen = field(default_factory=Seen)
    recovered: Recovered = field(default_factory=Recovered)
    planned: tuple[PlannedBatch, ...] = ()
    run_requests: tuple[dg.RunRequest, ...] = ()
    partitions_requests: tuple[PartitionsRequest, ...] = ()
    waiting_batches: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    refused: str | None = None
    missing: TableMissingError | None = None

    def summary(self) -> str:
        """One line for people: what was found, what was asked for, and what waits."""
        parts = [f"{self.seen.new} new files, {self.seen.changed} changed"]
        if self.seen.skipped:
            parts.append(f"{self.seen.skipped} skipped by source.start")
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
        parts += [
            f"{self.counts[status]} {status}"
            for status in ("FAILED", "DEAD_LETTER", "PARKED")
            if self.counts.get(status)
        ]
        if self.refused:
            parts.append(self.refused)
        if self.missing:
            parts.append(str(self.missing))
        return "; ".join(parts) + "."


def run_tick(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance, origin: Origin
) -> Tick:
    """The ledger knows every file of the source, and Dagster can be asked for the returned runs.

    Raises:
        ObjectStoreError, CatalogError, LedgerError: a service is out of reach; the next tick goes
            on where this one stopped.
        TableMissingError: the table is gone, or nothing but a table of some shape's own was to be
            written and that is. No run is asked for.
        TableOwnershipError: nothing was planned.
    """
    deployment.ledger.register(ingestion.name, ingestion.table.identifier)
    recovered = recover(deployment, ingestion)
    end_lost_runs(deployment, instance, recovered)
    seen = discover(deployment, ingestion, None if origin == "command" else LISTING_TIME)
    apply_pattern(deployment, ingestion, partial(_delete_partitions, instance, ingestion))
    refused = apply_declaration(deployment, ingestion)
    planned = plan_again(deployment, ingestion, instance, origin)
    if planned.missing is not None and not (planned.planned or planned.waiting_batches):
        raise planned.missing
    return replace(planned, seen=seen, recovered=recovered, refused=refused)


def _delete_partitions(
    instance: dg.DagsterInstance, ingestion: Ingestion, keys: Sequence[str]
) -> None:
    """None of the keys is a partition any more."""
    for key in {partition_key_of(key) for key in keys}.intersection(
        instance.get_dynamic_partitions(ingestion.name) if keys else ()
    ):
        instance.delete_dynamic_partition(ingestion.name, key)


def plan_again(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance, origin: Origin
) -> Tick:
    """As `run_tick`, for the files that the ledger knows already."""
    report_late(deployment, ingestion, instance)
    waiting, unasked = settle_planned(deployment, ingestion, instance)
    unasked = unasked[:BATCHES_PER_TICK]
    at_most = BATCHES_PER_TICK - len(unasked) - waiting
    planned, missing = plan_batches(deployment, ingestion, origin, at_most)
    unasked += planned
    with deployment.ledger.transaction() as connection:
        counts = lookup.counts(connection, ingestion.name)
    return Tick(
        planned=tuple(unasked),
        run_requests=tuple(run_request(ingestion, batch) for batch in unasked),
        partitions_requests=partitions_requests(ingestion, instance, unasked),
        waiting_batches=waiting,
        counts=counts,
        missing=missing,
    )


def run_request(ingestion: Ingestion, batch: PlannedBatch) -> dg.RunRequest:
    """A run over exactly the batch's partitions; Dagster starts one run a batch, however often."""
    return dg.RunRequest(
        run_key=batch.batch_id,
        asset_selection=[asset_key(ingestion)],
        tags={
            RANGE_START_TAG: partition_key_of(batch.keys[0]),
            RANGE_END_TAG: partition_key_of(batch.keys[-1]),
            BATCH_TAG: batch.batch_id,
            INGESTION_TAG: ingestion.name,
            "dagster/max_retries": "0",  # the ledger's retries are the only ones
        },
    )


def partitions_requests(
    ingestion: Ingestion, instance: dg.DagsterInstance, planned: Sequence[PlannedBatch]
) -> tuple[PartitionsRequest, ...]:
    """What makes the keys of each batch stand together in the dynamic set, in the batch's order.

    Keys that are elsewhere in the set (retries, changed files) are deleted and added again, which
    moves them to its end.
    """
    definition = partitions_def(ingestion)
    live = instance.get_dynamic_partitions(ingestion.name) if planned else []
    positions = {key: position for position, key in enumerate(live)}
    moved: list[str] = []
    added: list[str] = []
    for batch in planned:
        keys = [partition_key_of(key) for key in batch.keys]
        at = [positions.get(key, -1) for key in keys]
        if at[0] >= 0 and at == list(range(at[0], at[0] + len(keys))):
            continue
        moved += [key for key in keys if key in positions]
        added += keys
    return (
        *(definition.build_delete_request(part) for part in _parts(moved)),
        *(definition.build_add_request(part) for part in _parts(added)),
    )


def _parts(keys: list[str]) -> list[list[str]]:
    size = PARTITIONS_PER_REQUEST
    return [keys[start : start + size] for start in range(0, len(keys), size)]
