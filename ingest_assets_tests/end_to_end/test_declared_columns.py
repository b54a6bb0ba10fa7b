"""Declared columns: the first version, what becomes of files, and what a changed one does."""

from typing import Any

import dagster as dg
import pytest
from pyiceberg.schema import Schema

from ingest_assets.engine.decision_plan import plan_resolution
from ingest_assets.engine.decision_text import plan_lines
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.schema.resolution import Resolution
from ingest_assets_tests.end_to_end.sample_orders import csv_file, json_lines, orders, parquet_file
from ingest_assets_tests.end_to_end.workshop import Workshop

ID = {"name": "order_id", "type": "long", "required": True, "description": "The shop's number."}
AMOUNT = {"name": "amount", "type": "decimal(10,2)", "required": True}
NOTE = {"name": "note", "type": "string", "description": "What the customer wrote."}
AT = {"name": "ordered_at", "type": "timestamptz"}
CUSTOMER = {"name": "customer", "type": "string"}
ALL = [ID, AMOUNT, NOTE, AT, CUSTOMER]


def ingest(workshop: Workshop, columns: list[dict[str, Any]] | None, **rules: Any) -> Any:
    return workshop.ingest(schema={"columns": columns, **rules})


def versions(workshop: Workshop) -> list[tuple[int, str, str]]:
    with workshop.deployment.ledger.transaction() as connection:
        found = connection.exec_driver_sql(
            "SELECT version, status, verdict FROM ingest.schema_versions ORDER BY version"
        )
        return [tuple(row) for row in found]


def table_schema(workshop: Workshop) -> Schema:
    return workshop.deployment.catalog.load_table("raw.orders").schema()


def types(workshop: Workshop) -> dict[str, str]:
    fields = table_schema(workshop).fields
    return {f.name: str(f.field_type) for f in fields if not f.name.startswith("_")}


def docs(workshop: Workshop) -> dict[str, str | None]:
    return {f.name: f.doc for f in table_schema(workshop).fields if not f.name.startswith("_")}


DECLARED_TYPES = {
    "order_id": "long",
    "amount": "decimal(10, 2)",
    "note": "string",
    "ordered_at": "timestamptz",
    "customer": "string",
}


@pytest.mark.parametrize(
    ("kind", "write"), [("json", json_lines), ("csv", csv_file), ("parquet", parquet_file)]
)
def test_the_declaration_is_the_first_version_of_the_table(
    workshop: Workshop, kind: str, write: Any
) -> None:
    workshop.put("a", write(orders(1)))
    workshop.put("b", write(orders(4, coupon="X")))
    result = workshop.ingest(format={"type": kind}, schema={"columns": ALL})
    assert result.counts == {"SUCCESS": 2}
    assert types(workshop) == {**DECLARED_TYPES, "coupon": "string"}
    assert [str(row["amount"]) for row in workshop.rows()][:2] == ["1.50", "2.50"]
    assert [row["note"] for row in workshop.rows()] == [None] * 6
    assert versions(workshop) == [(1, "DEPRECATED", "INITIAL"), (2, "ACTIVE", "NON_BREAKING")]
    assert docs(workshop)["order_id"] == "The shop's number."
    assert docs(workshop)["note"] == "What the customer wrote."
    with workshop.deployment.ledger.transaction() as connection:
        first = connection.exec_driver_sql(
            "SELECT batch_id, file_id, diff->'changes' AS changes FROM ingest.schema_versions "
            "WHERE version = 1"
        ).one()
    assert (first.batch_id, first.file_id) == (None, None)
    assert [change["kind"] for change in first.changes] == ["added"] * 5


@pytest.mark.parametrize(
    ("kind", "write"), [("json", json_lines), ("csv", csv_file), ("parquet", parquet_file)]
)
def test_names_that_files_spell_otherwise_fill_the_declared_columns(
    workshop: Workshop, kind: str, write: Any
) -> None:
    for key, first_id in (("a", 1), ("b", 4)):
        rows = orders(first_id)
        spelled = [{"OrderID": r["order_id"], "Customer": r["customer"]} for r in rows]
        workshop.put(key, write(spelled))
    rules = {"columns": [ID, CUSTOMER], "on_new_column": "review"}
    result = workshop.ingest(format={"type": kind}, schema=rules)
    assert result.counts == {"SUCCESS": 2}
    assert workshop.order_ids() == [1, 2, 3, 4, 5, 6]
    assert [row["_rescued_data"] for row in workshop.rows()] == [None] * 6


def test_a_first_file_that_breaks_the_declaration_is_parked_and_the_next_is_not(
    workshop: Workshop,
) -> None:
    rows = [{k: v for k, v in row.items() if k != "amount"} for row in orders(1)]
    workshop.put("a", json_lines(rows))
    workshop.put("b", b"")
    assert ingest(workshop, ALL).counts == {"PARKED": 1, "SUCCESS": 1}
    assert "column `amount`: required" in (workshop.files()["a"].error or "")
    assert workshop.rows() == []
    assert versions(workshop) == [(1, "ACTIVE", "INITIAL"), (2, "PENDING", "BREAKING")]
    workshop.put("c", json_lines(orders(4)))
    assert ingest(workshop, ALL).counts == {"SUCCESS": 1}
    assert workshop.order_ids() == [4, 5, 6]
    assert workshop.files()["c"].schema_version == 1
    assert types(workshop) == DECLARED_TYPES


@pytest.mark.parametrize(
    ("rule", "outcome", "in_table"),
    [
        ("merge", "SUCCESS", True),
        ("review", "PARKED", False),
        ("rescue", "SUCCESS", False),
        ("ignore", "SUCCESS", False),
    ],
)
def test_what_is_not_declared_follows_the_rule_for_new_columns(
    workshop: Workshop, rule: str, outcome: str, in_table: bool
) -> None:
    workshop.put("a", json_lines(orders(1)))
    ingest(workshop, [ID, AMOUNT, AT], on_new_column=rule)
    assert workshop.statuses() == {"a": outcome}
    if outcome == "SUCCESS":
        assert ("customer" in types(workshop)) is in_table
        assert ("customer" in str(workshop.rows()[0]["_rescued_data"])) is (rule == "rescue")


def test_an_added_column_is_there_at_the_next_pass_without_any_file(workshop: Workshop) -> None:
    workshop.put("a", json_lines(orders(1)))
    ingest(workshop, [ID])
    before = workshop.deployment.catalog.load_table("raw.orders").current_snapshot()
    assert ingest(workshop, [ID, NOTE]).refused is None
    assert types(workshop)["note"] == "string"
    assert docs(workshop)["note"] == "What the customer wrote."
    assert versions(workshop)[-1] == (3, "ACTIVE", "NON_BREAKING")
    assert workshop.deployment.catalog.load_table("raw.orders").current_snapshot() == before
    count = len(versions(workshop))
    workshop.put("b", json_lines(orders(4, note="hi")))
    assert ingest(workshop, [ID, NOTE]).counts == {"SUCCESS": 1}
    assert len(versions(workshop)) == count
    assert [row["note"] for row in workshop.rows()][3:] == ["hi"] * 3


def test_a_wider_type_is_applied_and_what_files_brought_since_is_not_undone(
    workshop: Workshop,
) -> None:
    n = {"name": "n", "type": "int"}
    workshop.put("a", json_lines(orders(1, n=1)))
    ingest(workshop, [ID, n])
    assert types(workshop)["n"] == "int"
    assert ingest(workshop, [ID, {**n, "type": "long"}]).refused is None
    assert types(workshop)["n"] == "long"
    m = {"name": "m", "type": "int"}
    ingest(workshop, [ID, {**n, "type": "long"}, m])
    workshop.put("b", json_lines(orders(4, n=1, m=2**40)))
    assert ingest(workshop, [ID, {**n, "type": "long"}, m]).counts == {"SUCCESS": 1}
    assert types(workshop)["m"] == "long"
    assert ingest(workshop, [ID, {**n, "type": "long"}, m, NOTE]).refused is None
    assert types(workshop)["m"] == "long"


def test_required_and_optional_change_what_files_must_have(workshop: Workshop) -> None:
    workshop.put("a", json_lines(orders(1)))
    ingest(workshop, [ID, CUSTOMER], on_new_column="ignore")
    no_customer = [{k: v for k, v in row.items() if k != "customer"} for row in orders(4)]
    workshop.put("b", json_lines(no_customer))
    required = {**CUSTOMER, "required": True}
    result = ingest(workshop, [ID, required], on_new_column="ignore")
    assert (result.counts, result.refused) == ({"PARKED": 1}, None)
    workshop.put("c", json_lines(no_customer))
    assert ingest(workshop, [ID, CUSTOMER], on_new_column="ignore").counts == {"SUCCESS": 1}
    assert [status for _, status, _ in versions(workshop)].count("ACTIVE") == 1
    assert workshop.statuses()["b"] == "PARKED"
    rules = {"columns": [ID, CUSTOMER], "on_new_column": "ignore"}
    assert workshop.materialize("b", schema=rules).success
    assert workshop.statuses()["b"] == "SUCCESS"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            [{**ID, "type": "int"}],
            "column `order_id`: was long, the declaration has int (narrower)",
        ),
        ([{**ID, "type": "string"}], "column `order_id`: was long, the declaration has string"),
        ([CUSTOMER], "column `order_id`: required, long, the declaration does not have it"),
        (None, "column `order_id`: required, long, the declaration does not have it"),
    ],
)
def test_what_breaks_waits_and_the_ingestion_goes_on(
    workshop: Workshop, change: list[dict[str, Any]] | None, why: str
) -> None:
    workshop.put("a", json_lines(orders(1)))
    ingest(workshop, [ID])
    before = types(workshop)
    added = [*change, NOTE] if change else change
    workshop.put("b", json_lines(orders(4)))
    for counts in ({"SUCCESS": 1}, {}):  # it is said at each pass
        result = ingest(workshop, added)
        assert why in (result.refused or "")
        assert "version 3 waits for a decision" in (result.refused or "")
        assert result.counts == counts
    assert types(workshop) == before
    assert versions(workshop) == [
        (1, "DEPRECATED", "INITIAL"),
        (2, "ACTIVE", "NON_BREAKING"),
        (3, "PENDING", "BREAKING"),
    ]
    assert ingest(workshop, [ID]).refused is None
    assert versions(workshop)[2][1] == "REJECTED"
    assert ingest(workshop, [ID, NOTE]).refused is None
    assert versions(workshop)[3:] == [(4, "ACTIVE", "NON_BREAKING")]


def test_an_accepted_change_of_the_declaration_requires_what_the_declaration_requires(
    workshop: Workshop,
) -> None:
    workshop.put("a", json_lines(orders(1)))
    ingest(workshop, [ID, AMOUNT])
    changed = [ID, {**AMOUNT, "type": "string", "required": False}]
    assert ingest(workshop, changed).refused is not None
    plan = plan_resolution(workshop.deployment, workshop.ingestion(), 3, Resolution.ACCEPT)
    said = "\n".join(plan_lines(plan))
    assert "Files may lack from now on: amount\n" in said
    assert "No file waits for it: the declaration brought it.\n" in said
    required = {column.name for column in plan.after if column.is_required}
    assert required == {"order_id"}


def test_a_description_is_changed_in_the_table_and_the_ui_and_makes_no_version(
    workshop: Workshop,
) -> None:
    workshop.put("a", json_lines(orders(1)))
    ingest(workshop, [ID])
    count = len(versions(workshop))
    workshop.put("b", json_lines(orders(4)))
    ingest(workshop, [{**ID, "description": "Unique."}])
    assert docs(workshop)["order_id"] == "Unique."
    assert len(versions(workshop)) == count
    assert listed(workshop)["order_id"] == ("long", "Unique.", True)
    assert listed(workshop)["customer"] == ("string", None, False)
    ingest(workshop, [{**ID, "description": None}])
    assert not docs(workshop)["order_id"]


def listed(workshop: Workshop) -> dict[str, tuple[str, str | None, bool]]:
    """The UI's column list: type, description and whether it is required."""
    event = workshop.instance.get_latest_materialization_event(dg.AssetKey(["raw", "orders"]))
    assert event is not None
    assert event.asset_materialization is not None
    shown = event.asset_materialization.metadata["dagster/column_schema"].value
    assert isinstance(shown, dg.TableSchema)
    return {c.name: (c.type, c.description, "required" in c.tags) for c in shown.columns}


def test_the_asset_lists_declared_columns_before_anything_is_materialized(
    workshop: Workshop,
) -> None:
    asset = build_asset(workshop.ingestion(schema={"columns": ALL}))
    shown = asset.metadata_by_key[asset.key]["dagster/column_schema"]
    assert [(c.name, c.type, "required" in c.tags) for c in shown.columns][:2] == [
        ("order_id", "long", True),
        ("amount", "decimal(10,2)", True),
    ]
    assert shown.columns[0].description == "The shop's number."
    asset = build_asset(workshop.ingestion())
    assert "dagster/column_schema" not in asset.metadata_by_key[asset.key]


def test_a_run_by_hand_applies_the_declaration_too(workshop: Workshop) -> None:
    workshop.put("a", json_lines(orders(1)))
    workshop.ingest()
    assert workshop.materialize("a", schema={"columns": [ID, NOTE]}).success
    assert types(workshop)["note"] == "string"
    assert workshop.order_ids() == [1, 2, 3]


def test_a_first_declaration_on_inferred_columns_is_compared_with_them(workshop: Workshop) -> None:
    workshop.put("a", json_lines(orders(1)))
    workshop.ingest()
    result = ingest(workshop, [ID, AMOUNT])
    assert "column `amount`: was double, the declaration has decimal(10,2)" in (
        result.refused or ""
    )
    assert ingest(workshop, [{**ID, "type": "long"}]).refused is None
    assert docs(workshop)["order_id"] == "The shop's number."


def test_a_dropped_table_stops_the_pass_with_declared_columns_too(workshop: Workshop) -> None:
    workshop.put("a", json_lines(orders(1)))
    ingest(workshop, ALL)
    workshop.deployment.catalog.drop_table("raw.orders")
    assert workshop.materialize("a", schema={"columns": ALL}).success
    assert types(workshop) == DECLARED_TYPES
    assert docs(workshop)["note"] == "What the customer wrote."
