"""The asset of an ingestion: one partition is one file, and a run works on whole batches.

One step claims a batch, stages it, hands it to the I/O manager, which commits it, and tells Dagster
what the ledger says became of each file; then it does the same with the next. So one process does
all that, whatever the executor.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.engine.batch_work import BatchWork
from ingest_assets.engine.spreading import Cluster
from ingest_assets.engine.staging import StagedBatch
from ingest_assets.errors import IngestError
from ingest_assets.files.partition_key import key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.io_manager import BatchToCommit
from ingest_assets.orchestration.names import (
    IO_MANAGER_KEY,
    asset_key,
    check_specs,
    partitions_def,
)
from ingest_assets.orchestration.reporting import column_schema
from ingest_assets.orchestration.run_batches import claimed_batches
from ingest_assets.orchestration.run_report import RunReport
from ingest_assets.orchestration.spark_session import cluster_of


def build_asset(
    ingestion: Ingestion, deployment: DeploymentSource = Deployment.from_env
) -> dg.AssetsDefinition:
    """The partitioned asset `[namespace, table]` with its checks."""
    specs = check_specs(ingestion)
    ingest, end = _ingest_op(ingestion, deployment), _end_op(ingestion, specs)

    @dg.graph_asset(
        key=asset_key(ingestion),
        description=_description(ingestion),
        group_name=ingestion.table.asset_key_path[0],
        owners=ingestion.owners,
        kinds={_store_kind(ingestion), "iceberg", ingestion.format.type},
        partitions_def=partitions_def(ingestion),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=specs,
        metadata=_metadata(ingestion),
    )
    def files_to_rows() -> Any:
        outputs = end(ingest().collect())
        names = {spec.get_python_identifier(): getattr(outputs, _out(spec)) for spec in specs}
        return {"result": outputs.result, **names}

    return files_to_rows


def _description(ingestion: Ingestion) -> str:
    said = f"{ingestion.description}\n\n" if ingestion.description else ""
    return (
        f"{said}Rows of the {ingestion.format.type} files under `{ingestion.source.uri}`, one "
        "partition a file. Green: the file's rows are in the table. Red: they are not, and the "
        "failed check says why. Materializing a partition reads its file again and replaces its "
        "rows. Rows that could not be read, or that a rule keeps out, are in "
        f"`{ingestion.table.identifier}__rejected`."
    )


def _metadata(ingestion: Ingestion) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/table_name": ingestion.table.identifier,
        "dagster/uri": ingestion.source.uri,
    }
    if declared := ingestion.schema_rules.declared_columns:
        metadata["dagster/column_schema"] = column_schema(declared)
    return metadata


def _store_kind(ingestion: Ingestion) -> str:
    scheme = ingestion.source.uri.split("://")[0]
    return {"gs": "gcs", "az": "azure"}.get(scheme, scheme)


def _ingest_op(ingestion: Ingestion, deployment: DeploymentSource) -> dg.OpDefinition:
    @dg.op(
        name=f"ingest_{ingestion.name}",
        description=(
            "Reads and checks the files batch by batch. Each batch is an output that is committed; "
            "then its partitions are materialized. Fails at its end if a file failed."
        ),
        out=dg.DynamicOut(io_manager_key=IO_MANAGER_KEY),
    )
    def ingest(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[BatchToCommit]]:
        # Once, because a tick may move partitions while the run goes on.
        keys = [key_of(partition_key) for partition_key in context.partition_keys]
        services, cluster = deployment(), cluster_of(ingestion)
        report, error = RunReport(context, services, ingestion, keys), None
        try:
            for work in claimed_batches(context, services, ingestion, keys):
                staged = _staged(context, work, cluster)
                if staged is not None:
                    batch = BatchToCommit(work, staged)
                    yield dg.DynamicOutput(batch, mapping_key=work.claimed.batch_id)
                report.tell(work.claimed)
        except IngestError as raised:
            # What is in the table is to stay green before the run fails.
            context.log.exception("The run cannot go on.")
            error = raised
        problem = report.problem(error)
        if problem is not None:
            raise dg.Failure(description=problem, allow_retries=False)
        if len(context.run.asset_selection or ()) > 1:
            context.log.warning("What is downstream is skipped in this run; materialize it next.")

    return ingest


def _staged(
    context: dg.OpExecutionContext, work: BatchWork, cluster: Cluster | None
) -> StagedBatch | None:
    """None when the batch failed as a whole; why is in the ledger."""
    batch_id = work.claimed.batch_id
    context.log.info("Batch %s: reading %s files.", batch_id, len(work.claimed.files))
    try:
        return work.stage(cluster)
    except Exception:
        context.log.exception("Batch %s could not be staged.", batch_id)
        return None


def _out(spec: dg.AssetCheckSpec) -> str:
    """The output of a check, whose name may be one that Dagster or Python keep for themselves."""
    return f"check_{spec.name}"


def _end_op(ingestion: Ingestion, specs: Sequence[dg.AssetCheckSpec]) -> dg.OpDefinition:
    # An output of the asset would mark every key of the run's range, so this step never yields one.
    # Downstream assets load what they depend on by the I/O manager that is named here.
    outs = {"result": dg.Out(dg.Nothing, is_required=False, io_manager_key=IO_MANAGER_KEY)}
    outs |= {_out(spec): dg.Out(dg.Nothing, is_required=False) for spec in specs}

    @dg.op(
        name=f"end_{ingestion.name}",
        description="Has the outputs of the asset and its checks, and yields none of them.",
        ins={"batches": dg.In(dg.Nothing)},
        out=outs,
    )
    def end() -> Iterator[dg.Output[None]]:
        yield from ()

    return end
