"""Tables of ordinary assets written and read, and the rows of an ingestion's partitions read."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ingest_assets.deployment import Deployment
from ingest_assets.errors import (
    TableMissingError,
    TableOwnershipError,
    UnsupportedTypeError,
)
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger import lookup
from ingest_assets.ledger.listing import record_listing
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.schema.column import Column
from ingest_assets.settings import Settings
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import open_target

pytestmark = pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`")

NOW = datetime(2024, 5, 1, tzinfo=UTC)
FROM_LAKE = {"dagster/io_manager_key": "lake"}


@pytest.fixture
def deployment(tmp_path: Path, fresh_database: str) -> Iterator[Deployment]:
    """A deployment in a fresh database, its warehouse in a folder."""
    environment = {"INGEST_HOME": str(tmp_path), "INGEST_POSTGRES_URL": fresh_database}
    made = Deployment(Settings.from_env(environment))
    yield made
    made.ledger.dispose()


@pytest.fixture
def run(deployment: Deployment) -> Callable[..., dg.ExecuteInProcessResult]:
    """Each call materializes assets in an instance of its own."""

    def materialize(*assets: Any, **options: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            list(assets), resources={"lake": IcebergIOManager(lambda: deployment)}, **options
        )

    return materialize


def _stored(deployment: Deployment, identifier: str) -> list[dict[str, Any]]:
    return list(deployment.catalog.load_table(identifier).scan().to_arrow().to_pylist())


def _returning(value: Any, **options: Any) -> dg.AssetsDefinition:
    @dg.asset(key=["shop", "totals"], io_manager_key="lake", **options)
    def totals() -> Any:
        return value

    return totals


@pytest.mark.parametrize(
    "value",
    [
        pa.table({"id": [1, 2]}),
        pa.table({"id": [1, 2]}).to_reader(),
        pl.DataFrame({"id": [1, 2]}),
        pl.LazyFrame({"id": [1, 2]}),
        pd.DataFrame({"id": [1, 2]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_asset_may_return_any_kind_of_frame(run: Any, deployment: Any, value: Any) -> None:
    run(_returning(value))
    assert _stored(deployment, "shop.totals") == [{"id": 1}, {"id": 2}]


def test_an_assets_table_holds_what_it_returned_last(run: Any, deployment: Any) -> None:
    run(_returning(pa.table({"id": [1, 2]})))
    result = run(_returning(pa.table({"id": [3], "name": ["c"]})))
    assert _stored(deployment, "shop.totals") == [{"id": 3, "name": "c"}]
    (materialization,) = result.asset_materializations_for_node("shop__totals")
    assert materialization.metadata["dagster/row_count"].value == 1
    assert materialization.metadata["dagster/table_name"].value == "shop.totals"
    current = deployment.catalog.load_table("shop.totals").metadata.current_snapshot_id
    assert materialization.metadata["snapshot_id"].value == str(current)
    run(_returning(pa.table({"id": pa.array([], pa.int64())})))
    assert _stored(deployment, "shop.totals") == []


def test_a_first_table_without_rows_is_a_table(run: Any, deployment: Any) -> None:
    run(_returning(pa.table({"id": pa.array([], pa.int64())})))
    assert _stored(deployment, "shop.totals") == []


def test_an_asset_key_without_a_namespace_is_refused_with_the_way_out(run: Any) -> None:
    @dg.asset(io_manager_key="lake")
    def alone() -> pa.Table:
        return pa.table({"id": [1]})

    with pytest.raises(dg.DagsterInvariantViolationError, match="key_prefix"):
        run(alone)


def test_what_is_no_table_is_refused_by_its_type(run: Any) -> None:
    with pytest.raises(TypeError, match="returned dict; it should return a pyarrow Table"):
        run(_returning({"id": 1}))


def test_a_type_that_iceberg_lacks_is_refused_and_no_table_is_made(
    run: Any, deployment: Any
) -> None:
    for type_ in (pa.uint64(), pa.null(), pa.struct([])):
        with pytest.raises(UnsupportedTypeError, match=r"shop\.totals"):
            run(_returning(pa.table({"id": pa.array([None], type_)})))
    assert not deployment.catalog.table_exists("shop.totals")


def test_nanoseconds_of_pandas_are_stored_as_microseconds(run: Any, deployment: Any) -> None:
    moment = pd.Timestamp("2024-05-01T10:00:00.123456")
    frame = pd.DataFrame({"at": pd.Series([moment]).astype("datetime64[ns]")})
    run(_returning(frame))
    assert _stored(deployment, "shop.totals") == [{"at": moment.to_pydatetime()}]


REGIONS = dg.StaticPartitionsDefinition(["eu", "us", 'o\'hare "x"'])


def _by_region(numbers: dict[str, int], **options: Any) -> dg.AssetsDefinition:
    @dg.asset(
        key=["shop", "by_region"],
        partitions_def=REGIONS,
        io_manager_key="lake",
        backfill_policy=dg.BackfillPolicy.single_run(),
        **({"metadata": {"partition_column": "region"}} | options),
    )
    def by_region(context: dg.AssetExecutionContext) -> pa.Table:
        keys = context.partition_keys
        return pa.table({"region": keys, "number": [numbers[key] for key in keys]})

    return by_region


def test_a_partition_is_replaced_and_the_others_stay(run: Any, deployment: Any) -> None:
    for key in REGIONS.get_partition_keys():
        run(_by_region({key: 1}), partition_key=key)
    run(_by_region({"us": 2}), partition_key="us")
    rows = {row["region"]: row["number"] for row in _stored(deployment, "shop.by_region")}
    assert rows == {"eu": 1, "us": 2, 'o\'hare "x"': 1}


def test_a_range_of_partitions_is_replaced_in_one_run(run: Any, deployment: Any) -> None:
    tags = {
        "dagster/asset_partition_range_start": "eu",
        "dagster/asset_partition_range_end": "us",
    }
    for number in (1, 2):
        run(_by_region({"eu": number, "us": number}), tags=tags)
    assert sorted(row["number"] for row in _stored(deployment, "shop.by_region")) == [2, 2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pa.table({"number": [1]}), "lack its partition column region"),
        (pa.table({"region": ["eu", "us"]}), r"region is 'us', for one"),
        (pa.table({"region": pa.array([None], pa.string())}), "region is None, for one"),
    ],
)
def test_rows_that_the_next_run_would_not_replace_are_refused(
    run: Any, deployment: Any, rows: pa.Table, message: str
) -> None:
    @dg.asset(
        key_prefix="shop",
        partitions_def=REGIONS,
        io_manager_key="lake",
        metadata={"partition_column": "region"},
    )
    def stray() -> pa.Table:
        return rows

    with pytest.raises(ValueError, match=message):
        run(stray, partition_key="eu")
    assert not deployment.catalog.table_exists("shop.stray")


def test_daily_partitions_may_be_a_column_of_dates(run: Any, deployment: Any) -> None:
    seen: list[Any] = []
    days = dg.DailyPartitionsDefinition("2024-05-01", end_date="2024-05-03")

    @dg.asset(
        key=["shop", "daily"],
        partitions_def=days,
        io_manager_key="lake",
        metadata={"partition_column": "on"},
    )
    def daily(context: dg.AssetExecutionContext) -> pa.Table:
        return pa.table({"on": [date.fromisoformat(context.partition_key)]})

    downstream = _downstream(pa.Table, ["shop", "daily"], seen, partitions_def=days)
    for key in ("2024-05-01", "2024-05-02", "2024-05-02"):
        run(daily, downstream, partition_key=key)
    assert [rows["on"].to_pylist() for rows in seen] == [
        [date(2024, 5, 1)],
        [date(2024, 5, 2)],
        [date(2024, 5, 2)],
    ]
    assert len(_stored(deployment, "shop.daily")) == 2


def test_nulls_and_empty_lists_arrive_downstream_as_they_were(run: Any) -> None:
    seen: list[Any] = []
    pairs = pa.list_(pa.struct([("a", pa.int64())]))
    rows = pa.table({"pairs": pa.array([None, [], [{"a": 1}, None]], pairs)})
    run(_returning(rows), _downstream(pa.Table, ["shop", "totals"], seen))
    assert seen[0]["pairs"].to_pylist() == [None, [], [{"a": 1}, None]]


def test_types_of_other_libraries_become_icebergs(run: Any, deployment: Any) -> None:
    frame = pl.DataFrame(
        {"small": [1], "word": ["a"], "kind": ["b"]},
        schema={"small": pl.UInt8, "word": pl.String, "kind": pl.Categorical},
    )
    run(_returning(frame))
    assert _stored(deployment, "shop.totals") == [{"small": 1, "word": "a", "kind": "b"}]


def test_a_column_that_changed_its_type_is_refused_and_the_table_stays(
    run: Any, deployment: Any
) -> None:
    run(_returning(pa.table({"id": [1]})))
    with pytest.raises(UnsupportedTypeError, match=r"id is int64 .* cannot become string"):
        run(_returning(pa.table({"id": ["a"]})))
    assert _stored(deployment, "shop.totals") == [{"id": 1}]


def test_a_partitioned_asset_must_name_its_column(run: Any, deployment: Any) -> None:
    with pytest.raises(dg.DagsterInvariantViolationError, match="partition_column"):
        run(_by_region({"eu": 1}, metadata={}), partition_key="eu")
    assert not deployment.catalog.table_exists("shop.by_region")


def _downstream(annotation: Any, upstream: list[str], seen: list[Any], **options: Any) -> Any:
    """An asset that looks at its input."""

    def look(rows):  # type: ignore[no-untyped-def]
        seen.append(rows.read_all() if isinstance(rows, pa.RecordBatchReader) else rows)

    look.__annotations__ = {"rows": annotation, "return": None}
    ins = {"rows": dg.AssetIn(upstream, partition_mapping=options.pop("partition_mapping", None))}
    return dg.asset(ins=ins, name="look", **options)(look)


@pytest.mark.parametrize(
    ("annotation", "to_rows"),
    [
        (pa.Table, pa.Table.to_pylist),
        (pa.RecordBatchReader, pa.Table.to_pylist),
        (Any, pa.Table.to_pylist),
        (pl.DataFrame, pl.DataFrame.to_dicts),
        (pl.LazyFrame, lambda frame: frame.collect().to_dicts()),
        (pd.DataFrame, lambda frame: frame.to_dict("records")),
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
def test_a_downstream_asset_gets_what_its_annotation_names(
    run: Any, annotation: Any, to_rows: Any
) -> None:
    seen: list[Any] = []
    downstream = _downstream(annotation, ["shop", "totals"], seen)
    run(_returning(pa.table({"id": [1], "on": [date(2024, 5, 1)]})), downstream)
    (rows,) = seen
    assert to_rows(rows) == [{"id": 1, "on": date(2024, 5, 1)}]


def test_an_annotation_that_is_no_frame_is_refused_by_name(run: Any) -> None:
    with pytest.raises(TypeError, match=r"has no rows as builtins\.dict"):
        run(_returning(pa.table({"id": [1]})), _downstream(dict, ["shop", "totals"], []))


def test_a_downstream_partition_gets_the_rows_of_its_own(run: Any) -> None:
    seen: list[Any] = []
    downstream = _downstream(
        pa.Table,
        ["shop", "by_region"],
        seen,
        partitions_def=REGIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    for key in ("eu", "us"):
        run(_by_region({key: 1}), partition_key=key)
    run(_by_region({"us": 2}), downstream, partition_key="us")
    assert seen[0].to_pylist() == [{"region": "us", "number": 2}]
    run(
        _by_region({}),
        downstream,
        partition_key="eu",
        selection=["look"],
    )
    assert seen[1].to_pylist() == [{"region": "eu", "number": 1}]


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [(None, ["eu", "us"]), (dg.SpecificPartitionsPartitionMapping(["us"]), ["us"])],
    ids=["all", "specific"],
)
def test_an_unpartitioned_downstream_gets_all_or_what_its_mapping_names(
    run: Any, mapping: Any, expected: list[str]
) -> None:
    seen: list[Any] = []
    for key in ("eu", "us"):
        run(_by_region({key: 1}), partition_key=key)
    downstream = _downstream(pa.Table, ["shop", "by_region"], seen, partition_mapping=mapping)
    run(_by_region({}), downstream, selection=["look"])
    assert sorted(seen[0]["region"].to_pylist()) == expected


def test_a_missing_upstream_table_says_what_to_do(run: Any) -> None:
    spec = dg.AssetSpec(["shop", "totals"], metadata=FROM_LAKE)
    with pytest.raises(TableMissingError, match="Materialize its asset first"):
        run(spec, _downstream(pa.Table, ["shop", "totals"], []))


FILES = dg.DynamicPartitionsDefinition(name="orders")
KEYS = ["a.json", "50%...b.json", "c.json"]
ORDERS = dg.AssetSpec(["raw", "orders"], partitions_def=FILES, metadata=FROM_LAKE)


@pytest.fixture
def ingested(deployment: Deployment) -> Iterator[dg.DagsterInstance]:
    """`raw.orders` with the rows of three files, and an instance that knows their partitions."""
    deployment.ledger.register("orders", "raw.orders")
    listed = [SourceFile(key, f"s3://b/{key}", 1, f"etag-{key}", NOW) for key in KEYS]
    with deployment.ledger.transaction() as connection:
        record_listing(connection, "orders", listed)
        ids = {key: lookup.file_ids(connection, "orders", [key])[0] for key in KEYS}
    owner = Owner("orders", deployment.ledger_id)
    target = open_target(deployment.catalog, "raw.orders", TableLayout(), owner, must_exist=False)
    target.evolve((Column("key", pa.string()),))
    writer = DataFileWriter(target, "b1")
    for key in KEYS:
        rows = pa.table(
            {
                "key": [key, key],
                "_source_row": pa.array([1, 2], pa.int64()),
                "_rescued_data": pa.nulls(2, pa.string()),
            }
        )
        writer.write(with_lineage(rows, [Origin(key, ids[key], 1, rows.num_rows)], NOW))
    commit(Prepared("b1", target, writer.finish(), "_file_id", []), lambda: True)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("orders", [partition_key_of(key) for key in KEYS])
        yield instance


def test_a_partition_of_an_ingestion_is_the_rows_of_its_file(run: Any, ingested: Any) -> None:
    seen: list[Any] = []
    downstream = _downstream(pa.Table, ["raw", "orders"], seen, partitions_def=FILES)
    for key in KEYS:
        run(ORDERS, downstream, partition_key=partition_key_of(key), instance=ingested)
    assert [rows["key"].to_pylist() for rows in seen] == [[key, key] for key in KEYS]


def test_a_range_of_an_ingestion_is_the_rows_of_its_files(run: Any, ingested: Any) -> None:
    seen: list[Any] = []
    downstream = _downstream(
        pa.Table,
        ["raw", "orders"],
        seen,
        partitions_def=FILES,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    tags = {
        "dagster/asset_partition_range_start": partition_key_of(KEYS[0]),
        "dagster/asset_partition_range_end": partition_key_of(KEYS[1]),
    }
    run(ORDERS, downstream, tags=tags, instance=ingested)
    assert sorted(seen[0]["key"].to_pylist()) == sorted(KEYS[:2] * 2)


def test_a_file_without_rows_gives_an_empty_table(run: Any, ingested: Any) -> None:
    ingested.add_dynamic_partitions("orders", ["unknown.json"])
    seen: list[Any] = []
    downstream = _downstream(pa.Table, ["raw", "orders"], seen, partitions_def=FILES)
    run(ORDERS, downstream, partition_key="unknown.json", instance=ingested)
    assert seen[0].num_rows == 0
    assert "key" in seen[0].column_names


def test_all_of_an_ingestion_includes_files_that_left_the_live_set(run: Any, ingested: Any) -> None:
    ingested.delete_dynamic_partition("orders", KEYS[0])
    seen: list[Any] = []
    run(ORDERS, _downstream(pa.Table, ["raw", "orders"], seen), instance=ingested)
    assert seen[0].num_rows == 6


def test_an_asset_cannot_write_the_table_of_an_ingestion(
    run: Any, deployment: Any, ingested: Any
) -> None:
    @dg.asset(key=["raw", "orders"], io_manager_key="lake")
    def orders() -> pa.Table:
        return pa.table({"key": ["mine"]})

    before = deployment.catalog.load_table("raw.orders").metadata_location
    with pytest.raises(TableOwnershipError, match="is written by the ingestion 'orders'"):
        run(orders)
    assert deployment.catalog.load_table("raw.orders").metadata_location == before
