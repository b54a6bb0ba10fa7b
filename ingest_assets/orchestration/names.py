"""The names under which Dagster knows an ingestion: its asset, partitions, checks and run tags."""

import warnings

import dagster as dg

from ingest_assets.ingestion import Ingestion

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
    """The checks that every file is put to."""
    with warnings.catch_warnings():
        # Partitioned checks are marked as preview in Dagster 1.13.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                SCHEMA_COMPATIBLE,
                asset=asset_key(ingestion),
                description=(
                    "The file's schema goes into the table as it is or extends it. When it does "
                    "not, the file is parked and none of its rows are written."
                ),
                partitions_def=partitions_def(ingestion),
            ),
            dg.AssetCheckSpec(
                ROWS_PARSED,
                asset=asset_key(ingestion),
                description=(
                    "Every row of the file could be read. Rows that could not are in "
                    f"{ingestion.table.identifier}__rejected, with the line and the reason."
                ),
                partitions_def=partitions_def(ingestion),
            ),
        ]


def is_asked_by_person(run: dg.DagsterRun) -> bool:
    """A run without a batch, or one that is executed again with all tags of the run before."""
    return BATCH_TAG not in run.tags or run.parent_run_id is not None


def location_of(run: dg.DagsterRun) -> str:
    """The code location that the run was asked for in; the product's own for one in a process."""
    origin = run.remote_job_origin
    return CODE_LOCATION if origin is None else origin.location_name
