"""A table's health as an observation of its asset, so that the UI plots its numbers over time."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from ingest_assets.engine.chores import MaintenanceReport
from ingest_assets.engine.maintenance_text import in_bytes, report_lines
from ingest_assets.tables.rejected import SUFFIX
from ingest_assets.tables.table_health import TableHealth

_REJECTED = "rejected_"


def observations(report: MaintenanceReport) -> Iterator[dg.AssetObservation]:
    """One for each table of the ingestion whose health is known.

    The asset of a table has the numbers of its rejected rows too, beginning with `rejected_`.
    """
    found = {one.identifier: one.health for one in report.tables if one.health is not None}
    for identifier, health in found.items():
        if identifier.endswith(SUFFIX):
            continue
        metadata = _numbers(health)
        rejected = found.get(identifier + SUFFIX)
        if rejected is not None:
            metadata |= {_REJECTED + name: value for name, value in _numbers(rejected).items()}
        metadata["worst_partitions"] = dg.MetadataValue.md(_worst(health))
        yield dg.AssetObservation(
            dg.AssetKey(identifier.split(".")),
            description="The table's health after its maintenance.",
            metadata=metadata,
        )


def report_metadata(report: MaintenanceReport) -> dict[str, Any]:
    """The whole report, for the output of a run."""
    lines = "\n".join(report_lines(report))
    return {"report": dg.MetadataValue.md(f"```\n{lines}\n```")}


def _numbers(health: TableHealth) -> dict[str, Any]:
    return {name: value for name, value in asdict(health).items() if isinstance(value, int)}


def _worst(health: TableHealth) -> str:
    rows = [
        f"| {one.partition or 'all'} | {one.files:,} | {one.small_files:,} "
        f"| {in_bytes(one.size_bytes)} |"
        for one in health.worst
    ]
    return "\n".join(["| partition | files | small | size |", "|---|---|---|---|", *rows])
