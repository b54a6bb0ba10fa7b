"""The names under which Dagster knows an ingestion: its asset, partitions, checks and run tags."""

import warnings

import dagster as dg

from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.quality_reporting import (
    file_rules,
    rule_description,
    table_rules,
)

BATCH_TAG = "ingest/batch_id"
INGESTION_TAG = "ingest/ingestion"
LANE_TAG = "ingest/lane"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
SCHEMA_COMPATIBLE = "schema_compatible"
ROWS_PARSED = "rows_parsed"
IO_MANAGER_KEY = "iceberg_io_manager"
CODE_LOCATION = "ingest_assets"
"""The name that workspace.yaml and `ingest-assets dev` give to the code location."""


def asset_key(ingestion: Ingestion) -> dg.AssetKey:
    """`[namespace, table]`."""
    return dg.AssetKey(ingestion.table.asset_key_path)


def trigger_name(ingestion: Ingestion) -> str:
    """Of its sensor, or of its schedule where it declares one."""
    return f"{ingestion.name}_{'schedule' if ingestion.schedule else 'sensor'}"


def partitions_def(ingestion: Ingestion) -> dg.DynamicPartitionsDefinition:
    """One partition a file."""
    return dg.DynamicPartitionsDefinition(name=ingestion.name)


def check_specs(ingestion: Ingestion) -> list[dg.AssetCheckSpec]:
    """The checks that every file is put to, and those of the table as a whole."""
    table = ingestion.table.identifier
    parsed = (
        "Every row of the file could be read. Rows that could not are in "
        f"{table}__rejected, with the line and the reason."
    )
    fits = (
        "The file's schema goes into the table as it is or extends it. When it does not, the file "
        "is parked and none of its rows are written."
    )
    rules = [(rule.check_name, rule_description(ingestion, rule)) for rule in file_rules(ingestion)]
    with warnings.catch_warnings():
        # Partitioned checks are marked as preview in Dagster 1.13.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        of_files = [
            dg.AssetCheckSpec(
                name,
                asset=asset_key(ingestion),
                description=description,
                partitions_def=partitions_def(ingestion),
            )
            for name, description in ((SCHEMA_COMPATIBLE, fits), (ROWS_PARSED, parsed), *rules)
        ]
    return of_files + [
        dg.AssetCheckSpec(
            rule.check_name,
            asset=asset_key(ingestion),
            description=rule_description(ingestion, rule),
        )
        for rule in table_rules(ingestion)
    ]


def is_asked_by_person(run: dg.DagsterRun) -> bool:
    """A run without a batch, or one that is executed again with all tags of the run before."""
    return BATCH_TAG not in run.tags or run.parent_run_id is not None


def location_of(run: dg.DagsterRun) -> str:
    """The code location that the run was asked for in; the product's own for one in a process."""
    origin = run.remote_job_origin
    return CODE_LOCATION if origin is None else origin.location_name
