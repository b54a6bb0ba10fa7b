"""Three shapes mixed in one batch: each file is judged by its own schema, and nobody is asked
about those that fit."""

from collections import Counter
from typing import Any

import pytest

from ingest_assets.engine import batch_work
from ingest_assets.engine.column_changes import plan_drop_column
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.engine.ingestion_table import open_table
from ingest_assets.tables.target import Target
from ingest_assets_tests.chaos import work
from ingest_assets_tests.end_to_end.deciding import PERSON
from ingest_assets_tests.end_to_end.sample_orders import Row, csv_file, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

PLAIN, WIDER, LACKING = "plain", "wider", "lacking"


def rows_of(shape: str, number: int) -> list[Row]:
    if shape == WIDER:
        return orders(number, 1, coupon=f"C{number}")
    (row,) = orders(number, 1)
    return [{k: v for k, v in row.items() if shape == PLAIN or k != "customer"}]


def put_mixed(workshop: Workshop, write: Any, tenths: int) -> dict[str, str]:
    """Of each ten files five are plain, three wider, two lacking; the shape of each key."""
    shapes = {}
    for number in range(10 * tenths):
        shape = "pwlpwplwpp"[number % 10]
        shapes[f"f{number:04d}"] = {"p": PLAIN, "w": WIDER, "l": LACKING}[shape]
    for number, (key, shape) in enumerate(shapes.items()):
        workshop.put(key, write(rows_of(shape, number)))
    return shapes


def check(workshop: Workshop, result: Any, shapes: dict[str, str]) -> None:
    tenth = len(shapes) // 10
    assert result.counts == {"PARKED": 2 * tenth, "SUCCESS": 8 * tenth}
    good = [number for number, shape in enumerate(shapes.values()) if shape != LACKING]
    assert workshop.order_ids() == good
    coupons = {row["order_id"]: row["coupon"] for row in workshop.rows()}
    assert coupons == {
        number: f"C{number}" if shape == WIDER else None
        for number, shape in enumerate(shapes.values())
        if shape != LACKING
    }
    files = workshop.files()
    outcomes = Counter((shapes[key], row.status) for key, row in files.items())
    assert outcomes == {
        (PLAIN, "SUCCESS"): 5 * tenth,
        (WIDER, "SUCCESS"): 3 * tenth,
        (LACKING, "PARKED"): 2 * tenth,
    }
    with workshop.deployment.ledger.transaction() as connection:
        versions = connection.exec_driver_sql(
            "SELECT status, version FROM ingest.schema_versions ORDER BY status"
        ).all()
    statuses = dict(versions)
    assert sorted(status for status, _ in versions) == ["ACTIVE", "DEPRECATED", "PENDING"]
    parked = {row.schema_version for row in files.values() if row.status == "PARKED"}
    assert parked == {statuses["PENDING"]}
    assert workshop.partitions() == {k for k, shape in shapes.items() if shape != LACKING}


@pytest.mark.slow
def test_of_a_thousand_files_800_are_in_the_table_and_200_wait_as_one(workshop: Workshop) -> None:
    shapes = put_mixed(workshop, json_lines, 100)
    result = workshop.ingest()
    check(workshop, result, shapes)
    assert len(workshop.deployment.catalog.load_table("raw.orders").snapshots()) == 1


def test_the_same_in_batches_of_seven_files(workshop: Workshop) -> None:
    shapes = put_mixed(workshop, csv_file, 3)
    result = workshop.ingest(format={"type": "csv"}, batch={"max_files": 7})
    check(workshop, result, shapes)


def test_what_is_decided_between_two_looks_is_not_undone(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(key: str, number: int) -> None:
        workshop.put(key, json_lines([{"id": number, "word": "w"}]))

    def dropping_first(*arguments: Any, **more: Any) -> Target:
        monkeypatch.setattr(batch_work, "open_table", open_table)
        plan = plan_drop_column(workshop.deployment, workshop.ingestion(), "word")
        carry_out(workshop.deployment, plan, PERSON, "")
        return open_table(*arguments, **more)

    put("a", 1)
    work.engine_pass(workshop.deployment, workshop.ingestion())
    put("b", 2)
    monkeypatch.setattr(batch_work, "open_table", dropping_first)
    work.engine_pass(workshop.deployment, workshop.ingestion())

    assert workshop.statuses() == {"a": "SUCCESS", "b": "SUCCESS"}
    assert ["word" in row for row in workshop.rows()] == [False, False]
    assert workshop.rows()[1]["_rescued_data"] == '{"word":"w"}'
