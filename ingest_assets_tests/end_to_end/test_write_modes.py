"""Merge and overwrite through whole passes: what stands in the table, and what is said of bad files."""

from typing import Any

import pytest

from ingest_assets_tests.end_to_end.sample_orders import json_lines
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
