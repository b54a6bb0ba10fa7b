"""The asset of an ingestion: one run is one batch, one partition is one file.

Three steps in one process: `read` claims the batch and stages it, the I/O manager commits what
`read` gives it, `report` tells Dagster what the ledger says became of each file.
"""

from typing import Any

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine import batch_work
from ingest_assets.engine.batch_work import BatchWork
from ingest_assets.engine.recovery import recover
from ingest_assets.errors import IngestError
from ingest_assets.files.partition_key import key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import batches
from ingest_assets.orchestration.io_manager import BatchToCommit
from ingest_assets.orchestration.lost_runs import end_lost_runs
from ingest_assets.orchestration.names import (
    BATCH_TAG,
    ERROR_TAG,
    IO_MANAGER_KEY,
    asset_key,
    check_specs,
    is_asked_by_person,
    partitions_def,
)
from ingest_assets.orchestration.report_op import DeploymentSource, report_op
from ingest_assets.orchestration.tick import settle_planned

_ERROR_CHARS = 500


def build_asset(
    ingestion: Ingestion, deployment: DeploymentSource = Deployment.from_env
) -> dg.AssetsDefinition:
    """The partitioned asset `[namespace, table]` with its checks."""
    specs = check_specs(ingestion)
    read, report = _read_op(ingestion, deployment), report_op(ingestion, deployment, specs)

    @dg.graph_asset(
        key=asset_key(ingestion),
        description=_description(ingestion),
        group_name=ingestion.table.asset_key_path[0],
        owners=ingestion.owners,
        kinds={_store_kind(ingestion), "iceberg", ingestion.format.type},
        partitions_def=partitions_def(ingestion),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=specs,
        metadata={
            "dagster/table_name": ingestion.table.identifier,
            "dagster/uri": ingestion.source.uri,
        },
    )
    def ingest() -> Any:
        outputs = report(read())
        names = {spec.get_python_identifier(): getattr(outputs, spec.name) for spec in specs}
        return {"result": outputs.result, **names}

    return ingest


def _description(ingestion: Ingestion) -> str:
    said = f"{ingestion.description}\n\n" if ingestion.description else ""
    return (
        f"{said}Rows of the {ingestion.format.type} files under `{ingestion.source.uri}`, one "
        "partition a file. Green: the file's rows are in the table. Red: they are not, and the "
        "failed check says why. Materializing a partition reads its file again and replaces its "
        f"rows. Rows that could not be read are in `{ingestion.table.identifier}__rejected`."
    )


def _store_kind(ingestion: Ingestion) -> str:
    scheme = ingestion.source.uri.split("://")[0]
    return {"gs": "gcs", "az": "azure"}.get(scheme, scheme)


def _read_op(ingestion: Ingestion, deployment: DeploymentSource) -> dg.OpDefinition:
    @dg.op(
        name=f"read_{ingestion.name}",
        description="Reads and checks every file of the batch; its output is committed.",
        out=dg.Out(io_manager_key=IO_MANAGER_KEY),
    )
    def read(context: dg.OpExecutionContext) -> BatchToCommit:
        services = deployment()
        try:
            work = _claim(context, services, ingestion)
        except IngestError as error:
            # Not raised, for `report` has to keep green what is in the table before it fails.
            context.log.exception("No batch could be claimed.")
            told = f"{context.run_id} {error}"[:_ERROR_CHARS]
            context.instance.add_run_tags(context.run_id, {ERROR_TAG: told})
            work = None
        if work is None:
            return BatchToCommit(None, None)
        context.log.info(
            "Batch %s: reading %s files.", work.claimed.batch_id, len(work.claimed.files)
        )
        try:
            return BatchToCommit(work, work.stage())
        except Exception:
            context.log.exception("Batch %s could not be staged.", work.claimed.batch_id)
            return BatchToCommit(None, None)

    return read


def _claim(
    context: dg.OpExecutionContext, services: Deployment, ingestion: Ingestion
) -> BatchWork | None:
    """The batch of this run, claimed; None when there is nothing for the run to do."""
    end_lost_runs(services, ingestion, context.instance, recover(services, ingestion))
    batch_id = _batch_of_run(context, services, ingestion)
    if batch_id is None:
        return None
    work = batch_work.claim(
        services,
        ingestion,
        batch_id,
        run_id=context.run_id,
        may_create=is_asked_by_person(context.run),
    )
    if work is None:
        context.log.warning(
            "Batch %s is not waiting any more: it was freed, or another run has it.",
            batch_id,
        )
    return work


def _batch_of_run(
    context: dg.OpExecutionContext, services: Deployment, ingestion: Ingestion
) -> str | None:
    """The batch that the run is for; a run that a person asked for gets one of its own."""
    keys = [key_of(partition_key) for partition_key in context.partition_keys]
    if is_asked_by_person(context.run):
        settle_planned(services, ingestion, context.instance)
        with services.ledger.transaction() as connection:
            asked = batches.plan_keys(connection, ingestion.name, keys)
        return asked.batch.batch_id if asked.batch else None
    batch_id = context.run.tags[BATCH_TAG]
    with services.ledger.transaction() as connection:
        waiting = batches.planned_keys(connection, batch_id)
        if waiting is None or list(waiting) == keys:
            return batch_id
        # Anything but exactly the batch's own keys would turn strangers red if a file fails.
        batches.free_planned(connection, batch_id, "the run's range was not the batch's")
    context.log.warning(
        "The range of this run holds %s partitions and batch %s has %s: the partitions were moved "
        "meanwhile. Nothing was read; the next tick plans the files again.",
        len(keys),
        batch_id,
        len(waiting),
    )
    return None
