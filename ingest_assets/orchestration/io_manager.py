"""The Iceberg I/O manager: the only writer of Iceberg tables, of ingestions and other assets.

A downstream asset names what it wants by its annotation:

    @dg.asset(key_prefix="shop", ins={"orders": dg.AssetIn(["raw", "orders"])})
    def daily_orders(orders: pa.Table) -> pa.Table: ...

The asset key is the table: `shop.daily_orders` here. As annotations `pa.Table`,
`pa.RecordBatchReader`, Polars' `DataFrame` and `LazyFrame`, pandas' `DataFrame` and Spark's (from
PySpark 4 on; its rows go through this process) are understood.
An asset with the partitions of an ingestion gets the rows of its files; any other gets the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.engine.batch_work import BatchWork
from ingest_assets.engine.staging import StagedBatch
from ingest_assets.files.partition_key import key_of
from ingest_assets.ledger import lookup
from ingest_assets.orchestration.frames import frame_of, table_of
from ingest_assets.orchestration.usage_metadata import usage_metadata
from ingest_assets.tables import user_tables

PARTITION_COLUMN = "partition_column"
"""Metadata of a user's partitioned asset: the column that holds the partition key."""


@dataclass(frozen=True)
class BatchToCommit:
    """What the asset of an ingestion hands over."""

    work: BatchWork
    staged: StagedBatch


class IcebergIOManager(dg.IOManager):
    """Commits batches of ingestions; writes and reads the tables of ordinary assets."""

    def __init__(self, deployment: DeploymentSource = Deployment.from_env) -> None:
        self._deployment = deployment

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """The batch is committed, or the asset's table holds exactly what the asset returned.

        Of an ordinary partitioned asset the rows of its partitions are replaced, found by the
        column that its metadata `partition_column` names. A batch that cannot be committed does not
        raise here: its outcome is in the ledger, and the step that reports it fails the run.

        Raises:
            TypeError: what was returned is no table.
            ValueError: rows of another partition than the run's.
            CatalogError, CommitConflictError: the table is unchanged.
        """
        if isinstance(obj, BatchToCommit):
            self._commit(context, obj)
            return
        if obj is None:
            return
        rows = table_of(obj)
        identifier = _identifier(context)
        column, keys = self._partition(context)
        snapshot_id = user_tables.replace(
            self._deployment().catalog, identifier, rows, column=column, values=keys
        )
        metadata = {"dagster/table_name": identifier, "dagster/row_count": rows.num_rows}
        if snapshot_id is not None:
            metadata["snapshot_id"] = str(snapshot_id)
        context.add_output_metadata(metadata)

    def _commit(self, context: dg.OutputContext, batch: BatchToCommit) -> None:
        try:
            committed = batch.work.land(batch.staged)
        except Exception:
            context.log.exception("Batch %s was not committed.", batch.work.claimed.batch_id)
            return
        context.add_output_metadata(
            {
                "batch_id": batch.work.claimed.batch_id,
                "snapshot_id": str(committed.snapshot_id),
                "removed_rows": committed.removed_rows,
                "rewritten_data_files": committed.rewritten_files,
                **usage_metadata(batch.work.deployment, batch.work.claimed.batch_id),
            }
        )
        context.log.info(
            "Batch %s: snapshot %s; %s rows of earlier contents left, %s data files rewritten.",
            batch.work.claimed.batch_id,
            committed.snapshot_id,
            committed.removed_rows,
            committed.rewritten_files,
        )

    def _partition(self, context: dg.OutputContext) -> tuple[str | None, Sequence[str]]:
        if not context.has_asset_partitions:
            return None, ()
        column = _partition_column(context, context.definition_metadata)
        return column, context.asset_partition_keys

    def load_input(self, context: dg.InputContext) -> Any:
        """The rows of the upstream asset, as the annotation wants them.

        Raises:
            TableMissingError: the upstream asset has no table yet.
            TypeError: the annotation is none that is understood.
            DagsterInvariantViolationError: an ordinary partitioned asset that does not name its
                partition column; or partitions whose rows are in tables of different shapes.
        """
        services = self._deployment()
        identifier = _identifier(context)
        ingestion = user_tables.ingestion_of(services.catalog, identifier)
        column, values = self._wanted(context, services, ingestion)
        if ingestion is not None and column is not None:
            identifier = _table_of(services, ingestion, values) or identifier
        batches = user_tables.read(services.catalog, identifier, column=column, values=values)
        return frame_of(batches, context.dagster_type.typing_type)

    def _wanted(
        self, context: dg.InputContext, services: Deployment, ingestion: str | None
    ) -> tuple[str | None, Sequence[Any]]:
        """The column and its values that the asset's partitions stand for; None for all rows."""
        if not context.has_asset_partitions or _wants_all(context):
            return None, ()
        keys = context.asset_partition_keys
        if ingestion is None:
            upstream = context.upstream_output
            return _partition_column(
                context, upstream.definition_metadata if upstream else {}
            ), keys
        with services.ledger.transaction() as connection:
            return "_file_id", lookup.file_ids(connection, ingestion, [key_of(key) for key in keys])


def _table_of(services: Deployment, ingestion: str, file_ids: Sequence[int]) -> str | None:
    """The table that a person made for the shape of these files; None for the declared one."""
    with services.ledger.transaction() as connection:
        routes = lookup.routes(connection, file_ids)
    if len(routes) > 1:
        raise dg.DagsterInvariantViolationError(
            f"The partitions of {ingestion} that are asked for lie in several tables of different "
            f"shapes ({', '.join(route or 'the declared one' for route in routes)}). Ask for those "
            "of one table."
        )
    return routes[0] or None if routes else None


def _identifier(context: dg.InputContext | dg.OutputContext) -> str:
    """The table that the asset key names: namespace, or several, and table."""
    path = context.asset_key.path
    if len(path) < 2:
        raise dg.DagsterInvariantViolationError(
            f"The asset key {path[0]} has one part, and an Iceberg table lies in a namespace. Give "
            'the asset one, as in @dg.asset(key_prefix="shop").'
        )
    return ".".join(path)


def _wants_all(context: dg.InputContext) -> bool:
    """A run without partitions depends on all that there are: also on those that have been retired.

    A mapping that names some of them (`dg.SpecificPartitionsPartitionMapping`) means just those.
    """
    if context.step_context.has_partitions:
        return False
    every = context.asset_partitions_def.get_partition_keys(
        dynamic_partitions_store=context.instance
    )
    return set(context.asset_partition_keys) == set(every)


def _partition_column(
    context: dg.InputContext | dg.OutputContext, metadata: Mapping[str, Any] | None
) -> str:
    column = (metadata or {}).get(PARTITION_COLUMN)
    if not isinstance(column, str):
        raise dg.DagsterInvariantViolationError(
            f"The asset {context.asset_key.to_user_string()} is partitioned, and its metadata "
            f"does not say which column holds the partition key. Add metadata="
            f'{{"{PARTITION_COLUMN}": "name_of_the_column"}} to it.'
        )
    return column
