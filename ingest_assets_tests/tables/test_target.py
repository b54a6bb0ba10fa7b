"""A table that is made, grows, is adopted, belongs to somebody, or is changed by somebody else."""

from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import (
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    UUIDType,
)

from ingest_assets.errors import (
    ColumnNameError,
    CommitConflictError,
    TableLayoutError,
    TableMissingError,
    TableOwnershipError,
    UnsupportedTypeError,
)
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import open_target
from ingest_assets_tests.tables.conftest import NewCatalog
from ingest_assets_tests.tables.lake import IDENTIFIER, NOW, Lake, columns, layout

ORDERS = pa.table({"id": [1, 2], "name": ["a", "b"]})


def _adoptable(lake: Lake, schema: Schema, **options: Any) -> Any:
    lake.catalog.create_namespace("raw")
    return lake.catalog.create_table(IDENTIFIER, schema, **options)


def test_a_new_table_has_the_columns_the_lineage_and_its_owner(lake: Lake) -> None:
    lake.write({1: ORDERS}, layout("bucket(4, id)", sort_by=["name desc"]))
    table = lake.table
    assert table.schema().column_names[:3] == ["id", "name", "_source_file"]
    assert not any(field.required for field in table.schema().fields)
    assert table.properties["ingest.ingestion"] == "orders"
    assert table.properties["ingest.ledger-id"] == "ledger-1"
    assert table.properties["commit.retry.num-retries"] == "0"
    assert [str(field.transform) for field in table.spec().fields] == ["bucket[4]"]
    assert [field.source_id for field in table.sort_order().fields] == [2]


def test_nothing_is_in_the_catalog_before_the_commit(lake: Lake) -> None:
    lake.stage(lake.open(), columns(id=pa.int64(), name=pa.string()), {1: ORDERS})
    assert not lake.catalog.table_exists(IDENTIFIER)


def test_the_namespace_may_come_between_a_look_and_its_creation(new_catalog: NewCatalog) -> None:
    class ComesSecond(SqlCatalog):
        def namespace_exists(self, namespace: Any) -> bool:
            found = super().namespace_exists(namespace)
            if not found:
                new_catalog().create_namespace(namespace)
            return found

    lake = Lake(new_catalog(ComesSecond))
    lake.write({1: ORDERS})
    assert lake.column("id") == [1, 2]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (layout("region"), "table.partition_by names the column region"),
        (layout("day(name)"), r"day\(name\) does not go with a column of type string"),
        (layout(sort_by=["region"]), "table.sort_by names the column region"),
        (layout(sort_by=["nested"]), "nested is a .* and has no order"),
    ],
)
def test_a_layout_that_the_first_file_does_not_bear_is_refused(
    lake: Lake, wanted: Any, message: str
) -> None:
    target = lake.open(wanted)
    shape = columns(name=pa.string(), nested=pa.struct([("a", pa.int64())]))
    with pytest.raises(TableLayoutError, match=message):
        target.evolve(shape)
    assert target.columns is None


BEFORE = columns(
    plain=pa.int32(),
    small=pa.float32(),
    price=pa.decimal128(10, 2),
    inner=pa.struct([("a", pa.int32())]),
    items=pa.list_(pa.field("element", pa.struct([("a", pa.int64())]))),
    parts=pa.map_(pa.string(), pa.struct([("a", pa.float32())])),
)
AFTER = columns(
    plain=pa.int64(),
    small=pa.float64(),
    price=pa.decimal128(12, 2),
    inner=pa.struct([("a", pa.int64()), ("b", pa.struct([("c", pa.string())]))]),
    items=pa.list_(pa.field("element", pa.struct([("a", pa.int64()), ("b", pa.date32())]))),
    parts=pa.map_(pa.string(), pa.struct([("a", pa.float64()), ("b", pa.bool_())])),
    added=pa.string(),
)


def _rows(shape: Any, **values: Any) -> pa.Table:
    return pa.table({c.name: pa.array([values[c.name]], c.type) for c in shape})


OLD = {
    "plain": 1,
    "small": 0.5,
    "price": 7,
    "inner": {"a": 1},
    "items": [{"a": 1}],
    "parts": [("x", {"a": 1.5})],
}
NEW = {
    "plain": 2**40,
    "small": 0.1,
    "price": 8,
    "inner": {"a": 2**40, "b": {"c": "c"}},
    "items": [{"a": 2, "b": None}],
    "parts": [("x", {"a": 0.1, "b": True})],
    "added": "new",
}


def test_columns_are_added_and_promoted_at_every_depth_and_old_rows_stay(lake: Lake) -> None:
    lake.write({1: _rows(BEFORE, **OLD)}, shape=BEFORE)
    lake.write({2: _rows(AFTER, **NEW)}, shape=AFTER)
    assert {c.name: c.type for c in lake.open().columns or ()} == {c.name: c.type for c in AFTER}
    old, new = sorted(lake.table.scan().to_arrow().to_pylist(), key=lambda row: row["_file_id"])
    assert (new["plain"], new["added"], new["items"]) == (2**40, "new", NEW["items"])
    assert old["inner"] == {"a": 1, "b": None}
    assert old["items"] == [{"a": 1, "b": None}]
    assert old["parts"] == [("x", {"a": 1.5, "b": None})]
    assert (old["plain"], old["added"], old["small"]) == (1, None, 0.5)


def test_several_steps_in_one_batch_come_to_the_same_field_ids_at_the_commit(lake: Lake) -> None:
    lake.write({1: _rows(BEFORE, **OLD)}, shape=BEFORE)
    target = lake.open()
    for shape in ((*BEFORE, *columns(x=pa.int64())), AFTER, columns(y=pa.list_(pa.int32()))):
        assert target.evolve(shape)
    assert not target.evolve(AFTER)
    staged = target.metadata.schema()
    prepared = lake.stage(target, AFTER, {2: _rows(AFTER, **NEW)})
    # A commit of somebody else that does not touch the schema changes nothing about it.
    lake.table.transaction().set_properties(note="seen").commit_transaction()
    commit(prepared, lambda: True)
    assert lake.table.schema() == staged
    assert lake.table.scan().to_arrow()["added"].to_pylist().count("new") == 1


def test_a_new_table_can_grow_before_its_first_commit(lake: Lake) -> None:
    target = lake.open()
    first = lake.stage(target, BEFORE, {1: _rows(BEFORE, **OLD)})
    second = lake.stage(target, AFTER, {2: _rows(AFTER, **NEW)})
    both = Prepared("b", target, [*first.data_files, *second.data_files], "_file_id", [1, 2])
    commit(both, lambda: True)
    assert lake.column("_file_id") == [1, 2]
    assert lake.table.scan().to_arrow()["added"].to_pylist().count("new") == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (pa.int64(), pa.string()),
        (pa.int64(), pa.float64()),
        (pa.decimal128(10, 2), pa.decimal128(12, 3)),
        (pa.date32(), pa.timestamp("us")),
        (pa.string(), pa.struct([("a", pa.int64())])),
        (pa.struct([("a", pa.int64())]), pa.struct([("a", pa.string())])),
        (pa.list_(pa.int64()), pa.list_(pa.string())),
        (pa.map_(pa.string(), pa.int64()), pa.map_(pa.string(), pa.string())),
        (pa.map_(pa.int64(), pa.int64()), pa.map_(pa.string(), pa.int64())),
    ],
    ids=str,
)
def test_what_iceberg_cannot_promote_is_refused(
    lake: Lake, before: pa.DataType, after: pa.DataType
) -> None:
    target = lake.open()
    target.evolve(columns(value=before))
    kept = target.metadata.schema()
    with pytest.raises(UnsupportedTypeError, match=r"value.* cannot become"):
        target.evolve(columns(value=after, other=pa.int64()))
    assert target.metadata.schema() == kept


def test_a_wider_column_holds_the_narrower_values(lake: Lake) -> None:
    target = lake.open()
    target.evolve(AFTER)
    kept = target.metadata.schema()
    assert not target.evolve(BEFORE)
    assert target.metadata.schema() == kept


def test_a_column_that_differs_only_in_case_is_refused(lake: Lake) -> None:
    _adoptable(lake, Schema(NestedField(1, "OrderId", LongType())))
    with pytest.raises(ColumnNameError, match="orderid cannot be added beside OrderId"):
        lake.open().evolve(columns(orderid=pa.int64()))


def test_a_schema_changed_by_another_writer_is_a_conflict_at_once(lake: Lake) -> None:
    lake.write({1: ORDERS})
    prepared = lake.stage(lake.open(), columns(id=pa.int64(), name=pa.string()), {2: ORDERS})
    with lake.table.update_schema() as update:
        update.add_column("theirs", StringType())
    before = lake.table.metadata_location
    with pytest.raises(CommitConflictError, match="changed by another writer"):
        commit(prepared, lambda: True)
    assert lake.table.metadata_location == before


def test_a_partition_spec_changed_by_another_writer_is_a_conflict(lake: Lake) -> None:
    lake.write({1: ORDERS})
    prepared = lake.stage(lake.open(), columns(id=pa.int64(), name=pa.string()), {2: ORDERS})
    with lake.table.update_spec() as update:
        update.add_field("id", BucketTransform(4), "id_bucket")
    with pytest.raises(CommitConflictError, match="partition spec"):
        commit(prepared, lambda: True)
    assert lake.column("_file_id") == [1, 1]
    lake.write({2: ORDERS})
    assert lake.column("_file_id") == [1, 1, 2, 2]


def test_a_table_made_or_dropped_meanwhile_is_a_conflict(lake: Lake) -> None:
    shape = columns(id=pa.int64(), name=pa.string())
    before_creation = lake.stage(lake.open(), shape, {1: ORDERS})
    lake.write({2: ORDERS})
    with pytest.raises(CommitConflictError, match="was created"):
        commit(before_creation, lambda: True)
    assert lake.column("_file_id") == [2, 2]
    before_drop = lake.stage(lake.open(), shape, {3: ORDERS})
    lake.catalog.drop_table(IDENTIFIER)
    with pytest.raises(CommitConflictError, match="was dropped"):
        commit(before_drop, lambda: True)
    assert not lake.catalog.table_exists(IDENTIFIER)


def test_an_adopted_table_keeps_its_rows_and_gets_the_lineage_columns(lake: Lake) -> None:
    table = _adoptable(lake, ORDERS.schema)
    table.append(ORDERS)
    lake.write({1: ORDERS})
    assert lake.column("id") == [1, 1, 2, 2]
    ids = lake.table.scan().to_arrow()["_file_id"].to_pylist()
    assert sorted(ids, key=str) == [1, 1, None, None]
    assert lake.table.properties["ingest.ingestion"] == "orders"
    assert lake.table.properties["commit.retry.num-retries"] == "0"
    lake.write({1: ORDERS.slice(0, 1)})
    assert lake.column("id") == [1, 1, 2]


def test_required_and_identifier_columns_of_an_adopted_table_become_optional(lake: Lake) -> None:
    schema = Schema(
        NestedField(1, "id", LongType(), required=True),
        NestedField(
            2,
            "inner",
            StructType(NestedField(3, "a", LongType(), required=True)),
            required=True,
        ),
        NestedField(4, "items", ListType(5, StringType(), element_required=True), required=True),
        NestedField(6, "uuid", UUIDType()),
        identifier_field_ids=[1],
    )
    table = _adoptable(lake, schema)
    arrow = table.schema().as_arrow()
    table.append(
        pa.table(
            {"id": [1], "inner": [{"a": 1}], "items": [["x"]], "uuid": [b"0123456789abcdef"]},
            schema=arrow,
        )
    )
    rows = pa.table(
        {
            "id": pa.array([2, None], pa.int64()),
            "inner": pa.array([{"a": None}, None], pa.struct([("a", pa.int64())])),
            "items": pa.array([[None], None], pa.list_(pa.string())),
            "uuid": pa.array([b"fedcba9876543210", None], pa.binary(16)),
        }
    )
    lake.write({1: rows})
    assert lake.table.schema().identifier_field_ids == []
    found = lake.table.scan().to_arrow().to_pylist()
    assert sorted((row["id"] or 0, str(row["inner"]), str(row["items"])) for row in found) == [
        (0, "None", "None"),
        (1, "{'a': 1}", "['x']"),
        (2, "{'a': None}", "[None]"),
    ]
    lake.write({1: rows.slice(0, 1)})  # rewrites what is there
    assert lake.table.scan().to_arrow().num_rows == 2


@pytest.mark.parametrize(
    ("other", "word"),
    [(Owner("customers", "ledger-1"), "declaration"), (Owner("orders", "ledger-2"), "deployment")],
)
def test_a_table_of_somebody_else_is_refused(lake: Lake, other: Owner, word: str) -> None:
    lake.write({1: ORDERS})
    with pytest.raises(TableOwnershipError, match=f"belongs to another {word}"):
        open_target(lake.catalog, IDENTIFIER, layout(), other, must_exist=False)


def test_of_two_that_adopt_one_table_the_second_is_refused_at_its_commit(lake: Lake) -> None:
    _adoptable(lake, ORDERS.schema).append(ORDERS)
    theirs = Lake(lake.catalog, owner=Owner("customers", "ledger-1"))
    shape = columns(id=pa.int64(), name=pa.string())
    prepared = theirs.stage(theirs.open(), shape, {7: ORDERS})
    lake.write({1: ORDERS})
    with pytest.raises(TableOwnershipError, match="'orders'"):
        commit(prepared, lambda: True)
    assert lake.table.properties["ingest.ingestion"] == "orders"
    assert lake.column("id") == [1, 1, 2, 2]


def test_a_dropped_table_is_missing_when_it_must_exist(lake: Lake) -> None:
    lake.write({1: ORDERS})
    lake.catalog.drop_table(IDENTIFIER)
    with pytest.raises(TableMissingError, match=r"raw\.orders is not in the catalog any more"):
        open_target(lake.catalog, IDENTIFIER, layout(), lake.owner, must_exist=True)


def test_a_partitioning_other_than_the_tables_is_refused(lake: Lake) -> None:
    lake.write({1: ORDERS}, layout("bucket(4, id)"))
    assert lake.open(layout("bucket(4, id)")).base is not None
    assert lake.open(layout()).base is not None
    for other in (layout("bucket(8, id)"), layout("name"), layout("bucket(4, id)", "name")):
        with pytest.raises(TableOwnershipError, match="partitioned by"):
            lake.open(other)


def test_properties_declared_later_are_set_with_the_next_commit(lake: Lake) -> None:
    lake.write({1: ORDERS})
    lake.write({2: ORDERS}, layout(properties={"write.parquet.compression-codec": "gzip"}))
    assert lake.table.properties["write.parquet.compression-codec"] == "gzip"
    assert lake.table.properties["ingest.ingestion"] == "orders"


def test_a_declaration_cannot_turn_the_clients_retries_on(lake: Lake) -> None:
    lake.write({1: ORDERS}, layout(properties={"commit.retry.num-retries": "4"}))
    assert lake.table.properties["commit.retry.num-retries"] == "0"


def test_a_table_in_the_s3_server_is_made_and_grows(s3_lake: Lake) -> None:
    s3_lake.write({1: ORDERS}, layout("name"))
    grown = ORDERS.append_column("at", pa.array([NOW, NOW], pa.timestamp("us", tz="UTC")))
    s3_lake.write({1: grown, 2: ORDERS}, layout("name"))
    assert s3_lake.column("_file_id") == [1, 1, 2, 2]
    assert s3_lake.addresses()[0].startswith("s3://")


def test_a_timestamp_without_a_zone_does_not_get_one(lake: Lake) -> None:
    _adoptable(lake, Schema(NestedField(1, "at", TimestampType())))
    with pytest.raises(UnsupportedTypeError, match=r"at is timestamp\[us\]"):
        lake.open().evolve(columns(at=pa.timestamp("us", tz="UTC")))
