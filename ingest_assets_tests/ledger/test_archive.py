"""Which attempts go to the archive, which stay because work reads them, and what comes back."""

from datetime import timedelta

from sqlalchemy import text

from ingest_assets.ledger import archive, changed_files, dead_letters, kept_contents, leases
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file

DAY = timedelta(days=1)


def make_old(orders: Bookkeeping, *batch_ids: str) -> None:
    """These batches finished two days ago, and Dagster was told of them."""
    with orders.ledger.transaction() as connection:
        connection.execute(
            text("""
                UPDATE ingest.batches
                SET finished_at = finished_at - interval '2 days', reported_at = now()
                WHERE batch_id = ANY(:batch_ids)
            """),
            {"batch_ids": list(batch_ids)},
        )


def archive_all(orders: Bookkeeping, at_most: int = 100) -> tuple[int, int]:
    with orders.ledger.transaction() as connection:
        return archive.archive_attempts(connection, orders.ingestion, retain=DAY, at_most=at_most)


def archived(orders: Bookkeeping) -> list[tuple[str, bool]]:
    with orders.ledger.transaction() as connection:
        found = archive.attempts_of(connection, orders.ingestion, ["a", "b"])
    return [(attempt.batch_id, attempt.is_archived) for attempt in found]


def ingested(orders: Bookkeeping, etag: str, outcome: str = "SUCCESS") -> str:
    orders.see(source_file("a", etag))
    batch = orders.work()
    (file,) = batch.files
    orders.finish(batch, FileOutcome(file.file_id, outcome))  # type: ignore[arg-type]
    return batch.batch_id


def test_the_newest_attempt_and_that_of_the_rows_in_the_table_stay(orders: Bookkeeping) -> None:
    first, second = ingested(orders, "1"), ingested(orders, "2")
    third, fourth = ingested(orders, "3", "DEAD_LETTER"), ingested(orders, "4", "DEAD_LETTER")
    make_old(orders, first, second, third, fourth)
    assert archive_all(orders) == (4, 2)
    assert archived(orders) == [(first, True), (second, False), (third, True), (fourth, False)]
    assert archive_all(orders) == (0, 0)


def test_one_that_stayed_goes_with_the_next_batch_that_is_old(orders: Bookkeeping) -> None:
    first = ingested(orders, "1")
    make_old(orders, first)
    assert archive_all(orders) == (1, 0)
    second = ingested(orders, "2")
    assert archive_all(orders) == (0, 0)
    make_old(orders, second)
    assert archive_all(orders) == (1, 1)
    assert archived(orders) == [(first, True), (second, False)]


def test_a_batch_that_dagster_was_not_told_of_is_left_alone(orders: Bookkeeping) -> None:
    first, second = ingested(orders, "1"), ingested(orders, "2")
    make_old(orders, first, second)
    with orders.ledger.transaction() as connection:
        connection.execute(
            text("UPDATE ingest.batches SET reported_at = NULL WHERE batch_id = :id"), {"id": first}
        )
    assert archive_all(orders) == (1, 0)
    assert archived(orders) == [(first, False), (second, False)]


def test_attempts_that_tell_of_schema_versions_and_other_tables_stay(orders: Bookkeeping) -> None:
    orders.see(source_file("a", "1"))
    parked = ingested(orders, "1", "PARKED")
    newest = ingested(orders, "2")
    make_old(orders, parked, newest)
    assert archive_all(orders) == (2, 0)
    assert archived(orders) == [(parked, False), (newest, False)]


def test_so_many_batches_are_looked_at_at_a_time_the_oldest_first(orders: Bookkeeping) -> None:
    made = [ingested(orders, etag) for etag in "123"]
    make_old(orders, *made)
    assert [archive_all(orders, at_most=2) for _ in range(3)] == [(2, 2), (1, 0), (0, 0)]


def keep_old_contents(orders: Bookkeeping) -> None:
    with orders.ledger.transaction() as connection:
        changed_files.follow(connection, orders.ingestion, "append")


def roll_back(orders: Bookkeeping, *batch_ids: str) -> tuple[str, ...]:
    with orders.ledger.transaction() as connection:
        return kept_contents.note_rolled_back(connection, orders.ingestion, batch_ids)


def test_a_rollback_is_noticed_of_every_content_that_append_kept(orders: Bookkeeping) -> None:
    keep_old_contents(orders)
    made = [ingested(orders, etag) for etag in "123"]
    make_old(orders, *made)
    assert archive_all(orders) == (3, 0)
    assert roll_back(orders, made[0]) == ("a",)


def test_a_content_is_that_of_an_older_batch_again_that_is_in_the_archive(
    orders: Bookkeeping,
) -> None:
    keep_old_contents(orders)
    older, _, newer = (ingested(orders, etag) for etag in "121")
    last = ingested(orders, "3")
    make_old(orders, older, newer, last)
    assert archive_all(orders) == (3, 1)
    assert (older, True) in archived(orders)
    assert roll_back(orders, newer) == ()
    whose = orders.ask("""
        SELECT c.committed_batch_id FROM ingest.contents c JOIN ingest.files f USING (file_id)
        WHERE f.ingestion = :ingestion AND c.etag = '1'
    """)
    assert [row.committed_batch_id for row in whose] == [older]


def test_an_attempt_stays_as_long_as_its_dead_letter_is_to_be_copied(orders: Bookkeeping) -> None:
    refused, ingested_after = ingested(orders, "1", "DEAD_LETTER"), ingested(orders, "2")
    make_old(orders, refused, ingested_after)
    assert archive_all(orders) == (2, 0)
    with orders.ledger.transaction() as connection:
        (letter,) = dead_letters.take(connection, orders.ingestion, 10)
        assert letter.batch_id == refused
        dead_letters.mark_done(connection, letter, copy_uri=None, report_uri="file:///a")
    later = ingested(orders, "3")
    make_old(orders, later)
    assert archive_all(orders) == (1, 2)


def test_a_released_batch_that_is_in_the_table_after_all_gets_its_attempts_back(
    orders: Bookkeeping,
) -> None:
    orders.see(source_file("a"), source_file("b"))
    slept = orders.work()
    orders.release(slept, crashed=True)
    later = orders.work()
    orders.finish(later, snapshot_id=1)
    make_old(orders, slept.batch_id, later.batch_id)
    assert archive_all(orders) == (2, 2)
    with orders.ledger.transaction() as connection:
        taken = leases.take_up_strays(connection, orders.ingestion, [slept.batch_id], orders.holder)
    assert taken == [slept.batch_id]
    assert {row.status for row in map(orders.file, "ab")} == {"PROCESSING"}
    moved = [found for found in archived(orders) if found[0] == slept.batch_id]
    assert moved == [(slept.batch_id, False)] * 2
