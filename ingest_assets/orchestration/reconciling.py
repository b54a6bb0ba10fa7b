"""Reconciliation with Dagster in it: which partitions are green, and telling it again."""

from collections.abc import Iterator, Sequence

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine import mending
from ingest_assets.engine.disagreement import Disagreement, Remedy
from ingest_assets.engine.partition_comparison import PartitionStates
from ingest_assets.engine.reconciliation import Reconciliation, reconcile
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import reports
from ingest_assets.orchestration import reporting
from ingest_assets.orchestration.names import asset_key, partitions_def

PARTITIONS_AT_ONCE = 1000


def reconcile_all(
    deployment: Deployment,
    ingestion: Ingestion,
    instance: dg.DagsterInstance,
    *,
    with_bucket: bool = True,
) -> Reconciliation:
    """Ledger, tables, bucket and Dagster are compared; raises as `engine.reconciliation`."""
    return reconcile(
        deployment,
        ingestion,
        with_bucket=with_bucket,
        partitions=lambda: partition_states(ingestion, instance),
    )


def partition_states(ingestion: Ingestion, instance: dg.DagsterInstance) -> PartitionStates:
    """What Dagster shows of the asset's partitions now."""
    live = instance.get_dynamic_partitions(ingestion.name)
    statuses = (
        instance.get_status_by_partition(asset_key(ingestion), live, partitions_def(ingestion))
        or {}
    )
    names = {key: status.value for key, status in statuses.items() if status is not None}
    return PartitionStates(
        frozenset(live),
        frozenset(key for key, name in names.items() if name == "MATERIALIZED"),
        frozenset(key for key, name in names.items() if name == "IN_PROGRESS"),
    )


def mend_all(
    deployment: Deployment, found: Reconciliation, instance: dg.DagsterInstance, actor: str
) -> list[Disagreement]:
    """The disagreements that were mended; raises as `engine.mending`."""
    mended = mending.mend(deployment, found, actor)
    untold = [d for d in found.disagreements if d.remedy is Remedy.REPORT]
    told = [d for part in _parts(untold) for d in _tell(deployment, found, instance, part)]
    mending.note(deployment, found, told, actor)
    return [*mended, *told]


def _parts(untold: Sequence[Disagreement]) -> Iterator[Sequence[Disagreement]]:
    for start in range(0, len(untold), PARTITIONS_AT_ONCE):
        yield untold[start : start + PARTITIONS_AT_ONCE]


def _tell(
    deployment: Deployment,
    found: Reconciliation,
    instance: dg.DagsterInstance,
    untold: Sequence[Disagreement],
) -> list[Disagreement]:
    """Their keys are in the dynamic set and materialized, if the ledger still has them as such."""
    ingestion = found.ingestion
    keys = [d.key for d in untold if d.key is not None]
    with deployment.ledger.transaction() as connection:
        committed = reports.committed_reports(connection, ingestion.name, keys)
    instance.add_dynamic_partitions(
        ingestion.name, [partition_key_of(file.key) for file in committed]
    )
    for key, metadata in reporting.materializations(committed):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset_key(ingestion), partition=key, metadata=metadata)
        )
    told = {file.key for file in committed}
    return [d for d in untold if d.key in told]
