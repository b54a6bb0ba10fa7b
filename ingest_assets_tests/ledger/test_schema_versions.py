"""Versions are numbered without gaps, one is active, and a shape that waits has one number."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal

from ingest_assets.ledger import decisions, reports, schema_versions
from ingest_assets.ledger.batches import ClaimedBatch
from ingest_assets.ledger.decisions import SchemaDecision
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.schema_versions import SchemaChange
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file


def _change(
    batch: ClaimedBatch,
    fingerprint: str,
    status: Literal["ACTIVE", "PENDING"] = "ACTIVE",
    verdict: str = "NON_BREAKING",
) -> SchemaChange:
    return SchemaChange(
        status=status,
        verdict=verdict,
        compatibility="BACKWARD",
        fields=[{"name": f"n\u00f6 \x00 {fingerprint}", "type": "long"}],
        fingerprint=fingerprint,
        diff=[{"kind": "added", "column": fingerprint}],
        file_id=batch.files[0].file_id,
    )


def _batch(orders: Bookkeeping, key: str) -> ClaimedBatch:
    orders.see(source_file(key))
    return orders.work()


def _success(batch: ClaimedBatch, rows: int = 1, index: int | None = 0) -> FileOutcome:
    return FileOutcome(batch.files[0].file_id, "SUCCESS", rows=rows, change_index=index)


def _parked(batch: ClaimedBatch) -> FileOutcome:
    return FileOutcome(batch.files[0].file_id, "PARKED", error="changed", change_index=0)


def _versions(orders: Bookkeeping) -> list[Any]:
    return orders.ask("""
        SELECT version, status, verdict, fingerprint, batch_id, last_written_at
        FROM ingest.schema_versions WHERE ingestion = :ingestion ORDER BY version
    """)


def test_there_is_no_version_before_the_first_file(orders: Bookkeeping) -> None:
    with orders.ledger.transaction() as connection:
        assert schema_versions.active(connection, orders.ingestion) is None
        assert schema_versions.apply(connection, orders.ingestion, "batch", []) == []


def test_the_first_shape_is_version_1_and_the_next_one_deprecates_it(orders: Bookkeeping) -> None:
    first = _batch(orders, "a")
    orders.finish(first, _success(first), changes=[_change(first, "one", verdict="INITIAL")])
    assert orders.file("a").schema_version == 1
    second = _batch(orders, "b")
    on_one = replace(_change(second, "two"), base_version=1)
    orders.finish(second, _success(second), changes=[on_one])
    assert orders.file("b").schema_version == 2
    assert orders.file("a").schema_version == 1
    rows = [tuple(row)[:5] for row in _versions(orders)]
    assert rows == [
        (1, "DEPRECATED", "INITIAL", "one", first.batch_id),
        (2, "ACTIVE", "NON_BREAKING", "two", second.batch_id),
    ]
    with orders.ledger.transaction() as connection:
        active = schema_versions.active(connection, orders.ingestion)
    assert active is not None
    assert (active.version, active.fingerprint) == (2, "two")
    assert active.fields == [{"name": "nö \u2400 two", "type": "long"}]


def test_what_a_batch_brings_goes_on_top_of_what_was_made_active_while_it_was_at_work(
    orders: Bookkeeping,
) -> None:
    first, second, third = (_batch(orders, key) for key in "abc")
    freed = [{"name": "n", "type": "long"}, {"name": "x", "type": "long"}]
    bound = [{"name": "n", "type": "long", "is_required": True}, {"name": "x", "type": "long"}]
    more = [*bound, {"name": "y", "type": "string"}]
    orders.finish(first, _success(first), changes=[replace(_change(first, "1"), fields=bound)])
    for batch, fields, base in ((second, freed, 1), (third, more, 1)):
        change = replace(_change(batch, f"{base} and"), fields=fields, base_version=base)
        orders.finish(batch, _success(batch), changes=[change])

    with orders.ledger.transaction() as connection:
        active = schema_versions.active(connection, orders.ingestion)
    assert active is not None
    assert (active.version, active.fields) == (3, [*freed, {"name": "y", "type": "string"}])


def test_two_changes_of_one_batch_are_two_versions_in_their_order(orders: Bookkeeping) -> None:
    orders.see(source_file("a"), source_file("b", minute=1))
    batch = orders.work()
    a, b = (file.file_id for file in batch.files)
    orders.finish(
        batch,
        FileOutcome(a, "SUCCESS", rows=1, change_index=1),
        FileOutcome(b, "PARKED", change_index=0),
        changes=[_change(batch, "odd", "PENDING", "BREAKING"), _change(batch, "good")],
    )
    assert [(row.version, row.status) for row in _versions(orders)] == [
        (1, "PENDING"),
        (2, "ACTIVE"),
    ]
    assert (orders.file("a").schema_version, orders.file("b").schema_version) == (2, 1)


def test_only_versions_that_rows_were_written_with_have_a_time(orders: Bookkeeping) -> None:
    first = _batch(orders, "a")
    orders.finish(first, _success(first, rows=0), changes=[_change(first, "one")])
    assert [row.last_written_at for row in _versions(orders)] == [None]
    second = _batch(orders, "b")
    orders.finish(
        second,
        FileOutcome(second.files[0].file_id, "SUCCESS", rows=1, schema_version=1),
    )
    (row,) = _versions(orders)
    assert row.last_written_at is not None
    third = _batch(orders, "c")
    orders.finish(third, _parked(third), changes=[_change(third, "x", "PENDING", "BREAKING")])
    assert [row.last_written_at is None for row in _versions(orders)] == [False, True]


def test_a_shape_that_waits_already_keeps_its_number(orders: Bookkeeping) -> None:
    for key in "abc":
        batch = _batch(orders, key)
        orders.finish(batch, _parked(batch), changes=[_change(batch, "odd", "PENDING", "BREAKING")])
        assert orders.file(key).schema_version == 1
        assert orders.file(key).status == "PARKED"
    assert len(_versions(orders)) == 1


def test_batches_at_once_that_meet_one_odd_shape_make_one_version(orders: Bookkeeping) -> None:
    batches = [_batch(orders, str(number)) for number in range(6)]
    begin = threading.Barrier(len(batches))

    def finish(batch: ClaimedBatch) -> bool:
        begin.wait()
        pending = _change(batch, "odd", "PENDING", "BREAKING")
        return orders.finish(batch, _parked(batch), changes=[pending])

    # The pool of connections is as large as the number of batches.
    with ThreadPoolExecutor(len(batches)) as pool:
        assert all(pool.map(finish, batches))
    assert [(row.version, row.status) for row in _versions(orders)] == [(1, "PENDING")]
    assert {orders.file(str(number)).schema_version for number in range(6)} == {1}


def test_batches_at_once_with_new_shapes_are_numbered_one_after_another(
    orders: Bookkeeping,
) -> None:
    batches = [_batch(orders, str(number)) for number in range(6)]
    begin = threading.Barrier(len(batches))

    def finish(batch: ClaimedBatch) -> bool:
        begin.wait()
        change = _change(batch, f"shape {batch.batch_id}")
        return orders.finish(batch, _success(batch), changes=[change])

    with ThreadPoolExecutor(len(batches)) as pool:
        assert all(pool.map(finish, batches))
    rows = _versions(orders)
    assert [row.version for row in rows] == [1, 2, 3, 4, 5, 6]
    assert sorted(row.status for row in rows) == ["ACTIVE", *["DEPRECATED"] * 5]
    assert rows[-1].status == "ACTIVE"


def test_a_batch_that_changes_nothing_makes_no_version(orders: Bookkeeping) -> None:
    batch = _batch(orders, "a")
    orders.finish(batch)
    assert _versions(orders) == []


def _reject(orders: Bookkeeping, version: int, route: str = "") -> None:
    decision = SchemaDecision("reject", "ada", "no such field", version, None, route=route)
    with orders.ledger.transaction() as connection:
        decisions.carry_out(connection, orders.ingestion, decision)


def test_a_file_whose_shape_is_rejected_while_it_is_read_says_by_whom(orders: Bookkeeping) -> None:
    first, second = _batch(orders, "a"), _batch(orders, "b")
    odd = _change(first, "odd", "PENDING", "BREAKING")
    for batch in (first, second):
        if batch is second:
            _reject(orders, 1)
        waits = FileOutcome(batch.files[0].file_id, "PARKED", error="Waits.", change_index=0)
        orders.finish(batch, waits, changes=[odd])
    for key in "ab":
        row = orders.file(key)
        assert row.status == "REJECTED"
        assert str(row.error).startswith("Schema version 1 was rejected")
        assert str(row.error).endswith("Rejected by ada: no such field")
    with orders.ledger.transaction() as connection:
        told = [reports.newest_of_batch(connection, batch.batch_id) for batch in (first, second)]
    assert [report and [file.outcome for file in report.files] for report in told] == [
        [],  # told with the rejection
        ["REJECTED"],
    ]


def test_a_shape_that_is_rejected_in_one_table_waits_in_another(orders: Bookkeeping) -> None:
    first, second = _batch(orders, "a"), _batch(orders, "b")
    odd = _change(first, "odd", "PENDING", "BREAKING")
    orders.finish(first, _parked(first), changes=[replace(odd, route="raw.orders_v2")])
    _reject(orders, 1, "raw.orders_v2")
    orders.finish(second, _parked(second), changes=[odd])
    assert orders.statuses() == {"a": "REJECTED", "b": "PARKED"}
    assert orders.file("b").schema_version == 2
