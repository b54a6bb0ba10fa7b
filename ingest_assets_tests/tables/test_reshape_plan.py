"""A plan says what would be done, and what cannot be is refused, before anything is written."""

from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

from ingest_assets.decision_errors import ReshapeRefusedError
from ingest_assets.tables.operations import (
    AddColumn,
    Constant,
    Drop,
    Expression,
    Fill,
    Operation,
    Promote,
    Rename,
    Retype,
)
from ingest_assets.tables.reshape_plan import ReshapePlan, plan_reshape
from ingest_assets_tests.tables.lake import IDENTIFIER, Lake, layout
from ingest_assets_tests.tables.shapes import AT, PAIR, PRICE, change, fill_lake, values_of

STRING, LONG = pa.string(), pa.int64()


def _lake(lake: Lake, wanted: Any = None) -> Lake:
    fill_lake(
        lake,
        wanted,
        amount=pa.array([1, 2]),
        region=pa.array(["eu", "us"]),
        at=pa.array([0, 1], AT),
        narrow=pa.array([1, 2], pa.int32()),
        s=pa.array([{"x": 1, "y": "a"}] * 2, PAIR),
        only=pa.array([{"x": 1}] * 2),
        tags=pa.array([[1], []]),
        by=pa.array([[("k", 1)], []], pa.map_(STRING, LONG)),
    )
    return lake


def _plan(lake: Lake, *operations: Operation) -> ReshapePlan:
    return plan_reshape(lake.table, operations)


def test_a_plan_has_the_ddl_of_each_operation(lake: Lake) -> None:
    found = _plan(
        _lake(lake),
        AddColumn(("price",), PRICE, "What it's worth."),
        AddColumn(("s", "more"), pa.list_(PAIR)),
        Promote(("narrow",), LONG),
        Rename(("region",), "area"),
        Drop(("s", "y")),
        Retype(("amount",), STRING),
        Retype(("id",), STRING),
        Retype(("tags", "element"), STRING),
        Retype(("s", "x"), STRING),
        Fill("price", Constant("0.00")),
        Fill("area", Expression("upper(amount)")),
    )
    assert found.ddl == (
        "ALTER TABLE raw.orders ADD COLUMN price DECIMAL(12,2) COMMENT 'What it\\'s worth.'",
        "ALTER TABLE raw.orders ADD COLUMN s.more ARRAY<STRUCT<x: BIGINT, y: STRING>>",
        "ALTER TABLE raw.orders ALTER COLUMN narrow TYPE BIGINT",
        "ALTER TABLE raw.orders RENAME COLUMN region TO area",
        "ALTER TABLE raw.orders DROP COLUMN s.y",
        "ALTER TABLE raw.orders DROP COLUMN amount",
        "ALTER TABLE raw.orders ADD COLUMN amount STRING AFTER id",
        "-- rewrite of raw.orders: amount has its old values, converted",
        "ALTER TABLE raw.orders DROP COLUMN id",
        "ALTER TABLE raw.orders ADD COLUMN id STRING FIRST",
        "-- rewrite of raw.orders: id has its old values, converted",
        "ALTER TABLE raw.orders DROP COLUMN tags",
        "ALTER TABLE raw.orders ADD COLUMN tags ARRAY<STRING> AFTER only",
        "-- rewrite of raw.orders: tags has its old values, converted",
        "ALTER TABLE raw.orders DROP COLUMN s.x",
        "ALTER TABLE raw.orders ADD COLUMN s.x STRING FIRST",
        "-- rewrite of raw.orders: s.x has its old values, converted",
        "UPDATE raw.orders SET price = '0.00' WHERE price IS NULL",
        "UPDATE raw.orders SET area = upper(amount) WHERE area IS NULL",
        "-- the expression is duckdb's SQL",
    )
    assert len(found.readers_see) == 11
    assert found.readers_see[3].startswith("region is called area, with its values.")


def test_a_plan_counts_what_a_rewrite_would_rewrite(lake: Lake) -> None:
    table = _lake(lake).table
    found = plan_reshape(table, [Retype(("amount",), STRING)])
    assert (found.rewrites_data, found.data_files, found.rows) == (True, 2, 3)
    sizes = [task.file.file_size_in_bytes for task in table.scan().plan_files()]
    assert found.size_bytes == sum(sizes)
    assert found.estimated_seconds == 1
    assert "two cores" in found.estimate
    assert found.undo_snapshot_id == table.metadata.current_snapshot_id
    assert lake.table.metadata_location == table.metadata_location
    found = plan_reshape(table, [Rename(("amount",), "sum")])
    assert (found.rewrites_data, found.data_files, found.rows, found.size_bytes) == (False, 0, 0, 0)
    assert "No data is rewritten" in found.estimate


def test_a_column_that_comes_with_values_is_never_said_to_be_null(lake: Lake) -> None:
    added = AddColumn(("price",), PRICE)
    found = _plan(_lake(lake), added, Fill("price", Constant("0.00")))
    assert found.readers_see[0] == "price is new, in one commit with its values."
    assert "values to convert" not in found.estimate
    assert found.undo.endswith(" price stays, and is null in those rows: drop it.")
    found = _plan(lake, added)
    assert found.readers_see == ("price is new and null in all rows there are.",)
    assert found.undo.endswith(" price stays, and is null in those rows: drop it.")


def test_undo_is_what_the_plan_says_it_is(lake: Lake) -> None:
    """Iceberg rolls back rows, and never a schema."""
    operations = [Retype(("amount",), STRING), Rename(("region",), "area"), Drop(("at",))]
    found = _plan(_lake(lake), *operations)
    change(lake, *operations)
    assert found.undo_snapshot_id is not None
    lake.table.manage_snapshots().rollback_to_snapshot(found.undo_snapshot_id).commit()
    assert "amount then reads as null, because it is a new field" in found.undo
    rows = lake.table.scan().to_arrow()
    assert rows["amount"].to_pylist() == [None] * 3
    assert "region keeps the name area" in found.undo
    assert sorted(rows["area"].to_pylist()) == ["eu", "eu", "us"]
    assert "at stays away" in found.undo
    assert "at" not in rows.column_names
    then = lake.table.scan(snapshot_id=found.undo_snapshot_id).to_arrow()
    assert sorted(then["amount"].to_pylist()) == [1, 1, 2]


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (Drop(("nothing",)), "Drop nothing: the table has no such column"),
        (Rename(("s", "z"), "a"), "Rename s.z: the table has no such column"),
        (Drop(("_file_id",)), "_file_id: the columns that begin with _ are the product's own"),
        (Retype(("_source_row",), STRING), "the product's own"),
        (Rename(("_source_row",), "line"), "the product's own"),
        (Fill("_rescued_data", Constant("x")), "the product's own"),
        (AddColumn(("_mine",), STRING), "the product's own"),
        (Rename(("amount",), "_mine"), "Call it source_mine"),
        (AddColumn(("Amount",), LONG), "Call it amount"),
        (AddColumn(("amount",), LONG), "amount is there already"),
        (AddColumn(("s", "x"), LONG), "x is there already"),
        (AddColumn(("t", "x"), LONG), "no struct to hold it"),
        (AddColumn(("tags", "x"), LONG), "no struct to hold it"),
        (Rename(("amount",), "region"), "region is there already"),
        (Rename(("amount",), "amount"), "amount is there already"),
        (Rename(("amount",), ""), "is no name of a column"),
        (Rename(("tags", "element"), "x"), "has no name of its own"),
        (Drop(("by", "value")), "has no name of its own"),
        (Drop(("only", "x")), "it is the only one there"),
        (AddColumn(("n",), pa.timestamp("ns")), "Iceberg has no type for Arrow's timestamp"),
        (Retype(("amount",), pa.uint64()), "Iceberg has no type for Arrow's uint64"),
        (AddColumn(("n",), pa.struct([])), "Iceberg has no type"),
        (AddColumn(("n",), pa.struct([("a", LONG), ("A", LONG)])), "two fields of .* one name"),
        (
            Promote(("amount",), pa.int32()),
            "Widen amount: Iceberg cannot turn long into int in place",
        ),
        (Retype(("amount",), LONG), "it is long already"),
        (Retype(("amount",), pa.bool_()), "no long is a boolean.*Drop it and add it anew"),
        (Retype(("region",), PAIR), "no string is a struct"),
        (Retype(("s",), pa.struct([("x", LONG)])), "no struct<x: long, y: string> is a"),
        (Retype(("by", "key"), LONG), "the keys of a map"),
        (Rename(("by", "key"), "k"), "the keys of a map"),
        (Fill("nothing", Constant(1)), "the table has no such column"),
        (Fill("amount", Constant("x")), "'x' is no value of amount, which is long"),
        (Fill("amount", Constant(None)), "None is no value of amount"),
        (Fill("amount", Expression("sum(id)")), "more than one row"),
        (Fill("amount", Expression("source.at")), "makes a timestamp.*Cast it"),
        (Fill("amount", Expression("nothing + 1")), "nothing"),
    ],
)
def test_what_cannot_be_done_is_refused_early(lake: Lake, operation: Operation, why: str) -> None:
    before = _lake(lake).table.metadata_location
    with pytest.raises(ReshapeRefusedError, match=why):
        _plan(lake, operation)
    with pytest.raises(ReshapeRefusedError, match=why):
        change(lake, operation)
    assert lake.table.metadata_location == before


@pytest.mark.parametrize("gone", [Drop, lambda path: Retype(path, STRING)])
@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (layout("bucket(4, amount)"), "a source of the table's partition spec"),
        (layout(sort_by=["amount"]), "a source of the table's sort order"),
    ],
)
def test_what_partitions_or_sorts_the_table_stays(
    lake: Lake, wanted: Any, why: str, gone: Any
) -> None:
    with pytest.raises(ReshapeRefusedError, match=why) as caught:
        _plan(_lake(lake, wanted), gone(("amount",)))
    assert caught.value.column == "amount"
    assert caught.value.is_retryable is False
    change(lake, Rename(("amount",), "sum"))
    assert values_of(lake, "id") == [0, 1, 0]


def test_a_column_of_an_older_partition_spec_stays_while_data_files_have_it(lake: Lake) -> None:
    _lake(lake, layout("region"))
    with lake.table.update_spec() as update:
        update.remove_field("region")
    with pytest.raises(ReshapeRefusedError, match="an older partition spec that live data files"):
        _plan(lake, Drop(("region",)))
    change(lake, Retype(("amount",), STRING))  # all data files are of the new spec now
    change(lake, Drop(("region",)), batch_id="r-2")
    assert sorted(lake.table.scan().to_arrow()["amount"].to_pylist()) == ["1", "1", "2"]
    lake.write({1: lake.table.scan().to_arrow().select(["id", "amount"])})
    change(lake, Retype(("amount",), LONG), batch_id="r-3")
    assert len(lake.table.scan().to_arrow()) == 4


def test_an_identifier_field_stays(lake: Lake) -> None:
    schema = Schema(
        NestedField(1, "id", LongType(), required=True),
        NestedField(2, "name", StringType(), required=True),
        identifier_field_ids=[1],
    )
    lake.catalog.create_namespace("raw")
    lake.catalog.create_table(IDENTIFIER, schema)
    with pytest.raises(ReshapeRefusedError, match="an identifier field"):
        _plan(lake, Retype(("id",), STRING))
    lake.table.append(pa.table({"id": [1], "name": ["7"]}, schema=schema.as_arrow()))
    change(lake, Retype(("name",), LONG), Rename(("id",), "key"))
    assert lake.table.scan().to_arrow().to_pylist() == [{"key": 1, "name": 7}]
    assert lake.table.schema().identifier_field_names() == {"key"}
    assert lake.table.properties["ingest.ingestion"] == "orders"
