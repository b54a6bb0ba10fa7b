"""What a listing writes into the ledger, whatever else happens to the file meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from ingest_assets.ledger import (
    batches,
    changed_files,
    gone_files,
    listing,
    listing_progress,
    lookup,
    outcomes,
    recorded,
)
from ingest_assets.ledger.listing import Seen
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.row_locks import lock_ingestion
from ingest_assets_tests.ledger.bookkeeping import BACKOFF, Bookkeeping, source_file

ODD_KEYS = [
    "2026/01/müller.json",
    "日本/注文 1.json",
    "a\nb.json",
    "tab\there.json",
    "50%.json",
    "50%25.json",
    'it\'s "quoted".json',
    "back\\slash.json",
    "{braces}:colon.json",
    "😀.json",
    " leading and trailing ",
    "$$; DROP TABLE ingest.files; --",
    "é" * 512,
]


def _content_ids(orders: Bookkeeping) -> dict[str, int]:
    rows = orders.ask("SELECT key, content_id FROM ingest.files WHERE ingestion = :ingestion")
    return {row.key: row.content_id for row in rows}


def test_new_files_are_discovered_at_their_content(orders: Bookkeeping) -> None:
    assert orders.see(source_file("b"), source_file("a", "e2", size_bytes=99)) == Seen(new=2)
    assert orders.statuses() == {"a": "DISCOVERED", "b": "DISCOVERED"}
    row = orders.file("a")
    assert (row.etag, row.size_bytes, row.attempts) == ("e2", 99, 0)
    contents = orders.ask("""
        SELECT c.etag FROM ingest.files f JOIN ingest.contents c USING (content_id)
        WHERE f.ingestion = :ingestion AND c.file_id = f.file_id ORDER BY f.key
    """)
    assert [content.etag for content in contents] == ["e2", "a"]


def test_the_same_listing_again_changes_nothing(orders: Bookkeeping) -> None:
    files = [source_file(str(number)) for number in range(50)]
    orders.see(*files)
    before = orders.ask("SELECT * FROM ingest.files WHERE ingestion = :ingestion ORDER BY key")
    assert orders.see(*files) == Seen()
    after = orders.ask("SELECT * FROM ingest.files WHERE ingestion = :ingestion ORDER BY key")
    assert after == before


def test_a_touched_file_with_the_same_etag_is_unchanged(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    orders.finish(orders.work())
    assert orders.see(source_file("a", minute=30)) == Seen()
    assert orders.file("a").status == "SUCCESS"


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_is_kept_as_it_is(orders: Bookkeeping, key: str) -> None:
    assert orders.see(source_file(key)) == Seen(new=1)
    assert orders.see(source_file(key)) == Seen()
    assert orders.see(source_file(key, "b")) == Seen(changed=1)
    assert orders.file(key).key == key
    planned = orders.plan()
    assert planned is not None
    assert planned.keys == (key,)


def test_files_are_given_in_the_byte_order_of_their_keys(orders: Bookkeeping) -> None:
    keys = ["b", "B", "a", "_", "ä", "Z", "\U0001f600", "\uffff"]
    orders.see(*(source_file(key) for key in keys))
    with orders.ledger.transaction() as connection:
        listed = [row.key for row in lookup.files(connection, orders.ingestion)]
    assert listed == sorted(keys, key=str.encode)


def test_two_listings_at_once_record_each_file_once(orders: Bookkeeping) -> None:
    files = [source_file(f"{number:04}") for number in range(1000)]
    begin = threading.Barrier(2)

    def see(listed: list[object]) -> Seen:
        begin.wait()
        return orders.see(*listed)  # type: ignore[arg-type]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(see, [files, files[::-1]]))
        changed = [source_file(file.key, "b", minute=1) for file in files]
        list(pool.map(see, [changed, changed[::-1]]))
    (count,) = orders.ask("""
        SELECT count(DISTINCT f.file_id) AS files, count(*) AS contents,
               count(*) FILTER (WHERE f.content_id = c.content_id AND c.etag = 'b') AS newest
        FROM ingest.files f JOIN ingest.contents c USING (file_id)
        WHERE f.ingestion = :ingestion
    """)
    assert tuple(count) == (1000, 2000, 1000)


def test_a_file_that_changed_while_it_was_planned_is_claimed_at_its_new_content(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("a"))
    planned = orders.plan()
    assert planned is not None
    assert orders.see(source_file("a", "b", minute=5, size_bytes=77)) == Seen(changed=1)
    claimed = orders.claim(planned.batch_id)
    assert claimed is not None
    (file,) = claimed.files
    assert (file.source.etag, file.source.size_bytes) == ("b", 77)
    assert file.content_id == _content_ids(orders)["a"]
    orders.finish(claimed)
    row = orders.file("a")
    assert (row.status, row.committed_etag) == ("SUCCESS", "b")


@pytest.mark.parametrize("outcome", ["SUCCESS", "FAILED", "DEAD_LETTER", "PARKED"])
def test_a_file_that_changed_while_it_was_read_goes_round_again(
    orders: Bookkeeping, outcome: outcomes.Outcome
) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    assert orders.see(source_file("a", "b", minute=5)) == Seen(changed=1)
    row = orders.file("a")
    assert (row.status, row.etag, row.batch_id) == ("PROCESSING", "b", claimed.batch_id)
    assert orders.plan() is None
    orders.finish(claimed, FileOutcome(claimed.files[0].file_id, outcome, error="bad", rows=3))
    row = orders.file("a")
    assert (row.status, row.attempts, row.error, row.next_attempt_at) == (
        "DISCOVERED",
        0,
        None,
        None,
    )
    assert row.committed_etag == ("a" if outcome == "SUCCESS" else None)
    again = orders.work()
    assert again.files[0].source.etag == "b"
    was = claimed.files[0].content_id if outcome == "SUCCESS" else None
    assert again.files[0].committed_content_id == was


def test_a_file_that_changed_back_while_it_was_read_is_done(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    orders.see(source_file("a", "b", minute=5))
    orders.see(source_file("a", "a", minute=6))
    orders.finish(claimed)
    assert orders.file("a").status == "SUCCESS"


def test_a_content_that_comes_back_has_its_old_id(orders: Bookkeeping) -> None:
    orders.see(source_file("a", "A"))
    first = _content_ids(orders)["a"]
    orders.see(source_file("a", "B", minute=1))
    assert _content_ids(orders)["a"] != first
    orders.see(source_file("a", "A", minute=2))
    assert _content_ids(orders)["a"] == first


@pytest.mark.parametrize("outcome", ["SUCCESS", "FAILED", "DEAD_LETTER", "PARKED"])
def test_new_content_sends_a_finished_file_round_again(
    orders: Bookkeeping, outcome: outcomes.Outcome
) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    orders.finish(claimed, FileOutcome(claimed.files[0].file_id, outcome, error="bad"))
    assert orders.see(source_file("a", "b", minute=5)) == Seen(changed=1)
    row = orders.file("a")
    assert (row.status, row.attempts, row.error, row.next_attempt_at) == (
        "DISCOVERED",
        0,
        None,
        None,
    )


def test_a_time_told_more_exactly_is_no_new_upload_of_a_dead_letter(orders: Bookkeeping) -> None:
    looked_at = source_file("a")
    orders.see(looked_at)
    claimed = orders.work()
    orders.finish(claimed, FileOutcome(claimed.files[0].file_id, "DEAD_LETTER", error="bad"))
    for later, seen in ((0.9, Seen()), (1.9, Seen(changed=1))):
        modified_at = looked_at.modified_at + timedelta(seconds=later)
        assert orders.see(replace(looked_at, modified_at=modified_at)) == seen


def test_a_dead_letter_that_is_uploaded_again_is_tried_again(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    orders.finish(claimed, FileOutcome(claimed.files[0].file_id, "DEAD_LETTER", error="bad"))
    assert orders.see(source_file("a")) == Seen()
    assert orders.see(source_file("a", minute=5)) == Seen(changed=1)
    assert orders.see(source_file("a", minute=5)) == Seen()
    again = orders.work()
    assert again.files[0].content_id == claimed.files[0].content_id


def test_skipped_files_are_known_and_never_planned(orders: Bookkeeping) -> None:
    files = [source_file("old"), source_file("new")]
    assert orders.see(*files, skipped=["old"]) == Seen(new=1, skipped=1)
    assert orders.see(*files) == Seen()
    assert orders.statuses() == {"old": "SKIPPED", "new": "DISCOVERED"}
    planned = orders.plan()
    assert planned is not None
    assert planned.keys == ("new",)


def test_a_skipped_file_with_new_content_is_discovered(orders: Bookkeeping) -> None:
    orders.see(source_file("old"), skipped=["old"])
    assert orders.see(source_file("old", "b", minute=5)) == Seen(changed=1)
    assert orders.file("old").status == "DISCOVERED"


def test_a_changed_file_that_is_not_wanted_counts_as_skipped_only(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    assert orders.see(source_file("a", "b"), skipped=["a"]) == Seen(skipped=1)
    assert orders.file("a").status == "SKIPPED"


def test_the_first_listing_lasts_until_one_came_to_the_end(orders: Bookkeeping) -> None:
    with orders.ledger.transaction() as connection:
        begun = listing_progress.listing_progress(connection, orders.ingestion)
        assert begun.first_since is not None
        assert begun.after is None
        listing_progress.pause_listing(connection, orders.ingestion, begun, "2026/é.json")
    with orders.ledger.transaction() as connection:
        paused = listing_progress.listing_progress(connection, orders.ingestion)
        assert (paused.first_since, paused.after) == (begun.first_since, "2026/é.json")
        listing_progress.end_listing(connection, orders.ingestion, paused)
    with orders.ledger.transaction() as connection:
        ended = listing_progress.listing_progress(connection, orders.ingestion)
        assert (ended.first_since, ended.after) == (None, None)


def test_a_look_that_began_before_a_file_was_found_gone_does_not_bring_it_back(
    orders: Bookkeeping,
) -> None:
    file = source_file("a.json")
    orders.see(file)
    with orders.ledger.transaction() as connection:
        looked_at = recorded.now(connection)
    with orders.ledger.transaction() as connection:
        gone_files.note_gone(connection, orders.ingestion, ["a.json"], recorded.now(connection))
    with orders.ledger.transaction() as connection:
        listing.record_listing(connection, orders.ingestion, [file], looked_at=looked_at)
    gone = "SELECT key FROM ingest.files WHERE ingestion = :ingestion AND gone_at IS NOT NULL"
    assert len(orders.ask(gone)) == 1
    orders.see(file)
    assert orders.ask(gone) == []


def _in_thread_while_open(orders: Bookkeeping, held: object, work: object) -> None:
    """`work` runs in another thread and waits for the locks of a transaction that did `held`."""
    with ThreadPoolExecutor(1) as pool:
        with orders.ledger.transaction() as connection:
            held(connection)  # type: ignore[operator]
            future = pool.submit(work)  # type: ignore[arg-type]
            _wait_for_a_waiting_lock(orders)
        future.result(timeout=20)


def _wait_for_a_waiting_lock(orders: Bookkeeping) -> None:
    for _ in range(200):
        waiting = orders.ask("""
            SELECT 1 FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND datname = current_database()
        """)
        if waiting:
            return
        threading.Event().wait(0.05)
    raise AssertionError("nobody waits for a lock")


def test_new_content_that_a_finishing_batch_waits_for_is_not_lost(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    _in_thread_while_open(
        orders,
        lambda connection: listing.record_listing(
            connection, orders.ingestion, [source_file("a", "b", minute=5)]
        ),
        lambda: orders.finish(claimed),
    )
    row = orders.file("a")
    assert (row.status, row.committed_etag, row.etag) == ("DISCOVERED", "a", "b")


def test_new_content_that_waits_for_a_finishing_batch_is_not_lost(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    results = [FileOutcome(claimed.files[0].file_id, "SUCCESS", rows=3)]
    with orders.ledger.transaction() as connection:
        outcomes.record(connection, claimed.batch_id, results, [])
    _in_thread_while_open(
        orders,
        lambda connection: outcomes.finish(
            connection,
            claimed.batch_id,
            claimed.token,
            snapshot_id=7,
            backoff=BACKOFF,
        ),
        lambda: orders.see(source_file("a", "b", minute=5)),
    )
    row = orders.file("a")
    assert (row.status, row.committed_etag, row.etag) == ("DISCOVERED", "a", "b")


def test_a_claim_that_waits_for_a_listing_works_on_the_content_that_it_notes(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("a"))
    planned = orders.plan()
    assert planned is not None
    claimed: list[batches.ClaimedBatch | None] = []
    _in_thread_while_open(
        orders,
        lambda connection: listing.record_listing(
            connection, orders.ingestion, [source_file("a", "b", minute=5)]
        ),
        lambda: claimed.append(orders.claim(planned.batch_id)),
    )
    (batch,) = claimed
    assert batch is not None
    (attempt,) = orders.ask(
        "SELECT content_id FROM ingest.attempts WHERE batch_id = :batch_id", batch_id=batch.batch_id
    )
    assert attempt.content_id == batch.files[0].content_id
    assert batch.files[0].source.etag == "b"


def test_a_new_mode_waits_for_a_file_before_it_holds_the_ingestion(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    orders.finish(orders.work())
    orders.see(source_file("a", "b", minute=5))

    def follow() -> None:
        with orders.ledger.transaction() as connection:
            changed_files.follow(connection, orders.ingestion, "ignore")

    with ThreadPoolExecutor(1) as pool:
        with orders.ledger.transaction() as connection:
            held = text("SELECT 1 FROM ingest.files WHERE ingestion = :name FOR NO KEY UPDATE")
            connection.execute(held, {"name": orders.ingestion})
            following = pool.submit(follow)
            _wait_for_a_waiting_lock(orders)
            connection.execute(text("SET LOCAL lock_timeout = '2s'"))
            lock_ingestion(connection, orders.ingestion)
        following.result(timeout=30)
    assert orders.file("a").status == "SUCCESS"


def test_listings_and_batches_of_the_same_files_never_wait_in_a_ring(orders: Bookkeeping) -> None:
    """A deadlock would be a LedgerError of one of them."""
    keys = [f"{number:03}" for number in range(200)]
    # Modified in the opposite order of the keys, so that a batch's order is not the listing's.
    orders.see(*(source_file(key, "0", minute=-int(key)) for key in keys))

    def listings() -> None:
        for turn in range(1, 15):
            orders.see(*(source_file(key, str(turn), minute=-int(key)) for key in keys))

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(listings)
        while not future.done():
            if planned := orders.plan():
                claimed = orders.claim(planned.batch_id)
                assert claimed is not None
                orders.finish(claimed)
        future.result()
    while orders.plan() is not None:
        pass
