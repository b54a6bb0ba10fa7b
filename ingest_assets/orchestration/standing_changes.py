"""Pausing, resuming and deleting an ingestion, in the ledger and in Dagster.

The ledger decides and comes first. What Dagster is told follows from it and may be told twice: a
run that was not cancelled finds nothing to do.
"""

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine import deletion
from ingest_assets.engine.deletion import DeletionPlan, free_waiting
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import former, standing, window
from ingest_assets.orchestration.live_partitions import KEYS_PER_INSERT, remove_partitions
from ingest_assets.orchestration.names import INGESTION_TAG, asset_key, is_asked_by_person

_QUEUED = [dg.DagsterRunStatus.QUEUED]


def pause(
    deployment: Deployment,
    ingestion: Ingestion,
    instance: dg.DagsterInstance,
    actor: str,
    note: str,
) -> bool:
    """Nothing is begun for the ingestion, but by a person's run; False if it was paused already.

    What a worker holds comes to its end; what was planned, and not begun, waits as files.
    """
    deployment.ledger.register(ingestion.name, ingestion.table.identifier)
    with deployment.ledger.transaction() as connection:
        standing.refuse_deleted(connection, ingestion.name)
        is_new = standing.pause(connection, ingestion.name, actor, note)
    free_waiting(deployment, ingestion.name, "the ingestion is paused")
    _cancel_queued(instance, ingestion.name, "The ingestion is paused. Its files wait.")
    if is_new:
        _observe(instance, ingestion, f"paused by {actor}", note)
    return is_new


def resume(
    deployment: Deployment,
    ingestion: Ingestion,
    instance: dg.DagsterInstance,
    actor: str,
    note: str,
) -> str | None:
    """The ingestion goes on, as what the answer says; None if nothing had stopped it.

    One whose tables were dropped begins anew: the ledger keeps its history under another name.
    """
    name = ingestion.name
    with deployment.ledger.transaction() as connection:
        before = standing.standing(connection, name)
        if before.table_dropped_at is not None:
            now = former.set_aside(connection, name, actor, note)
            return f"{name} begins anew. What was known of it is {now} in the ledger"
        if not standing.resume(connection, name, actor, note):
            return None
        waiting = window.unfinished_keys(connection, name) if before.is_deleted else []
    keys = [partition_key_of(key) for key in waiting]
    for start in range(0, len(keys), KEYS_PER_INSERT):
        instance.add_dynamic_partitions(name, keys[start : start + KEYS_PER_INSERT])
    _observe(instance, ingestion, f"resumed by {actor}", note)
    return f"{name} goes on where it was"


def delete(
    deployment: Deployment,
    plan: DeletionPlan,
    instance: dg.DagsterInstance,
    actor: str,
    note: str,
) -> None:
    """The ingestion is retired: see `engine.deletion`; Dagster has no partition and no run of it.

    Called again after a crash it does what is left.

    Raises:
        DeletionRefusedError: a batch is at work; nothing was changed.
        CatalogError, LedgerError: called again it goes on.
    """
    name = plan.ingestion.name
    deletion.delete(deployment, plan, actor, note)
    _cancel_queued(instance, name, "The ingestion is deleted.")
    remove_partitions(instance, name, list(instance.get_dynamic_partitions(name)))
    if plan.drops_table:
        deletion.drop_tables(deployment, plan, actor)
        # Else partitions of files that come again would be green before their rows are anywhere.
        instance.wipe_assets([asset_key(plan.ingestion)])
    if plan.removes_declaration and plan.file is not None:
        deletion.remove_declaration(plan)


def _cancel_queued(instance: dg.DagsterInstance, name: str, why: str) -> None:
    """Runs that a tick asked for and that wait for their turn are cancelled."""
    waiting = dg.RunsFilter(statuses=_QUEUED, tags={INGESTION_TAG: name})
    for run in instance.get_runs(waiting):
        if not is_asked_by_person(run):
            instance.report_run_canceled(run, why)


def _observe(instance: dg.DagsterInstance, ingestion: Ingestion, what: str, note: str) -> None:
    """The asset's page in the UI has what a person did to its ingestion."""
    metadata = {"ingestion": what, **({"why": note} if note else {})}
    instance.report_runless_asset_event(
        dg.AssetObservation(asset_key(ingestion), description=what, metadata=metadata)
    )
