"""Merge and overwrite through whole passes: what stands in the table, and what is said of files."""

from typing import Any

import pytest
from pyiceberg.expressions import EqualTo

from ingest_assets.decision_errors import DecisionRefusedError
from ingest_assets.engine.column_changes import plan_drop_column
from ingest_assets.orchestration.reconciling import reconcile_all
from ingest_assets_tests.chaos import work
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines
from ingest_assets_tests.end_to_end.test_slices import InThisProcess
from ingest_assets_tests.end_to_end.workshop import Workshop

FEED = {
    "write_mode": "merge",
    "primary_key": ["id"],
    "order_by": "version",
    "delete_when": {"column": "op", "equals": ["D"]},
}


def _change(id_: int | None, version: int, op: str = "U", **more: Any) -> dict[str, Any]:
    return {"id": id_, "version": version, "op": op, "word": f"{id_} at {version}", **more}


def _table(workshop: Workshop) -> dict[Any, Any]:
    rows = workshop.rows()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row["version"] for row in rows}


def test_a_feed_of_changes_is_one_row_a_key_whatever_order_its_files_come_in(
    workshop: Workshop,
) -> None:
    def ingest() -> None:
        assert workshop.ingest(table=FEED).is_all_well

    workshop.put("1", json_lines([_change(1, 1), _change(2, 1), _change(2, 3), _change(2, 2)]))
    ingest()
    assert _table(workshop) == {1: 1, 2: 3}
    workshop.put("2", json_lines([_change(1, 5), _change(2, 9, "D"), _change(3, 4, "D")]))
    ingest()
    assert _table(workshop) == {1: 5}
    workshop.put("3", json_lines([_change(1, 4), _change(2, 8), _change(3, 3), _change(4, 1)]))
    ingest()
    assert _table(workshop) == {1: 5, 4: 1}, "an older row, or of a deleted key, never wins"
    workshop.put("1", json_lines([_change(3, 5)]))
    ingest()
    assert _table(workshop) == {1: 5, 3: 5, 4: 1}
    workshop.materialize("1", "3", table=FEED)
    assert _table(workshop) == {1: 5, 3: 5, 4: 1}
    with pytest.raises(DecisionRefusedError, match="Rows of orders are merged by id"):
        plan_drop_column(workshop.deployment, workshop.ingestion(table=FEED), "id")


def test_files_that_cannot_be_merged_say_why_and_the_others_are(product: Product) -> None:
    product.declare(table={"write_mode": "merge"})
    refused = product("run", "orders")
    assert refused.returncode == 2
    assert "table: write_mode: merge needs primary_key" in refused.stderr
    product.declare(table=FEED, schema={"optional_columns": ["op"]})
    good = [_change(number, 1) for number in range(1, 21)]
    product.put("1-good", json_lines(good))
    product.put(
        "2-few-nulls", json_lines([*(_change(n, 2) for n in range(1, 13)), _change(None, 2)])
    )
    product.put("3-all-nulls", json_lines([_change(None, 3), _change(None, 4)]))
    product.put("4-no-key", json_lines([{"version": 3, "word": "x"}]))
    product.put("5-no-order", json_lines([{"id": 1, "word": "x"}]))
    product.put("6-no-flag", json_lines([{"id": 1, "version": 9, "word": "last"}]))
    product.put("7-fraction", json_lines([{"id": 1.5, "version": 9, "word": "last"}]))
    done = product("run", "orders")
    assert done.returncode == 3, done.stderr
    files = {file["key"]: file for file in product.json("files", "orders")}
    assert {key: file["status"] for key, file in files.items()} == {
        "1-good": "SUCCESS",
        "2-few-nulls": "SUCCESS",
        "3-all-nulls": "DEAD_LETTER",
        "4-no-key": "DEAD_LETTER",
        "5-no-order": "DEAD_LETTER",
        "6-no-flag": "SUCCESS",
        "7-fraction": "DEAD_LETTER",
    }
    assert (files["2-few-nulls"]["rows"], files["2-few-nulls"]["rejected"]) == (12, 1)
    assert "2 of the 2 rows" in files["3-all-nulls"]["error"]
    assert "line 1: null in the primary key: id" in files["3-all-nulls"]["error"]
    assert "4-no-key has no column id, which table.primary_key names" in files["4-no-key"]["error"]
    assert "has no column version, which table.order_by names" in files["5-no-order"]["error"]
    assert (
        "id of 7-fraction, which table.primary_key names, is a double; a"
        in files["7-fraction"]["error"]
    )
    assert product.table_rows("raw.orders") == 20


def test_a_key_that_the_schema_keeps_out_fails_the_file_by_name(workshop: Workshop) -> None:
    columns = [{"name": "word", "type": "string"}]
    workshop.put("1", json_lines([{"word": "x"}]))
    workshop.ingest(schema={"columns": columns})
    workshop.put("2", json_lines([_change(1, 1)]))
    workshop.ingest(table=FEED, schema={"on_new_column": "ignore"})
    file = workshop.files()["2"]
    assert (file.status, file.error_type) == ("DEAD_LETTER", "MergeColumnError")
    assert "has no column id, which table.primary_key names, and by schema" in (file.error or "")


def _said(workshop: Workshop, table: dict[str, Any]) -> list[tuple[str, str | None]]:
    """What reconciliation finds, with the files that it is about; the bucket agrees, too."""
    ingestion = workshop.ingestion(table=table)
    found = reconcile_all(workshop.deployment, ingestion, workshop.instance, with_bucket=True)
    return sorted((one.kind.value, one.key) for one in found.disagreements)


@pytest.mark.parametrize("table", [FEED, {"write_mode": "overwrite"}], ids=["merge", "overwrite"])
def test_rows_that_were_overtaken_are_no_loss_and_a_rollback_brings_their_files_back(
    workshop: Workshop, table: dict[str, Any]
) -> None:
    def ingest() -> None:
        assert workshop.ingest(table=table).is_all_well

    workshop.put("1", json_lines([_change(1, 1), _change(2, 1)]))
    ingest()
    first = workshop.deployment.catalog.load_table("raw.orders").current_snapshot()
    assert first is not None
    workshop.put("2", json_lines([_change(1, 2), _change(2, 2), _change(3, 2)]))
    workshop.put("3", json_lines([_change(3, 3)]))
    ingest()
    workshop.put("3", json_lines([_change(1, 4)]))
    ingest()
    expected = {1: 4, 2: 2, 3: 3} if table == FEED else {1: 4}
    assert _table(workshop) == expected
    assert _said(workshop, table) == [], "overtaken rows, and an earlier content's, are as they are"

    catalog = workshop.deployment.catalog
    catalog.load_table("raw.orders").manage_snapshots().rollback_to_snapshot(
        first.snapshot_id
    ).commit()
    assert {kind for kind, _ in _said(workshop, table)} == {"rolled_back"}
    ingest()
    # Of the two contents of `3` the newest alone can be read again.
    assert _table(workshop) == ({1: 4, 2: 2, 3: 2} if table == FEED else {1: 4})
    assert _said(workshop, table) == []

    rows = catalog.load_table("raw.orders").scan().to_arrow()
    catalog.load_table("raw.orders").append(rows.slice(0, 1))
    [(kind, key)] = _said(workshop, table)
    assert kind == "rows_doubled"
    workshop.materialize(str(key), str(key), table=table)
    assert _said(workshop, table) == []
    catalog.drop_table("raw.orders")
    assert [kind for kind, _ in _said(workshop, table)] == ["table_missing"]


def test_a_cluster_merges_as_this_process_does(workshop: Workshop) -> None:
    for number in range(8):
        workshop.put(f"{number}", json_lines([_change(i, 10 * i - number) for i in range(4)]))
    work.engine_pass(workshop.deployment, workshop.ingestion(table=FEED), InThisProcess())
    assert _table(workshop) == {i: 10 * i for i in range(4)}
    workshop.put(
        "9", json_lines([_change(0, 5, "D"), _change(1, 5), _change(2, 50), _change(9, 1)])
    )
    work.engine_pass(workshop.deployment, workshop.ingestion(table=FEED), InThisProcess())
    assert _table(workshop) == {1: 10, 2: 50, 3: 30, 9: 1}


def test_the_mode_may_change_in_place(workshop: Workshop) -> None:
    key = {"write_mode": "merge", "primary_key": ["id"]}
    workshop.put("1", json_lines([_change(1, 1), _change(1, 2), _change(2, 3)]))
    assert workshop.ingest().is_all_well
    workshop.put("2", json_lines([_change(1, 4)]))
    assert workshop.ingest(table=key).is_all_well
    assert _table(workshop) == {1: 4, 2: 3}
    workshop.put("1", json_lines([_change(2, 5), _change(2, 6)]))
    assert workshop.ingest().is_all_well, "and back: a changed file replaces its own rows"
    assert sorted((row["id"], row["version"]) for row in workshop.rows()) == [
        (1, 4),
        (2, 5),
        (2, 6),
    ]
    workshop.put("3", json_lines([_change(7, 7)]))
    assert workshop.ingest(table={"write_mode": "overwrite"}).is_all_well
    assert _table(workshop) == {7: 7}


@pytest.mark.parametrize("table", [FEED, {"write_mode": "overwrite"}], ids=["merge", "overwrite"])
def test_what_was_overtaken_before_the_mode_changed_is_no_loss_afterwards(
    workshop: Workshop, table: dict[str, Any]
) -> None:
    keeps = {"on_changed_file": "append"}
    workshop.put("0", json_lines([_change(1, 1), _change(2, 1)]))
    assert workshop.ingest(source=keeps).is_all_well
    workshop.put("0", json_lines([_change(3, 1), _change(2, 2)]))
    assert workshop.ingest(source=keeps).is_all_well
    workshop.put("1", json_lines([_change(1, 5), _change(2, 5, "D"), _change(3, 5)]))
    assert workshop.ingest(table=table).is_all_well
    assert _said(workshop, table) == [], "rows that append had kept may be overtaken, too"
    assert _said(workshop, {}) == [], "the mode is another one, and no tick has met it yet"
    workshop.put("2", json_lines([_change(8, 1), _change(9, 1)]))
    assert workshop.ingest().is_all_well
    assert _said(workshop, {}) == []
    workshop.deployment.catalog.load_table("raw.orders").delete(EqualTo("id", 8))
    assert _said(workshop, {}) == [("row_count", "2")], "what came since is counted as ever"
