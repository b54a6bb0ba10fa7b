"""Files that move between the tables of two shapes: their rows are in one of them, and once."""

import pytest

from ingest_assets.decision_errors import DecisionOutdatedError
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.errors import TableMissingError
from ingest_assets.orchestration.tick import run_tick
from ingest_assets.schema.resolution import Resolution
from ingest_assets_tests.end_to_end.deciding import PERSON, planned, versions
from ingest_assets_tests.end_to_end.sample_orders import json_lines
from ingest_assets_tests.end_to_end.two_shapes import (
    DECLARED,
    LAYOUT,
    OTHER,
    PLAIN,
    ids,
    part,
    plain,
    priced,
    resolve,
)
from ingest_assets_tests.end_to_end.workshop import Workshop


def ingest(workshop: Workshop) -> dict[str, int]:
    """The outcomes of a pass."""
    return workshop.ingest(table=LAYOUT).counts


def both(workshop: Workshop) -> tuple[list[int], list[int]]:
    """The ids in the declared table, and in the other one."""
    return ids(workshop, DECLARED), ids(workshop, OTHER)


def roll_back(workshop: Workshop, identifier: str, commits: int = 1) -> None:
    """A person takes the table back by so many snapshots."""
    table = workshop.deployment.catalog.load_table(identifier)
    target = table.current_snapshot()
    for _ in range(commits):
        target = table.snapshot_by_id(target.parent_snapshot_id)
    table.manage_snapshots().rollback_to_snapshot(target.snapshot_id).commit()


def test_a_parked_file_takes_its_earlier_rows_along_to_the_new_table(workshop: Workshop) -> None:
    workshop.put("a.json", plain(1, 2))
    workshop.put("b.json", plain(3))
    ingest(workshop)
    workshop.put("a.json", priced(1, 2))
    workshop.put("c.json", priced(4))
    assert ingest(workshop) == {"PARKED": 2}
    assert ids(workshop, DECLARED) == [1, 2, 3]

    resolve(workshop, 2, Resolution.NEW_TABLE)
    assert ingest(workshop) == {"SUCCESS": 2}

    assert both(workshop) == ([3], [1, 2, 4])
    assert ingest(workshop) == {}


def test_a_rollback_that_brings_moved_rows_back_leaves_them_in_one_table(
    workshop: Workshop,
) -> None:
    part(workshop)
    workshop.put("a.json", priced(1, 2))
    assert ingest(workshop) == {"SUCCESS": 1}
    assert both(workshop) == ([3], [1, 2, 4, 5, 6])

    roll_back(workshop, DECLARED)
    assert ids(workshop, DECLARED) == [1, 2, 3]
    ingest(workshop)

    assert both(workshop) == ([3], [1, 2, 4, 5, 6])
    assert set(workshop.statuses().values()) == {"SUCCESS"}
    assert ingest(workshop) == {}


def test_a_rollback_brings_moved_rows_back_into_a_table_that_takes_them_by_now(
    workshop: Workshop,
) -> None:
    part(workshop, PLAIN)
    workshop.put("a.json", priced(1, 2))
    workshop.ingest()
    workshop.put("b.json", json_lines([{"id": 3, "amount": "three"}]))
    assert workshop.ingest().counts == {"PARKED": 1}
    resolve(workshop, 3, Resolution.MERGE, PLAIN)
    workshop.ingest()
    assert both(workshop) == ([3], [1, 2, 4, 5, 6])

    roll_back(workshop, DECLARED, 3)
    assert ids(workshop, DECLARED) == [1, 2, 3]
    workshop.ingest()

    assert both(workshop) == ([3], [1, 2, 4, 5, 6])
    assert set(workshop.statuses().values()) == {"SUCCESS"}


def test_rows_of_before_stay_when_the_other_table_cannot_have_those_of_now(
    workshop: Workshop,
) -> None:
    part(workshop)
    workshop.put("a.json", priced(1, 2) + b"\n{broken\n{broken\n{broken")
    ingest(workshop)

    assert workshop.statuses()["a.json"] == "DEAD_LETTER"
    assert both(workshop) == ([1, 2, 3], [4, 5, 6])


def test_two_shapes_never_get_one_table(workshop: Workshop) -> None:
    workshop.put("a.json", plain(1))
    ingest(workshop)
    workshop.put("b.json", priced(2))
    workshop.put("c.json", json_lines([{"key": "x"}]))
    assert ingest(workshop) == {"PARKED": 2}
    first = planned(workshop, "new_table", version=2, table=LAYOUT)
    second = planned(workshop, "new_table", version=3, table=LAYOUT)
    carry_out(workshop.deployment, first, PERSON, "")

    with pytest.raises(DecisionOutdatedError, match="orders_v2"):
        carry_out(workshop.deployment, second, PERSON, "")
    assert versions(workshop)[3].status == "PENDING"
    resolve(workshop, 3, Resolution.NEW_TABLE)
    assert ingest(workshop) == {"SUCCESS": 2}
    assert both(workshop) == ([1], [2])
    assert [row["key"] for row in workshop.rows("raw.orders_v3")] == ["x"]


def test_a_table_of_a_shape_that_was_dropped_holds_up_its_own_files_alone(
    workshop: Workshop,
) -> None:
    part(workshop, PLAIN)
    workshop.deployment.catalog.drop_table(OTHER)
    workshop.put("e.json", priced(7))
    workshop.put("f.json", plain(8))
    with pytest.raises(TableMissingError, match=r"raw\.orders_v2 is not in the catalog any more"):
        workshop.ingest(table=PLAIN)
    assert ids(workshop, DECLARED) == [1, 2, 3, 8]
    assert workshop.statuses()["e.json"] == "DISCOVERED"

    workshop.put("g.json", plain(9))
    ingestion = workshop.ingestion(table=PLAIN)
    tick = run_tick(workshop.deployment, ingestion, workshop.instance, "sensor")
    assert [batch.keys for batch in tick.planned] == [("g.json",)]
    assert "raw.orders_v2 is not in the catalog any more" in tick.summary()

    assert workshop.materialize("e.json", table=PLAIN).success
    assert ids(workshop, OTHER) == [7]
