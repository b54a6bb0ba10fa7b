"""Which files are due for `source.after_success`, and for how long a refusal lets them alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from ingest_assets.files.finished_object import FinishedObject, ObjectState
from ingest_assets.ledger import pauses, replays, source_objects
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.source_objects import IngestedFile
from ingest_assets_tests.ledger.bookkeeping import NOON, Bookkeeping, source_file

PREFIX = "s3://landing/orders/"


def _due(orders: Bookkeeping, after_days: int = 0, at_most: int = 100) -> list[IngestedFile]:
    with orders.ledger.transaction() as connection:
        return source_objects.due(
            connection, orders.ingestion, PREFIX, after_days=after_days, at_most=at_most
        )


def _keys(files: Sequence[IngestedFile]) -> list[str]:
    return [file.source.key for file in files]


def _ingest(orders: Bookkeeping, *keys: str, etag: str = "a") -> None:
    for key in keys:
        orders.see(source_file(key, etag))
        orders.finish(orders.work())


def _record(orders: Bookkeeping, file: IngestedFile, state: ObjectState) -> None:
    with orders.ledger.transaction() as connection:
        source_objects.record(connection, [(file, FinishedObject(state))])


def test_the_oldest_files_are_due_first_and_those_that_waited_last(orders: Bookkeeping) -> None:
    _ingest(orders, "b", "a", "c", "d")
    assert _keys(_due(orders)) == ["b", "a", "c", "d"]
    assert _keys(_due(orders, at_most=2)) == ["b", "a"]
    assert _due(orders, after_days=1) == []
    first, second, *_ = _due(orders)
    _record(orders, first, ObjectState.WAITING)
    _record(orders, second, ObjectState.DELETED)
    assert _keys(_due(orders)) == ["c", "d"]
    orders.ask("UPDATE ingest.files SET source_retry_at = now() WHERE key = 'b' RETURNING 1")
    assert _keys(_due(orders)) == ["c", "d", "b"]


def test_only_the_newest_content_of_a_file_is_due(orders: Bookkeeping) -> None:
    _ingest(orders, "a", "b")
    orders.see(source_file("a", "newer"))
    orders.ask_for("b")
    assert _due(orders) == []
    orders.finish(orders.work(), snapshot_id=8)
    (file,) = _due(orders)
    assert (file.source.key, file.source.etag) == ("a", "newer")
    _record(orders, file, ObjectState.MOVED)
    orders.see(source_file("a", "newest"))
    assert orders.file("a").source_state is None, "what was moved is the content before"
    orders.finish(orders.work())
    assert _keys(_due(orders)) == ["a"]


def test_files_that_may_be_wanted_again_are_not_due(orders: Bookkeeping) -> None:
    orders.see(source_file("good"), source_file("rejected"), source_file("failed"))
    batch = orders.work()
    ids = {file.source.key: file.file_id for file in batch.files}
    orders.finish(
        batch,
        FileOutcome(ids["good"], "SUCCESS", rows=3),
        FileOutcome(ids["rejected"], "SUCCESS", rows=3, rejected=1),
        FileOutcome(ids["failed"], "FAILED", error="cut"),
    )
    assert _keys(_due(orders)) == ["good"]


def test_a_file_that_is_not_what_the_declaration_means_now_is_not_whole(
    orders: Bookkeeping,
) -> None:
    _ingest(orders, "a")

    def is_whole(prefix: str) -> list[bool]:
        with orders.ledger.transaction() as connection:
            found = source_objects.due(
                connection, orders.ingestion, prefix, after_days=0, at_most=10
            )
        return [file.is_whole for file in found]

    assert is_whole(PREFIX) == [True]
    assert is_whole("s3://landing/") == [False], "its key was relative to another prefix"
    for change in ("content_id = content_id + 1000000", "also_in = '{raw.other}'"):
        values = "WHERE ingestion = :ingestion RETURNING 1"
        orders.ask(f"UPDATE ingest.files SET {change} {values}")
        assert is_whole(PREFIX) == [False], change
        orders.ask(
            f"UPDATE ingest.files SET content_id = committed_content_id, also_in = '{{}}' {values}"
        )


def test_an_object_that_comes_back_with_the_same_bytes_is_due_again(orders: Bookkeeping) -> None:
    _ingest(orders, "a", "b")
    for file in _due(orders):
        _record(orders, file, ObjectState.DELETED)
    listed = [source_file("a", minute=5), source_file("b")]
    with orders.ledger.transaction() as connection:
        source_objects.note_returned(connection, orders.ingestion, listed)
    assert _keys(_due(orders)) == ["a"]
    assert orders.file("b").source_state == "deleted"


def test_an_object_that_was_found_gone_and_is_listed_is_due_again_whatever_its_time(
    orders: Bookkeeping,
) -> None:
    """As when a delete marker is taken away, or a bucket was not the one that was meant."""
    _ingest(orders, "a", "b", "c")
    gone, deleted, other = _due(orders)
    _record(orders, gone, ObjectState.GONE)
    _record(orders, deleted, ObjectState.DELETED)
    _record(orders, other, ObjectState.GONE)
    listed = [source_file("a"), source_file("b"), source_file("c", "newer")]
    with orders.ledger.transaction() as connection:
        source_objects.note_returned(connection, orders.ingestion, listed)
    assert _keys(_due(orders)) == ["a"]


def test_what_one_pass_did_stays_when_another_finds_nothing_there_any_more(
    orders: Bookkeeping,
) -> None:
    _ingest(orders, "a", "b")
    first, second = _due(orders)
    moved = FinishedObject(ObjectState.MOVED, "s3://landing/done/a", "copied")
    with orders.ledger.transaction() as connection:
        source_objects.record(connection, [(first, moved), (second, moved)])
    _record(orders, first, ObjectState.GONE)
    _record(orders, second, ObjectState.WAITING)
    for key in ("a", "b"):
        file = orders.file(key)
        assert (file.source_state, file.source_moved_to) == ("moved", moved.moved_to)
    assert _due(orders) == []


def test_the_same_upload_told_of_more_exactly_has_not_come_back(orders: Bookkeeping) -> None:
    _ingest(orders, "a", "b")
    for file in _due(orders):
        _record(orders, file, ObjectState.TAGGED)
    exact = replace(source_file("a"), modified_at=NOON + timedelta(milliseconds=400))
    later = replace(source_file("b"), modified_at=NOON + timedelta(milliseconds=1400))
    with orders.ledger.transaction() as connection:
        source_objects.note_returned(connection, orders.ingestion, [exact, later])
    assert _keys(_due(orders)) == ["b"]


def test_an_object_that_comes_back_while_a_batch_holds_its_file_is_due_later(
    orders: Bookkeeping,
) -> None:
    _ingest(orders, "a")
    for file in _due(orders):
        _record(orders, file, ObjectState.MOVED)
    (planned,) = orders.ask_for("a")
    batch = orders.claim(planned.batch_id, orders.run_by_hand)
    assert batch is not None

    def come_back() -> str | None:
        with orders.ledger.transaction() as connection:
            back = [source_file("a", minute=5)]
            source_objects.note_returned(connection, orders.ingestion, back)
        return orders.file("a").source_state

    assert come_back() == "moved", "the batch reads it from where it was moved"
    orders.finish(batch, snapshot_id=8)
    assert come_back() is None
    assert _keys(_due(orders)) == ["a"]


def test_a_file_that_has_newer_content_by_now_is_not_called_gone(orders: Bookkeeping) -> None:
    _ingest(orders, "a", "b")
    files = _due(orders)
    orders.see(source_file("a", "newer"))
    for file in files:
        _record(orders, file, ObjectState.DELETED)
    assert orders.file("a").gone_at is None
    assert orders.file("b").gone_at is not None


def test_a_file_that_is_to_be_read_again_is_not_due_any_more(orders: Bookkeeping) -> None:
    _ingest(orders, "a", "held", "newer", "replayed")
    files = _due(orders)
    orders.ask_for("held")
    orders.see(source_file("newer", "newer"))
    with orders.ledger.transaction() as connection:
        ids = [file.file_id for file in files if file.source.key == "replayed"]
        replays.send_back(
            connection, orders.ingestion, ids, replays.REPLAYABLE, actor="Ada", detail={}
        )
        due = [file for file in files if source_objects.is_still_due(connection, file)]
    assert _keys(due) == ["a"]


def test_each_refusal_of_the_store_doubles_the_pause_up_to_an_hour(orders: Bookkeeping) -> None:
    minutes = []
    for _ in range(9):
        with orders.ledger.transaction() as connection:
            pauses.pause(connection, orders.ingestion, "source")
            assert pauses.is_paused(connection, orders.ingestion, "source")
        ((pause,),) = orders.ask(
            "SELECT extract(epoch FROM source_retry_at - now()) / 60 FROM ingest.ingestions "
            "WHERE name = :ingestion"
        )
        minutes.append(round(pause))
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    with orders.ledger.transaction() as connection:
        pauses.resume(connection, orders.ingestion, "source")
        assert not pauses.is_paused(connection, orders.ingestion, "source")
        pauses.pause(connection, orders.ingestion, "source")
    ((pause,),) = orders.ask(
        "SELECT source_failures FROM ingest.ingestions WHERE name = :ingestion"
    )
    assert pause == 1
