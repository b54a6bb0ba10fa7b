"""Assets of a user beside the real code location: they get an ingestion's rows by annotation."""

import importlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame as SparkDataFrame
from pyspark.sql import SparkSession

from ingest_assets.deployment import Deployment
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop, attributes, declare

KEYS = ("a.jsonl", "b.jsonl", "c.jsonl")
ORDERS = dg.AssetKey(["raw", "orders"])


@pytest.fixture
def code_location(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.Definitions]:
    """`ingest_assets.definitions`, loaded on the workshop's environment; three files are in."""
    settings = workshop.deployment.settings
    declare(settings.defs, attributes(workshop.bucket))
    monkeypatch.setenv("INGEST_HOME", str(settings.home))
    monkeypatch.setenv("INGEST_DEFS", str(settings.defs))
    monkeypatch.setenv("INGEST_POSTGRES_URL", settings.postgres_url or "")
    for number, key in enumerate(KEYS):
        workshop.put(key, json_lines(orders(1 + number * 3)))
    workshop.ingest()
    sys.modules.pop("ingest_assets.definitions", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield importlib.import_module("ingest_assets.definitions").defs
    sys.modules.pop("ingest_assets.definitions", None)
    Deployment.from_env().ledger.dispose()


@dg.asset(
    key=["shop", "totals"],
    ins={"orders": dg.AssetIn(ORDERS)},
    io_manager_key="iceberg_io_manager",
)
def totals(orders: pa.Table) -> pa.Table:
    """One row, whatever the number of files."""
    return pa.table({"orders": [orders.num_rows], "ids": [sum(orders["order_id"].to_pylist())]})


@dg.asset(
    key=["shop", "large_orders"],
    ins={"orders": dg.AssetIn(ORDERS)},
    partitions_def=dg.DynamicPartitionsDefinition(name="orders"),
    metadata={"partition_column": "file"},
    io_manager_key="iceberg_io_manager",
)
def large_orders(context: dg.AssetExecutionContext, orders: pl.DataFrame) -> pl.DataFrame:
    """The larger orders of each file."""
    found = orders.filter(pl.col("amount") > 2).select("order_id", "amount")
    return found.with_columns(file=pl.lit(context.partition_key))


def materialize(
    code_location: dg.Definitions,
    workshop: Workshop,
    asset: dg.AssetsDefinition,
    partition_key: str | None = None,
    upstream: Sequence[dg.AssetKey] = (),
) -> dg.ExecuteInProcessResult:
    """A run of the asset in the merged location."""
    merged = dg.Definitions.merge(
        code_location, dg.Definitions(assets=[totals, large_orders, cheap_orders])
    )
    return merged.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=workshop.instance,
        asset_selection=[*upstream, asset.key],
        partition_key=partition_key,
    )


def test_an_asset_without_partitions_gets_the_whole_table(
    code_location: dg.Definitions, workshop: Workshop
) -> None:
    assert materialize(code_location, workshop, totals).success
    [row] = read(workshop, "shop.totals")
    assert row == {"orders": 9, "ids": sum(range(1, 10))}


def test_an_asset_with_the_files_partitions_gets_the_rows_of_its_file(
    code_location: dg.Definitions, workshop: Workshop
) -> None:
    for key in ("a.jsonl", "b.jsonl", "a.jsonl"):
        assert materialize(code_location, workshop, large_orders, key).success
    found = [(row["file"], row["order_id"]) for row in read(workshop, "shop.large_orders")]
    expected = [("a.jsonl", 2), ("a.jsonl", 3), ("b.jsonl", 4), ("b.jsonl", 5), ("b.jsonl", 6)]
    assert sorted(found) == expected


def test_what_is_downstream_in_the_same_run_is_skipped_and_the_log_says_so(
    code_location: dg.Definitions, workshop: Workshop, capfd: pytest.CaptureFixture[str]
) -> None:
    workshop.put("a.jsonl", json_lines(orders(100, 2)))
    workshop.ingest()
    assert materialize(code_location, workshop, large_orders, "a.jsonl", [ORDERS]).success
    assert "What is downstream is skipped in this run" in capfd.readouterr().err
    assert workshop.instance.get_materialized_partitions(large_orders.key) == set()
    assert materialize(code_location, workshop, large_orders, "a.jsonl").success
    assert sorted(row["order_id"] for row in read(workshop, "shop.large_orders")) == [100, 101]


@dg.asset(
    key=["shop", "cheap_orders"],
    ins={"orders": dg.AssetIn(ORDERS)},
    io_manager_key="iceberg_io_manager",
)
def cheap_orders(orders: SparkDataFrame) -> SparkDataFrame:
    """Written by Spark's own expressions."""
    return orders.where("amount < 4").select("order_id", "customer", "ordered_at")


@pytest.mark.alone
def test_spark_gets_and_gives_data_frames(
    code_location: dg.Definitions, workshop: Workshop, spark_session: SparkSession
) -> None:
    assert materialize(code_location, workshop, cheap_orders).success
    before = {row["order_id"]: row for row in workshop.rows()}
    found = read(workshop, "shop.cheap_orders")
    assert sorted(row["order_id"] for row in found) == [1, 2, 3]
    for row in found:
        assert row == {name: before[row["order_id"]][name] for name in row}


def read(workshop: Workshop, identifier: str) -> list[dict[str, Any]]:
    """The table's rows."""
    table = workshop.deployment.catalog.load_table(identifier)
    return list(table.scan().to_arrow().to_pylist())
