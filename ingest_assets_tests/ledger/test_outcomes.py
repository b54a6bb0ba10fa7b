"""What a batch did becomes true of its files once, by its holder, and not before."""

import dataclasses
import math

import pytest

from ingest_assets.ledger import changed_files, lookup, outcomes, reports
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file


def _minutes_to_next_attempt(orders: Bookkeeping, key: str) -> float:
    (row,) = orders.ask(
        """
        SELECT extract(epoch FROM next_attempt_at - now()) / 60 AS minutes
        FROM ingest.files WHERE ingestion = :ingestion AND key = :key
        """,
        key=key,
    )
    return float(row.minutes)


def test_every_outcome_becomes_true_of_its_file(orders: Bookkeeping) -> None:
    orders.see(*(source_file(key) for key in ["bad", "dead", "good", "parked"]))
    claimed = orders.work()
    bad, dead, good, parked = (file.file_id for file in claimed.files)
    assert orders.finish(
        claimed,
        FileOutcome(bad, "FAILED", "ObjectStoreError", "throttled", "Traceback ..."),
        FileOutcome(dead, "DEAD_LETTER", "CorruptFileError", "cut short"),
        FileOutcome(good, "SUCCESS", rows=10, rescued=2, rejected=1, bytes=99, schema_version=4),
        FileOutcome(parked, "PARKED", "SchemaParkedError", "total changed type", rejected=3),
        snapshot_id=2**63 - 1,
    )
    row = orders.file("good")
    assert (row.status, row.rows, row.rescued, row.rejected) == ("SUCCESS", 10, 2, 1)
    assert (row.schema_version, row.snapshot_id) == (4, 2**63 - 1)
    assert (row.etag, row.committed_etag, row.batch_id) == ("a", "a", claimed.batch_id)
    assert (row.error, row.error_type, row.next_attempt_at) == (None, None, None)
    assert row.ingested_at is not None
    for key, status, error in [
        ("bad", "FAILED", "throttled"),
        ("dead", "DEAD_LETTER", "cut short"),
        ("parked", "PARKED", "total changed type"),
    ]:
        row = orders.file(key)
        assert (row.status, row.error, row.attempts) == (status, error, 1)
        assert (row.rows, row.committed_etag, row.snapshot_id) == (None, None, None)
        assert row.ingested_at is None
        assert (row.next_attempt_at is not None) == (status == "FAILED")
    assert orders.plan() is None


def test_nothing_is_true_before_the_batch_is_finished(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    with orders.ledger.transaction() as connection:
        outcome = FileOutcome(claimed.files[0].file_id, "SUCCESS", rows=1)
        outcomes.record(connection, claimed.batch_id, [outcome], [])
    row = orders.file("a")
    assert (row.status, row.rows, row.attempts) == ("PROCESSING", None, 0)


def test_a_second_record_replaces_the_first(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    file_id = claimed.files[0].file_id
    with orders.ledger.transaction() as connection:
        first = FileOutcome(file_id, "FAILED", "X", "no", rows=1, detail={"delimiter": ";"})
        outcomes.record(connection, claimed.batch_id, [first], [])
    orders.finish(claimed, FileOutcome(file_id, "SUCCESS", rows=5))
    with orders.ledger.transaction() as connection:
        report = reports.batch_report(connection, claimed.batch_id)
    assert report is not None
    (file,) = report.files
    assert (file.outcome, file.error, file.rows, file.detail) == ("SUCCESS", None, 5, {})


def test_a_failing_file_is_tried_after_1_5_and_15_minutes_and_the_last_wait_goes_on(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("a"))
    for attempts, minutes in enumerate((1, 5, 15, 15, 15), start=1):
        claimed = orders.work()
        assert claimed.files[0].attempts == attempts - 1
        orders.finish(claimed, FileOutcome(claimed.files[0].file_id, "FAILED", error="down"))
        row = orders.file("a")
        assert (row.status, row.attempts, row.error) == ("FAILED", attempts, "down")
        assert minutes - 0.1 < _minutes_to_next_attempt(orders, "a") <= minutes
        orders.let_time_pass(minutes)


def test_a_stranger_finishes_and_releases_nothing(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    stranger = dataclasses.replace(claimed, token="stranger")
    before = orders.file("a")
    assert not orders.finish(stranger)
    assert not orders.release(stranger, crashed=True)
    assert orders.file("a") == before
    assert orders.finish(claimed)
    done = orders.file("a")
    assert not orders.finish(claimed), "a second time changes nothing"
    assert not orders.release(claimed, crashed=True)
    assert orders.file("a") == done


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a NUL: \x00", "a NUL: \u2400"),
        (r"an escape as text: \u0000", r"an escape as text: \u0000"),
        ("half a character: \udc80 \ud83d", r"half a character: \udc80 \ud83d"),
        ("'quotes' \"and\" \\ % {} :name \u2028\r\n\t\x1b[31m", None),
        ("日本 😀", None),
        ("x" * 1_000_000, None),
    ],
)
def test_an_error_is_kept_whatever_characters_it_has(
    orders: Bookkeeping, said: str, kept: str | None
) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    outcome = FileOutcome(
        claimed.files[0].file_id, "DEAD_LETTER", said[:50], said, said, detail={said[:50]: [said]}
    )
    assert orders.finish(claimed, outcome)
    kept = said if kept is None else kept
    assert orders.file("a").error == kept
    with orders.ledger.transaction() as connection:
        report = reports.batch_report(connection, claimed.batch_id)
    assert report is not None
    assert list(report.files[0].detail.values()) == [[kept]]


def test_numbers_that_json_lacks_are_kept_in_words(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    detail = {"ratio": math.nan, "more": [math.inf, (1.5, True, None)], "7": -math.inf}
    assert orders.finish(claimed, FileOutcome(claimed.files[0].file_id, "SUCCESS", detail=detail))
    with orders.ledger.transaction() as connection:
        report = reports.batch_report(connection, claimed.batch_id)
    assert report is not None
    assert report.files[0].detail == {
        "ratio": "nan",
        "more": ["inf", [1.5, True, None]],
        "7": "-inf",
    }


def test_a_released_batch_gives_its_files_back_and_counts_only_crashes(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("a"))
    for crashed, crashes in [(False, 0), (True, 1), (False, 1), (True, 2)]:
        claimed = orders.work()
        assert orders.release(claimed, crashed=crashed)
        row = orders.file("a")
        assert (row.status, row.attempts, row.batch_id) == ("DISCOVERED", 0, None)
        again = orders.plan()
        assert again is not None
        worker = orders.claim(again.batch_id)
        assert worker is not None
        assert worker.files[0].crashes == crashes
        orders.release(worker, crashed=False)
    orders.finish(orders.work())
    (row,) = orders.ask("SELECT crashes FROM ingest.files WHERE ingestion = :ingestion")
    assert row.crashes == 0


def test_the_rows_of_the_old_content_stay_on_show_when_the_new_one_fails(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("a"))
    first = orders.work()
    orders.finish(first, FileOutcome(first.files[0].file_id, "SUCCESS", rows=10, rejected=1))
    orders.see(source_file("a", "b", minute=5))
    second = orders.work()
    bad = FileOutcome(second.files[0].file_id, "DEAD_LETTER", "CorruptFileError", "cut", rejected=9)
    orders.finish(second, bad, snapshot_id=8)
    row = orders.file("a")
    assert (row.status, row.etag, row.committed_etag) == ("DEAD_LETTER", "b", "a")
    assert (row.rows, row.rejected, row.snapshot_id) == (10, 1, 7)
    assert row.error == "cut"


def test_a_batch_report_has_the_files_in_the_order_of_the_batch(orders: Bookkeeping) -> None:
    orders.see(source_file("z", size_bytes=5), source_file("a", minute=1), source_file("b", "e"))
    planned = orders.plan()
    assert planned is not None
    with orders.ledger.transaction() as connection:
        report = reports.batch_report(connection, planned.batch_id)
        assert reports.batch_report(connection, "unknown") is None
    assert report is not None
    assert report.status == "PLANNED"
    claimed = orders.claim(planned.batch_id)
    assert claimed is not None
    orders.finish(
        claimed,
        *(
            FileOutcome(file.file_id, "SUCCESS", bytes=4, seconds=0.5, detail={"delimiter": ";"})
            for file in claimed.files
        ),
    )
    with orders.ledger.transaction() as connection:
        report = reports.newest_of_batch(connection, planned.batch_id)
        assert report == reports.batch_report(connection, planned.batch_id)
    assert report is not None
    assert (report.status, report.run_id) == ("COMMITTED", f"run-{planned.batch_id}")
    assert [file.key for file in report.files] == ["b", "z", "a"] == list(planned.keys)
    file = report.files[0]
    assert (file.uri, file.etag) == ("s3://landing/orders/b", "e")
    assert (file.bytes, file.seconds, file.detail) == (4, 0.5, {"delimiter": ";"})


def test_committed_batches_are_reported_once(orders: Bookkeeping) -> None:
    ids = []
    for key in "abc":
        orders.see(source_file(key))
        claimed = orders.work()
        orders.finish(claimed)
        ids.append(claimed.batch_id)
    orders.see(source_file("d"))
    orders.work()
    with orders.ledger.transaction() as connection:
        waiting = reports.unreported(connection, orders.ingestion)
        assert waiting == [(batch_id, f"run-{batch_id}") for batch_id in ids]
        reports.mark_reported(connection, ids[:2])
        assert [row[0] for row in reports.unreported(connection, orders.ingestion)] == ids[2:]


def test_committed_reports_name_the_files_whose_newest_content_is_in_the_table(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("a"), source_file("b"), source_file("c"))
    claimed = orders.work()
    a, b, c = (file.file_id for file in claimed.files)
    orders.finish(
        claimed,
        FileOutcome(a, "SUCCESS", rows=3, bytes=8, seconds=0.1, detail={"x": 1}),
        FileOutcome(b, "SUCCESS", rows=3),
        FileOutcome(c, "FAILED"),
    )
    orders.see(source_file("b", "new", minute=1))
    with orders.ledger.transaction() as connection:
        files = reports.committed_reports(connection, orders.ingestion, ["a", "b", "c", "d"])
    (file,) = files
    assert (file.key, file.outcome, file.etag, file.rows, file.bytes) == ("a", "SUCCESS", "a", 3, 8)
    assert (file.snapshot_id, file.detail) == (7, {"x": 1})


def test_committed_reports_name_the_files_whose_newer_content_is_ignored(
    orders: Bookkeeping,
) -> None:
    with orders.ledger.transaction() as connection:
        changed_files.follow(connection, orders.ingestion, "ignore")
    orders.see(source_file("a"))
    orders.finish(orders.work())
    orders.see(source_file("a", "new", minute=1))
    with orders.ledger.transaction() as connection:
        (file,) = reports.committed_reports(connection, orders.ingestion, ["a"])
    assert (file.key, file.etag) == ("a", "a")


def test_files_are_found_by_status_by_key_and_counted(orders: Bookkeeping) -> None:
    orders.see(source_file("a"), source_file("b"))
    orders.finish(orders.work())
    orders.see(source_file("c\nd"), source_file("e"), skipped=["e"])
    with orders.ledger.transaction() as connection:
        found = lookup.files(connection, orders.ingestion, status="SUCCESS")
        assert [row.key for row in found] == ["a", "b"]
        both = lookup.files(connection, orders.ingestion, status="SUCCESS", keys=["b", "c\nd"])
        assert [row.key for row in both] == ["b"]
        assert lookup.files(connection, orders.ingestion, keys=[]) == []
        assert lookup.counts(connection, orders.ingestion) == {
            "DISCOVERED": 1,
            "SKIPPED": 1,
            "SUCCESS": 2,
        }
        ids = lookup.file_ids(connection, orders.ingestion, ["a", "e", "unknown"])
    assert len(set(ids)) == 2


def test_a_file_that_a_batch_holds_names_the_batch(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    assert orders.file("a").batch_id is None
    claimed = orders.work()
    assert orders.file("a").batch_id == claimed.batch_id
    orders.finish(claimed)
    assert orders.file("a").batch_id == claimed.batch_id


def test_a_run_is_lost_when_it_holds_nothing_and_its_worker_is_gone_or_silent_for_long(
    orders: Bookkeeping,
) -> None:
    alive = orders.holder
    dead = dataclasses.replace(alive, started=alive.started - 100)

    def lost() -> dict[str, int | None]:
        with orders.ledger.transaction() as connection:
            return reports.lost_runs(connection, [orders.run_by_hand, "unknown"])

    orders.see(source_file("a"), source_file("b"))
    first, second = orders.ask_for("a", "b", max_files=1)
    assert lost() == {}
    orders.holder = dead
    assert orders.claim(first.batch_id, run_id=orders.run_by_hand)
    assert lost() == {}, "its lease is still to run out"
    orders.ask(
        "UPDATE ingest.batches SET status = 'COMMITTED', finished_at = now() "
        "WHERE batch_id = :id RETURNING 1",
        id=first.batch_id,
    )
    assert lost() == {orders.run_by_hand: dead.pid}
    orders.holder = alive
    assert orders.claim(second.batch_id, run_id=orders.run_by_hand)
    orders.ask(
        "UPDATE ingest.batches SET finished_at = now() - interval '11 minutes' "
        "WHERE batch_id = :id RETURNING 1",
        id=first.batch_id,
    )
    assert lost() == {}, "it works on its second batch"
    orders.ask(
        "UPDATE ingest.batches SET status = 'COMMITTED', finished_at = now() - interval '9 minutes'"
        " WHERE batch_id = :id RETURNING 1",
        id=second.batch_id,
    )
    assert lost() == {}, "it may be about to end"
    orders.ask(
        "UPDATE ingest.batches SET finished_at = now() - interval '11 minutes' "
        "WHERE batch_id = :id RETURNING 1",
        id=second.batch_id,
    )
    assert lost() == {orders.run_by_hand: None}


def test_the_run_of_a_recovered_batch_is_left_alone_while_it_works_on_others(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("a"), source_file("b"))
    first, second = orders.ask_for("a", "b", max_files=1)
    set_status = "UPDATE ingest.batches SET status = :status WHERE batch_id = :id RETURNING 1"

    def to_end() -> list[str]:
        with orders.ledger.transaction() as connection:
            return reports.run_ids(connection, [first.batch_id])

    assert orders.claim(first.batch_id, run_id=orders.run_by_hand)
    orders.ask(set_status, id=first.batch_id, status="COMMITTED")
    assert to_end() == [], "the second is its own, too"
    assert orders.claim(second.batch_id, run_id=orders.run_by_hand)
    assert to_end() == []
    orders.ask(
        "UPDATE ingest.batches SET lease_expires_at = now() - interval '1 second' "
        "WHERE batch_id = :id RETURNING 1",
        id=second.batch_id,
    )
    assert to_end() == [orders.run_by_hand]
    orders.ask(set_status, id=second.batch_id, status="COMMITTED")
    assert to_end() == [orders.run_by_hand]
