"""Tags keep old snapshots while those between expire; nothing was rolled back by that."""

import pytest
from pyiceberg.table import Table

from ingest_assets.engine.disagreement import Remedy
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.test_changed_files import KEY, A, B, ingest, put, roll_back
from ingest_assets_tests.end_to_end.test_reconcile import check, mend, said
from ingest_assets_tests.end_to_end.workshop import Workshop


def _table(workshop: Workshop) -> Table:
    return workshop.deployment.catalog.load_table("raw.orders")


def _tag(workshop: Workshop) -> int:
    snapshot_id = _table(workshop).current_snapshot().snapshot_id
    _table(workshop).manage_snapshots().create_tag(snapshot_id, "month-end").commit()
    return snapshot_id


def _expire(workshop: Workshop, *kept: int) -> None:
    """All snapshots but the present one and these expire."""
    table = _table(workshop)
    kept = (*kept, table.current_snapshot().snapshot_id)
    old = [one.snapshot_id for one in table.snapshots() if one.snapshot_id not in kept]
    table.maintenance.expire_snapshots().by_ids(old).commit()


def _put_others(workshop: Workshop, mode: str) -> None:
    for number, key in ((1, "x.json"), (2, "y.json")):
        workshop.put(key, json_lines(orders(number, 1)))
        ingest(workshop, mode)


@pytest.mark.parametrize(
    ("mode", "ids"),
    [
        ("replace", [1, 2, 10, 11]),
        ("append", [1, 2, 10, 11, 20, 21]),
        ("ignore", [1, 2, 10, 11]),
        ("fail", [1, 2, 10, 11]),
    ],
)
def test_the_rows_of_a_tagged_snapshot_stay_when_later_ones_expire(
    workshop: Workshop, mode: str, ids: list[int]
) -> None:
    put(workshop, A, mode=mode)
    tagged = _tag(workshop)
    _put_others(workshop, mode)
    if mode != "replace":
        put(workshop, B, mode=mode)
    before = workshop.files()
    _expire(workshop, tagged)
    ingest(workshop, mode)
    assert workshop.order_ids() == ids
    assert workshop.files() == before
    assert workshop.files()[KEY].lost_contents == 0


def test_a_file_of_a_tagged_snapshot_whose_object_was_deleted_stays_success(
    workshop: Workshop,
) -> None:
    put(workshop, A, mode="replace")
    tagged = _tag(workshop)
    _put_others(workshop, "replace")
    workshop.s3.client.delete_object(Bucket=workshop.bucket, Key=f"orders/{KEY}")
    _expire(workshop, tagged)
    ingest(workshop, "replace")
    assert workshop.order_ids() == [1, 2, 10, 11]
    assert set(workshop.statuses().values()) == {"SUCCESS"}


def test_a_rollback_to_a_tagged_snapshot_is_noticed(workshop: Workshop) -> None:
    put(workshop, A, mode="replace")
    _tag(workshop)
    _put_others(workshop, "replace")
    roll_back(workshop, 2)
    assert workshop.order_ids() == [10, 11]
    ingest(workshop, "replace")
    assert workshop.order_ids() == [1, 2, 10, 11]


def test_a_rollback_is_noticed_where_older_snapshots_have_expired(workshop: Workshop) -> None:
    put(workshop, A, mode="replace")
    tagged = _tag(workshop)
    _put_others(workshop, "replace")
    _expire(workshop, tagged)
    workshop.put("z.json", json_lines(orders(3, 1)))
    ingest(workshop, "replace")
    roll_back(workshop, 1)
    assert workshop.order_ids() == [1, 2, 10, 11]
    ingest(workshop, "replace")
    assert workshop.order_ids() == [1, 2, 3, 10, 11]


def test_a_rollback_that_an_expiry_hides_is_found_by_reconcile(workshop: Workshop) -> None:
    put(workshop, A, mode="replace")
    workshop.put("x.json", json_lines(orders(1, 1)))
    ingest(workshop, "replace")
    abandoned = _table(workshop).current_snapshot().snapshot_id
    roll_back(workshop, 1)
    _table(workshop).append(_table(workshop).scan().to_arrow().slice(0, 0))
    _expire(workshop, abandoned)
    ingest(workshop, "replace")
    assert workshop.order_ids() == [10, 11]
    found = check(workshop)
    assert said(found) == [("rows_missing", "x.json", Remedy.READ_AGAIN)]
    [missing] = found.disagreements
    assert "a rollback took them out" in missing.cause
    assert mend(workshop, found) == [missing]
    ingest(workshop, "replace")
    assert workshop.order_ids() == [1, 10, 11]
