"""Files whose rows a rollback of the table took out are ingested again."""

from ingest_assets.ledger import rollbacks
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file


def _requeue(orders: Bookkeeping, *batch_ids: str) -> tuple[str, ...]:
    with orders.ledger.transaction() as connection:
        return rollbacks.requeue(connection, orders.ingestion, batch_ids)


def test_the_files_of_an_abandoned_batch_are_discovered_again(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    kept = orders.work()
    orders.finish(kept)
    orders.see(source_file("b"), source_file("c"))
    abandoned = orders.work()
    orders.finish(abandoned)
    assert _requeue(orders, abandoned.batch_id, "of no ingestion") == (abandoned.batch_id,)
    assert _requeue(orders, abandoned.batch_id) == ()
    assert orders.statuses() == {"a": "SUCCESS", "b": "DISCOVERED", "c": "DISCOVERED"}
    row = orders.file("b")
    assert (row.attempts, row.rows, row.committed_etag, row.snapshot_id) == (0, None, None, None)
    planned = orders.plan()
    assert planned is not None
    assert planned.keys == ("b", "c")


def test_a_file_that_a_later_batch_brought_in_again_is_left_alone(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    abandoned = orders.work()
    orders.finish(abandoned)
    orders.see(source_file("a", "b", minute=1))
    orders.finish(orders.work())
    assert _requeue(orders, abandoned.batch_id) == ()
    assert orders.file("a").status == "SUCCESS"


def test_a_file_that_a_batch_holds_is_left_to_it(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    abandoned = orders.work()
    orders.finish(abandoned)
    orders.see(source_file("a", "b", minute=1))
    held = orders.work()
    assert _requeue(orders, abandoned.batch_id) == ()
    assert orders.file("a").status == "PROCESSING"
    orders.finish(held, FileOutcome(held.files[0].file_id, "DEAD_LETTER", error="cut"))
    assert _requeue(orders, abandoned.batch_id) == (abandoned.batch_id,)
    assert orders.file("a").status == "DISCOVERED"


def test_another_ingestion_s_batches_are_not_touched(orders: Bookkeeping) -> None:
    orders.see(source_file("a"))
    claimed = orders.work()
    orders.finish(claimed)
    other = Bookkeeping(orders.ledger, "somebody_elses")
    assert _requeue(other, claimed.batch_id) == ()
    assert orders.file("a").status == "SUCCESS"
