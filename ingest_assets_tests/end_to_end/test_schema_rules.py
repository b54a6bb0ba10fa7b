"""Each rule for files that differ, for each format and both ways of reading."""

import json
from typing import Any

import dagster as dg
import pytest

from ingest_assets_tests.end_to_end.sample_orders import (
    Row,
    csv_file,
    json_lines,
    orders,
    parquet_file,
)
from ingest_assets_tests.end_to_end.workshop import Workshop

FILE_OF = {"json": json_lines, "csv": csv_file, "parquet": parquet_file}
formats = pytest.mark.parametrize("kind", list(FILE_OF))


def put(workshop: Workshop, kind: str, **files: list[Row]) -> None:
    for key, rows in files.items():
        workshop.put(key, FILE_OF[kind](rows))


def ingest(workshop: Workshop, kind: str, **rules: Any) -> dict[str, int]:
    return workshop.ingest(format={"type": kind}, schema=rules).counts


def lacking(name: str, first_id: int) -> list[Row]:
    return [{k: v for k, v in row.items() if k != name} for row in orders(first_id)]


def rescued(workshop: Workshop, key: str) -> list[Any]:
    return [
        None if row["_rescued_data"] is None else json.loads(row["_rescued_data"])
        for row in workshop.rows()
        if row["_source_file"].endswith(f"/{key}")
    ]


def columns(workshop: Workshop) -> list[str]:
    names = workshop.deployment.catalog.load_table("raw.orders").schema().column_names
    return [name for name in names if not name.startswith("_")]


def metadata(workshop: Workshop, key: str) -> dict[str, Any]:
    event = workshop.instance.get_latest_data_version_record(
        dg.AssetKey(["raw", "orders"]), partition_key=key
    )
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


BASE = ["order_id", "customer", "amount", "ordered_at"]


@formats
def test_a_new_column_is_rescued(workshop: Workshop, kind: str) -> None:
    put(workshop, kind, a=orders(1), b=orders(4, coupon="X"), c=orders(7))
    assert ingest(workshop, kind, on_new_column="rescue") == {"SUCCESS": 3}
    assert columns(workshop) == BASE
    assert rescued(workshop, "b") == [{"coupon": "X"}] * 3
    assert rescued(workshop, "c") == [None] * 3
    assert workshop.files()["b"].rescued == 3
    assert workshop.order_ids() == list(range(1, 10))


@formats
def test_a_new_column_is_ignored_and_the_file_says_so(workshop: Workshop, kind: str) -> None:
    put(workshop, kind, a=orders(1), b=orders(4, coupon="X", **{"Gift Wrap": "Y"}), c=orders(7))
    assert ingest(workshop, kind, on_new_column="ignore") == {"SUCCESS": 3}
    assert columns(workshop) == BASE
    assert rescued(workshop, "b") == [None] * 3
    assert metadata(workshop, "b")["ignored_columns"] == ["coupon", "gift_wrap"]
    assert "ignored_columns" not in metadata(workshop, "c")
    assert workshop.order_ids() == list(range(1, 10))


@formats
def test_a_new_column_waits_for_review_and_the_others_go_on(workshop: Workshop, kind: str) -> None:
    put(workshop, kind, a=orders(1), b=orders(4, coupon="X"), c=orders(7))
    assert ingest(workshop, kind, on_new_column="review") == {"PARKED": 1, "SUCCESS": 2}
    assert "column `coupon`: new, string" in (workshop.files()["b"].error or "")
    assert workshop.order_ids() == [1, 2, 3, 7, 8, 9]


@pytest.mark.parametrize("kind", ["json", "parquet"])
@pytest.mark.parametrize(
    ("rule", "outcome", "left", "fields"),
    [
        ("merge", "SUCCESS", None, ["x", "y"]),
        ("rescue", "SUCCESS", {"at": {"y": "Z"}}, ["x"]),
        ("ignore", "SUCCESS", {"at": {"y": "Z"}}, ["x"]),
        ("review", "PARKED", None, ["x"]),
    ],
)
def test_a_new_nested_field(
    workshop: Workshop, kind: str, rule: str, outcome: str, left: Any, fields: list[str]
) -> None:
    put(workshop, kind, a=orders(1, at={"x": 1}), b=orders(4, at={"x": 2, "y": "Z"}))
    ingest(workshop, kind, on_new_column=rule)
    assert workshop.statuses() == {"a": "SUCCESS", "b": outcome}
    assert rescued(workshop, "b") == ([] if outcome == "PARKED" else [left] * 3)
    table = workshop.deployment.catalog.load_table("raw.orders")
    assert [f.name for f in table.schema().find_field("at").field_type.fields] == fields


@formats
def test_a_missing_required_column_waits_for_review_or_is_null(
    workshop: Workshop, kind: str
) -> None:
    put(workshop, kind, a=orders(1), b=lacking("customer", 4), c=orders(7))
    assert ingest(workshop, kind) == {"PARKED": 1, "SUCCESS": 2}
    assert workshop.order_ids() == [1, 2, 3, 7, 8, 9]
    put(workshop, kind, d=lacking("customer", 10))
    assert ingest(workshop, kind, on_missing_column="allow") == {"SUCCESS": 1}
    assert [r["customer"] for r in workshop.rows() if r["order_id"] >= 10] == [None] * 3
    assert rescued(workshop, "d") == [None] * 3


@formats
def test_a_column_of_another_type_waits_for_review_or_is_rescued(
    workshop: Workshop, kind: str
) -> None:
    put(workshop, kind, a=orders(1), b=orders(4, amount="much"), c=orders(7))
    assert ingest(workshop, kind) == {"PARKED": 1, "SUCCESS": 2}
    put(workshop, kind, d=orders(10, amount="much"))
    assert ingest(workshop, kind, on_type_change="rescue") == {"SUCCESS": 1}
    assert rescued(workshop, "d") == [{"amount": "much"}] * 3
    assert [r["amount"] for r in workshop.rows() if r["order_id"] >= 10] == [None] * 3


@formats
def test_an_optional_column_may_be_missing_from_the_first_version_on(
    workshop: Workshop, kind: str
) -> None:
    put(workshop, kind, a=orders(1), b=lacking("customer", 4))
    assert ingest(workshop, kind, optional_columns=["customer", "later"]) == {"SUCCESS": 2}
    assert [row.schema_version for row in workshop.files().values()] == [1, 1]
    assert workshop.order_ids() == [1, 2, 3, 4, 5, 6]


@formats
def test_a_column_that_becomes_optional_is_a_version(workshop: Workshop, kind: str) -> None:
    put(workshop, kind, a=orders(1), b=lacking("customer", 4))
    ingest(workshop, kind)
    assert workshop.statuses() == {"a": "SUCCESS", "b": "PARKED"}
    put(workshop, kind, c=lacking("customer", 7))
    assert ingest(workshop, kind, optional_columns=["customer"]) == {"SUCCESS": 1}
    assert workshop.files()["c"].schema_version == 3
    assert workshop.order_ids() == [1, 2, 3, 7, 8, 9]


@formats
def test_all_that_differs_at_once_is_kept_where_the_rules_say_so(
    workshop: Workshop, kind: str
) -> None:
    odd = [{**row, "amount": "much", "coupon": "X"} for row in lacking("customer", 4)]
    put(workshop, kind, a=orders(1), b=odd)
    rules = {"on_new_column": "merge", "on_missing_column": "allow", "on_type_change": "rescue"}
    assert ingest(workshop, kind, **rules) == {"SUCCESS": 2}
    assert columns(workshop) == [*BASE, "coupon"]
    assert rescued(workshop, "b") == [{"amount": "much"}] * 3
    with workshop.deployment.ledger.transaction() as connection:
        found = connection.exec_driver_sql(
            "SELECT verdict, diff->'changes' FROM ingest.schema_versions ORDER BY version"
        ).all()
    assert [row.verdict for row in found] == ["INITIAL", "NON_BREAKING"]
    assert [change["path"] for change in found[1][1]] == ["coupon"]
