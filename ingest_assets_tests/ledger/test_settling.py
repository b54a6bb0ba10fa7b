"""A file is planned when its content has been there long enough, by either clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest_assets.ledger import batches, planning
from ingest_assets.ledger.planning import PlannedBatch
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file

SETTLE = timedelta(minutes=5)


def plan(orders: Bookkeeping) -> PlannedBatch | None:
    """The next batch of files that have settled."""
    with orders.ledger.transaction() as connection:
        return planning.plan(
            connection,
            orders.ingestion,
            max_files=10,
            max_bytes=10**9,
            origin="sensor",
            settle=SETTLE,
        )


def settling(orders: Bookkeeping, settle: timedelta = SETTLE) -> int:
    """How many files wait for that alone."""
    with orders.ledger.transaction() as connection:
        return planning.settling(connection, orders.ingestion, settle)


def new_file(key: str, etag: str = "a", *, hours_old: float = 0) -> Any:
    """A file that was uploaded so long ago; in the future for less than 0."""
    now = datetime.now(UTC)
    made = source_file(key, etag)
    return type(made)(
        made.key, made.uri, made.size_bytes, made.etag, now - timedelta(hours=hours_old)
    )


def let_seen_be(orders: Bookkeeping, **by: float) -> None:
    """The ledger saw all files so long ago."""
    orders.ask(
        "UPDATE ingest.files SET seen_at = now() - CAST(:by AS interval) "
        "WHERE ingestion = :ingestion RETURNING 1",
        by=timedelta(**by),
    )


def test_a_new_file_waits_and_an_old_one_does_not(orders: Bookkeeping) -> None:
    orders.see(new_file("new"), new_file("old", hours_old=1))
    planned = plan(orders)
    assert planned is not None
    assert planned.keys == ("old",)
    assert plan(orders) is None
    assert (settling(orders), settling(orders, timedelta(0))) == (1, 0)


@pytest.mark.parametrize("hours_old", [0, -24], ids=["right", "a day ahead"])
def test_a_file_has_settled_when_it_was_seen_long_ago_whatever_the_stores_clock(
    orders: Bookkeeping, hours_old: float
) -> None:
    orders.see(new_file("a", hours_old=hours_old))
    assert plan(orders) is None
    let_seen_be(orders, minutes=6)
    assert plan(orders) is not None


def test_a_file_that_changes_waits_anew_also_when_an_earlier_content_comes_back(
    orders: Bookkeeping,
) -> None:
    for etag in "aba":
        orders.see(new_file("a", etag))
        assert plan(orders) is None
        let_seen_be(orders, minutes=6)
    assert plan(orders) is not None


def test_a_person_does_not_wait(orders: Bookkeeping) -> None:
    orders.see(new_file("a"))
    (planned,) = orders.ask_for("a")
    with orders.ledger.transaction() as connection:
        assert not batches.free_unsettled(connection, planned.batch_id, SETTLE)
    assert planned.keys == ("a",)


def test_a_planned_file_that_changes_before_its_run_begins_gives_the_batch_back(
    orders: Bookkeeping,
) -> None:
    orders.see(new_file("a", hours_old=1), new_file("b", hours_old=1))
    planned = plan(orders)
    assert planned is not None
    with orders.ledger.transaction() as connection:
        assert not batches.free_unsettled(connection, planned.batch_id, SETTLE)
    orders.see(new_file("b", "changed"))
    with orders.ledger.transaction() as connection:
        assert batches.free_unsettled(connection, planned.batch_id, SETTLE)
    again = plan(orders)
    assert again is not None
    assert again.keys == ("a",)
    assert settling(orders) == 1
