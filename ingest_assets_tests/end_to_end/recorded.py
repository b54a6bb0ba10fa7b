"""What a Dagster instance has recorded of one ingestion, in a form that can be compared."""

from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from ingest_assets.orchestration.names import INGESTION_TAG

ALWAYS = {"dagster/partition_row_count", "rows", "rescued", "rejected", "bytes", "seconds"} | {
    "etag",
    "schema_version",
    "snapshot_id",
    "source_uri",
}
_DIFFERS = {"seconds", "snapshot_id", "source_uri", "batch_cpu_seconds", "batch_cost"}


@dataclass
class Recorded:
    """Everything by partition key; run statuses and the tags that lead to the range, by run."""

    partitions: list[str] = field(default_factory=list)
    materializations: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: dict[tuple[str, str], tuple[bool, str, set[str]]] = field(default_factory=dict)
    runs: list[tuple[str, str, str]] = field(default_factory=list)

    def comparable(self) -> dict[str, Any]:
        """The same for equal files of two ingestions."""
        metadata = {
            partition: {name: value for name, value in found.items() if name not in _DIFFERS}
            for partition, found in self.materializations.items()
        }
        return {**vars(self), "materializations": metadata}


def recorded(instance: dg.DagsterInstance, ingestion: str) -> Recorded:
    """What the runs of the ingestion left in the instance, oldest run first."""
    found = Recorded(list(instance.get_dynamic_partitions(ingestion)))
    runs = instance.get_runs(dg.RunsFilter(tags={INGESTION_TAG: ingestion}))
    for run in reversed(runs):
        start = run.tags["dagster/asset_partition_range_start"]
        end = run.tags["dagster/asset_partition_range_end"]
        found.runs.append((run.status.value, start, end))
        for record in instance.all_logs(run.run_id):
            _add(found, record.dagster_event)
    return found


def _add(found: Recorded, event: dg.DagsterEvent | None) -> None:
    if event is None:
        return
    if event.event_type_value == "ASSET_MATERIALIZATION":
        materialization = event.step_materialization_data.materialization
        assert materialization.partition is not None
        found.materializations[materialization.partition] = {
            name: value.value for name, value in materialization.metadata.items()
        }
    elif event.event_type_value == "ASSET_CHECK_EVALUATION":
        check = event.asset_check_evaluation_data
        assert check.partition is not None
        found.checks[check.check_name, check.partition] = (
            check.passed,
            check.severity.value,
            set(check.metadata),
        )
