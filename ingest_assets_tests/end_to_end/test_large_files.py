"""Files that take long: what is told of them meanwhile, and which path they go."""

import logging
from datetime import timedelta

import pytest

from ingest_assets.engine import file_reading, gathered
from ingest_assets.files.reading import blocks, compression
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop


def test_a_file_that_takes_long_tells_how_far_it_is(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(file_reading, "_TOLD_EVERY", timedelta(0))
    workshop.put("a.jsonl", json_lines(orders(1, 100)))
    workshop.put("b.jsonl", json_lines(orders(101, 100_000)))
    with caplog.at_level(logging.INFO, "ingest_assets"):
        workshop.ingest()
    told = [record for record in caplog.records if "rows read so far" in record.message]
    rows = [vars(record)["rows"] for record in told if vars(record)["key"] == "b.jsonl"]
    assert len(rows) > 1
    assert rows == sorted(rows)
    assert rows[-1] < 100_000
    assert len(workshop.rows()) == 100_100


@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_that_only_brings_columns_is_read_by_the_fast_path_then(
    workshop: Workshop, is_first: bool
) -> None:
    if not is_first:
        workshop.put("a.jsonl", json_lines(orders(1, 3)))
    workshop.put("b.jsonl", json_lines(orders(4, 3, note="new")))
    workshop.put("c.jsonl", json_lines(orders(7, 3, note=1)))
    materialized = _paths(workshop)
    assert materialized["b.jsonl"] == "fast"
    assert materialized["c.jsonl"] == "careful"
    assert [row["note"] for row in workshop.rows()][-6:] == ["new"] * 3 + [None] * 3


def _paths(workshop: Workshop) -> dict[str, str]:
    workshop.ingest(schema={"on_type_change": "rescue"})
    with workshop.deployment.ledger.transaction() as connection:
        found = connection.exec_driver_sql(
            "SELECT key, detail ->> 'path' AS path"
            " FROM ingest.attempts JOIN ingest.files USING (file_id)"
        )
        return {row.key: row.path for row in found}


@pytest.mark.parametrize(("last", "type_"), [("8.5", "double"), ("x", "string"), ("8", "long")])
def test_a_large_first_csv_file_has_the_types_of_all_its_rows(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, last: str, type_: str
) -> None:
    """Its first rows are in a data file already when the last one turns out to be of another."""
    monkeypatch.setattr(file_reading, "_LARGE_BYTES", 1)
    monkeypatch.setattr(gathered, "IN_MEMORY_BYTES", 1)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(compression, "PIECE_BYTES", 1000)
    lines = ["id,amount", *(f"{number},{number % 7}" for number in range(3000)), f"3000,{last}"]
    workshop.put("a.csv", "\n".join(lines).encode())
    workshop.ingest(format={"type": "csv"})
    table = workshop.deployment.catalog.load_table("raw.orders")
    assert str(table.schema().find_type("amount")) == type_
    amounts = {int(row["id"]): row["amount"] for row in workshop.rows()}
    assert len(amounts) == 3001
    assert str(amounts[3000]) == last
    assert sum(task.file.record_count for task in table.scan().plan_files()) == 3001
