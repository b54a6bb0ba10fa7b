"""Batches that are PLANNED: of the files that wait, and what becomes of those there are."""

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine.ingestion_table import open_table
from ingest_assets.errors import TableMissingError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import batches, planning, schema_versions
from ingest_assets.ledger.planning import Origin, PlannedBatch
from ingest_assets.orchestration.names import BATCH_TAG


def settle_planned(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance
) -> tuple[int, list[PlannedBatch]]:
    """How many PLANNED batches wait for their run, and those that a run is to be asked for.

    A batch whose run ended without claiming it (cancelled, or never started) is freed. The batches
    of a person's run are its own while it goes on; those that it leaves when it fails or dies get
    runs like any other, and those of a cancelled one are freed.
    """
    with deployment.ledger.transaction() as connection:
        planned = batches.planned(connection, ingestion.name)
    waiting, unasked = 0, []
    for batch in planned:
        runs = instance.get_runs(dg.RunsFilter(tags={BATCH_TAG: batch.batch_id}))
        person = instance.get_run_by_id(batch.run_id) if batch.run_id else None
        if person is not None and not person.is_finished:
            continue
        if not runs and (person is None or person.status != dg.DagsterRunStatus.CANCELED):
            unasked.append(batch)
        elif all(run.is_finished for run in runs):
            with deployment.ledger.transaction() as connection:
                batches.free_planned(connection, batch.batch_id, "its run ended without it")
        else:
            waiting += 1
    return waiting, unasked


def plan_batches(
    deployment: Deployment, ingestion: Ingestion, origin: Origin, at_most: int
) -> tuple[list[PlannedBatch], TableMissingError | None]:
    """New batches of the files that wait, each for a table that can be written to.

    Files whose table is one that people gave to their shape, and that is gone, are left where they
    are, with the error that says so; all others go on.

    Raises:
        TableMissingError, TableOwnershipError, CatalogError: the declared table cannot be written
            to, or the other one is not the ingestion's; the files wait as before.
    """
    planned = list[PlannedBatch]()
    missing: dict[str, TableMissingError] = {}
    while len(planned) < at_most:
        batch = plan_one(deployment, ingestion, origin, without=tuple(missing))
        if batch is None:
            break
        if all(batch.route != other.route for other in planned):
            gone = _missing_table(deployment, ingestion, batch)
            if gone is not None:
                missing[batch.route] = gone
                continue
        planned.append(batch)
    return planned, next(iter(missing.values()), None)


def plan_one(
    deployment: Deployment, ingestion: Ingestion, origin: Origin, without: tuple[str, ...] = ()
) -> PlannedBatch | None:
    """The next batch of files that wait, PLANNED; None when none waits.

    Files of the tables `without` are passed over.
    """
    with deployment.ledger.transaction() as connection:
        return planning.plan(
            connection,
            ingestion.name,
            max_files=ingestion.batch.max_files,
            max_bytes=ingestion.batch.max_bytes,
            origin=origin,
            without=without,
            settle=ingestion.source.settle,
        )


def _missing_table(
    deployment: Deployment, ingestion: Ingestion, batch: PlannedBatch
) -> TableMissingError | None:
    """Before any run is asked for: why the batch, which is freed then, has no table to go into."""
    try:
        with deployment.ledger.transaction() as connection:
            is_written = schema_versions.was_ever_written(connection, ingestion.name, batch.route)
        of_table = ingestion.for_table(batch.route)
        open_table(deployment, of_table, must_exist=is_written, route=batch.route)
    except BaseException as error:
        with deployment.ledger.transaction() as connection:
            batches.free_planned(connection, batch.batch_id, "the table cannot be written to")
        if batch.route and isinstance(error, TableMissingError):
            return error
        raise
    return None
