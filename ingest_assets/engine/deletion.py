"""An ingestion is deleted: planned and shown first, then true of the ledger and of its tables.

What Dagster has of it is `orchestration.standing_changes`' to take away.
"""

from dataclasses import dataclass
from pathlib import Path

from ingest_assets.declaration.declarations import read_declarations
from ingest_assets.deployment import Deployment
from ingest_assets.engine.applied_declaration import known_ingestion
from ingest_assets.engine.recovery import recover
from ingest_assets.errors import ConfigurationError, UnknownIngestionError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import alerts, batches, lookup, registry, standing, volume, window
from ingest_assets.ledger.standing import Standing
from ingest_assets.tables.dropping import OwnTable, drop, own_tables

_TRIES = 3


class DeletionRefusedError(ConfigurationError):
    """A batch is at work or waits for a person's run, or the declaration cannot be removed."""


@dataclass(frozen=True)
class DeletionPlan:
    """What deleting would do; nothing has changed.

    `file` is the declaration's, None where there is none; `is_alone`: nothing else stands in it.
    """

    ingestion: Ingestion
    standing: Standing
    by_status: dict[str, int]
    rows: int
    tables: tuple[OwnTable, ...]
    file: Path | None
    is_alone: bool
    drops_table: bool
    purges: bool
    removes_declaration: bool


def plan_deletion(
    deployment: Deployment,
    name: str,
    *,
    drops_table: bool,
    purges: bool,
    removes_declaration: bool,
) -> DeletionPlan:
    """What there is of the ingestion, declared or known to the ledger alone.

    Raises:
        UnknownIngestionError: it is neither.
        DeletionRefusedError: it is deleted and nothing is left to do, or `removes_declaration` and
            others stand in its file.
        CatalogError, LedgerError: a service is out of reach.
    """
    ingestion = known_ingestion(deployment, name)
    with deployment.ledger.transaction() as connection:
        found = standing.standing(connection, name)
        by_status = lookup.counts(connection, name)
        rows = volume.rows_in_table(connection, name)
        routes = registry.routes(connection, name)
        is_known = name in standing.standings(connection)
    file, count = _declaration(deployment, name)
    if removes_declaration and file is not None and count > 1:
        raise DeletionRefusedError(
            f"{file} has {count} declarations, so it is not removed. Nothing was changed. Leave "
            "--remove-declaration out and delete the part of it yourself."
        )
    if not is_known:
        raise UnknownIngestionError(
            f"{name} is declared in {file}, and no tick or run has met it yet: nothing is known of "
            "it, and nothing was changed. Remove the file."
        )
    identifiers = [route or ingestion.table.identifier for route in routes]
    return DeletionPlan(
        ingestion=ingestion,
        standing=found,
        by_status=by_status,
        rows=rows,
        tables=()
        if found.table_dropped_at
        else tuple(own_tables(deployment.catalog, identifiers, deployment.owner(ingestion))),
        file=file,
        is_alone=count == 1,
        drops_table=drops_table,
        purges=purges,
        removes_declaration=removes_declaration,
    )


def _declaration(deployment: Deployment, name: str) -> tuple[Path | None, int]:
    """The file that declares the ingestion, and how many declarations stand in it."""
    folder = deployment.settings.defs
    declared, _ = read_declarations(folder)
    path = next((one.path for one in declared if one.ingestion.name == name), None)
    if path is None:
        return None, 0
    return folder / path, sum(one.path == path for one in declared)


def delete(deployment: Deployment, plan: DeletionPlan, actor: str, note: str) -> None:
    """The ledger says that the ingestion is deleted; no batch of it is open, nor will be.

    Raises:
        DeletionRefusedError: a batch is at work, or waits for a person's run; nothing was changed.
        CatalogError, LedgerError: a service is out of reach; nothing was changed.
    """
    name = plan.ingestion.name
    if not plan.standing.is_deleted:
        recover(deployment, plan.ingestion)
    for _ in range(_TRIES):
        free_waiting(deployment, name, "the ingestion is deleted")
        with deployment.ledger.transaction() as connection:
            standing.lock_for_delete(connection, name)
            if not batches.is_any_open(connection, name):
                standing.delete(connection, name, actor, note)
                window.retire_all(connection, name)
                alerts.subscribe(connection, name, ())
                return
    raise DeletionRefusedError(
        f"A batch of {name} is at work, or waits for a run that a person asked for. Nothing was "
        f"changed. `ingest-assets pause {name}` lets no other begin; delete it when the batch is "
        "done, or cancel its run in Dagster."
    )


def free_waiting(deployment: Deployment, name: str, why: str) -> None:
    """Batches that no worker has begun are freed, but for those of a person's run."""
    with deployment.ledger.transaction() as connection:
        planned = [batch for batch in batches.planned(connection, name) if batch.run_id is None]
    for batch in planned:
        with deployment.ledger.transaction() as connection:
            batches.free_planned(connection, batch.batch_id, why)


def drop_tables(deployment: Deployment, plan: DeletionPlan, actor: str) -> None:
    """The tables of the deleted ingestion are gone, and their names are free.

    Raises:
        CatalogError: some may be gone; the same command again goes on.
    """
    for table in plan.tables:
        drop(deployment.catalog, table, purge=plan.purges)
    with deployment.ledger.transaction() as connection:
        dropped = [table.identifier for table in plan.tables]
        standing.note_dropped(connection, plan.ingestion.name, actor, dropped)


def remove_declaration(plan: DeletionPlan) -> None:
    """The file is gone, and its folder if nothing else is in it."""
    assert plan.file is not None
    plan.file.unlink()
    if not any(plan.file.parent.iterdir()):
        plan.file.parent.rmdir()
