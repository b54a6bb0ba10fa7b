"""Files that the bucket's events tell of, over a real S3, SQS, SNS and EventBridge server."""

import json
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ingest_assets.engine import discovery, notifications
from ingest_assets.engine.discovery import discover
from ingest_assets.errors import LedgerError, ObjectStoreError
from ingest_assets.files import object_store, store
from ingest_assets.files.discovery import wanted_pages
from ingest_assets.files.looking import Looked, look_at
from ingest_assets.files.notifications import queue as queue_module
from ingest_assets.files.notifications.errors import QueueError
from ingest_assets.files.object_store import Patience
from ingest_assets.files.store import SourceStore
from ingest_assets.files.unreachable import StoreUnreachableError
from ingest_assets.ledger import listing
from ingest_assets.ledger.row_locks import lock_ingestion
from ingest_assets_tests.aws_server import AwsServer, s3_event
from ingest_assets_tests.end_to_end.landing import Landing
from ingest_assets_tests.end_to_end.silent_server import SilentServer
from ingest_assets_tests.end_to_end.waiting import wait_for
from ingest_assets_tests.end_to_end.workshop import Workshop


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def landing(
    tmp_path: Path, fresh_database: str, aws: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Landing]:
    """An empty source; the queue is not connected to the bucket yet, and has been read once."""
    for name, value in aws.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(queue_module, "WAIT_SECONDS", 0)
    workshop = Workshop(tmp_path / "home", fresh_database, aws, aws.make_bucket())
    made = Landing(workshop, aws)
    made.find()
    yield made
    workshop.close()


def _straight(landing: Landing) -> None:
    landing.aws.notify(landing.bucket, landing.queue_url)


def _by_topic(landing: Landing) -> None:
    landing.aws.notify_by_topic(landing.bucket, landing.queue_url, is_raw=False)


def _by_raw_topic(landing: Landing) -> None:
    landing.aws.notify_by_topic(landing.bucket, landing.queue_url, is_raw=True)


def _by_eventbridge(landing: Landing) -> None:
    landing.aws.notify_by_eventbridge(landing.bucket, landing.queue_url)


@pytest.mark.parametrize("connect", [_straight, _by_topic, _by_raw_topic, _by_eventbridge])
def test_a_file_that_an_event_tells_of_is_a_row_in_the_table(
    landing: Landing, connect: Callable[[Landing], None]
) -> None:
    connect(landing)
    landing.put("2026/a b+c%20.jsonl", 1)
    result = landing.ingest()
    assert result.counts == {"SUCCESS": 1}
    assert landing.workshop.order_ids() == [1]
    landing.put("2026/a b+c%20.jsonl", 2)
    landing.put("b.jsonl", 3)
    assert landing.ingest().counts == {"SUCCESS": 2}
    assert landing.workshop.order_ids() == [2, 3]
    assert landing.aws.messages(landing.queue_url) == 0
    assert landing.counts()["created"] == 3
    assert landing.odd() == []


def test_each_odd_message_is_counted_kept_and_deleted(landing: Landing) -> None:
    bucket = landing.bucket
    _straight(landing)
    landing.put("a.jsonl", 1)
    landing.workshop.put("folder/", b"")
    landing.aws.put(bucket, "other/b.jsonl", b"{}")
    landing.aws.put(bucket, "orders/.note", b"no order")
    landing.put("gone.jsonl", 4)
    landing.remove("gone.jsonl")
    landing.source["pattern"] = "**/*.jsonl"
    unreadable = ["no JSON", "[1]", '{"Records": []}', s3_event(bucket, "orders/%FF.jsonl")]
    elsewhere = s3_event("another-bucket", "orders/a.jsonl")
    half = json.loads(s3_event(bucket, "orders/c+d%2B.jsonl"))
    half["Records"].append({"s3": "not an object"})
    landing.put("c d+.jsonl", 2)
    landing.send(*unreadable, elsewhere, json.dumps(half))
    landing.send(s3_event(bucket, "orders/a.jsonl", "ObjectTagging:Put"))

    result = landing.ingest()

    assert result.counts == {"SUCCESS": 2}
    assert landing.workshop.statuses() == {"a.jsonl": "SUCCESS", "c d+.jsonl": "SUCCESS"}
    assert landing.workshop.order_ids() == [1, 2]
    assert landing.aws.messages(landing.queue_url) == 0
    assert landing.counts() == {
        "message": 15,
        "test": 1,
        "created": 4,
        "removed": 1,
        "other_event": 1,
        "folder_marker": 1,
        "left_out_by_pattern": 1,
        "other_bucket": 1,
        "other_prefix": 1,
        "unreadable": 5,
    }
    kept = landing.odd()
    assert [(kind, count) for kind, _, count in kept] == [
        ("other_bucket", 1),
        ("other_prefix", 1),
        *[("unreadable", 1)] * 5,
    ]
    assert {body for kind, body, _ in kept if kind != "other_prefix"} == {
        *unreadable,
        elsewhere,
        json.dumps(half),
    }


def test_a_tick_says_what_the_queue_brought(landing: Landing) -> None:
    landing.put("a.jsonl")
    landing.send(
        s3_event(landing.bucket, "orders/a.jsonl"),
        s3_event(landing.bucket, "orders/a.jsonl"),
        s3_event(landing.bucket, "orders/never.jsonl"),
        s3_event(landing.bucket, "returns/a.jsonl"),
        "no JSON",
    )
    summary = landing.tick().summary()
    assert summary.startswith(
        "1 new files, 0 changed; 5 messages: 1 files, 1 gone, 1 of another prefix, 1 unreadable; "
        "1 files in 1 runs asked for"
    ), summary
    assert "; no messages" in landing.tick().summary()


def test_a_body_that_is_long_or_that_postgres_cannot_hold_is_cut(landing: Landing) -> None:
    landing.send("é" * 20_000)
    landing.find()
    [(kind, body, count)] = landing.odd()
    assert (kind, len(body.encode()), count) == ("unreadable", 10_240, 1)


@pytest.mark.parametrize("seed", range(5))
def test_messages_that_come_three_times_in_any_order_change_nothing(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(queue_module, "VISIBILITY_SECONDS", 15)
    monkeypatch.setattr(queue_module, "ROUND_MESSAGES", chance.choice([20, 110, 1000]))
    keys = [f"{number % 3}/{number:03}.jsonl" for number in range(20)]
    for number, key in enumerate(keys):
        landing.put(key, number)
    for key in keys[:5]:
        landing.remove(key)
    told = [s3_event(landing.bucket, f"orders/{key}") for key in keys]
    told += [s3_event(landing.bucket, f"orders/{key}", "ObjectRemoved:Delete") for key in keys[:5]]
    bodies = [*told * 3, *["odd"] * 3]
    chance.shuffle(bodies)
    half = len(bodies) // 2
    for part in (bodies[:half], bodies[half:]):
        landing.send(*part)
        landing.find(time_limit=None)
    assert landing.workshop.statuses() == dict.fromkeys(sorted(keys[5:]), "DISCOVERED")
    [contents] = landing.ask("SELECT count(*) AS n FROM ingest.contents")
    assert contents.n == 15
    _empty(landing)
    least = {"message": 3 * 26, "created": 3 * 20, "removed": 3 * 5, "unreadable": 3}
    assert landing.counts().keys() == least.keys()
    assert all(landing.counts()[kind] >= count for kind, count in least.items())


def _empty(landing: Landing) -> None:
    """What this queue's server gave to nobody, or did not delete when it said so, comes again."""
    until = time.monotonic() + 60
    while landing.aws.messages(landing.queue_url):
        assert time.monotonic() < until
        landing.find(timedelta(minutes=1))


def test_a_message_is_deleted_only_when_the_ledger_has_its_file(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "VISIBILITY_SECONDS", 1)
    landing.put("a.jsonl")
    landing.send(s3_event(landing.bucket, "orders/a.jsonl"), "odd")

    def postgres_dies(connection: Any, *_: object) -> None:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(listing, "record_listing", postgres_dies)
        with pytest.raises(LedgerError):
            landing.find()
    assert landing.workshop.statuses() == {}
    assert landing.counts() == {}
    assert landing.aws.messages(landing.queue_url) == 2
    _wait_until_visible(landing)
    assert landing.find().seen.new == 1
    assert landing.workshop.statuses() == {"a.jsonl": "DISCOVERED"}
    assert (landing.counts(), len(landing.odd())) == (
        {"message": 2, "created": 1, "unreadable": 1},
        1,
    )
    assert landing.aws.messages(landing.queue_url) == 0


def test_a_message_that_is_not_deleted_after_all_changes_nothing(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "VISIBILITY_SECONDS", 1)
    landing.put("a.jsonl")
    landing.send("odd", s3_event(landing.bucket, "orders/a.jsonl"))
    with monkeypatch.context() as patch:
        patch.setattr(queue_module.Queue, "delete", lambda *_: None)
        assert landing.ingest().counts == {"SUCCESS": 1}
    _wait_until_visible(landing)
    assert landing.ingest().counts == {}
    assert landing.workshop.order_ids() == [1]
    assert landing.odd() == [("unreadable", "odd", 2)]


def _wait_until_visible(landing: Landing) -> None:
    """What was received and not deleted can be received again."""
    attribute = "ApproximateNumberOfMessagesNotVisible"
    sqs = landing.aws.client("sqs")

    def is_visible() -> bool:
        found = sqs.get_queue_attributes(QueueUrl=landing.queue_url, AttributeNames=[attribute])
        return int(found["Attributes"][attribute]) == 0

    wait_for("visible messages", is_visible, seconds=10)


def test_an_object_that_the_store_refuses_holds_up_no_other(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = SourceStore.head

    def refuses_one(self: SourceStore, key: str) -> Any:
        if key == "bad.jsonl":
            raise ObjectStoreError("denied")
        return head(self, key)

    landing.put("bad.jsonl", 1)
    landing.put("good.jsonl", 2)
    landing.send(*(s3_event(landing.bucket, f"orders/{key}.jsonl") for key in ("bad", "good")))
    with monkeypatch.context() as patch:
        patch.setattr(SourceStore, "head", refuses_one)
        found = landing.find()
    assert found.received is not None
    assert found.received.summary() == (
        "1 message: 1 files, 1 kept, as the store refused their objects"
    )
    assert landing.workshop.statuses() == {"good.jsonl": "DISCOVERED"}
    assert landing.aws.messages(landing.queue_url) == 1
    assert landing.counts() == {"message": 1, "created": 1}


def test_a_look_that_comes_late_leaves_a_newer_content_and_looks_again(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "VISIBILITY_SECONDS", 1)
    landing.source["on_changed_file"] = "fail"
    landing.put("a.jsonl", 1)
    landing.send(s3_event(landing.bucket, "orders/a.jsonl"))

    def is_overtaken(store: SourceStore, keys: Collection[str]) -> Looked:
        looked = look_at(store, keys)
        landing.put("a.jsonl", 2)
        discover(landing.workshop.deployment, landing.workshop.ingestion(source=landing.source))
        return looked

    with monkeypatch.context() as patch:
        patch.setattr(notifications, "look_at", is_overtaken)
        found = landing.find()
    assert found.received is not None
    assert found.received.summary() == "0 messages: 1 kept, to look again"
    assert landing.aws.messages(landing.queue_url) == 1
    _wait_until_visible(landing)
    assert landing.ingest().counts == {"SUCCESS": 1}
    assert landing.workshop.order_ids() == [2]
    assert landing.aws.messages(landing.queue_url) == 0
    [contents] = landing.ask("SELECT count(*) AS n FROM ingest.contents")
    assert contents.n == 1


@pytest.mark.parametrize("is_known_gone", [False, True], ids=["new bytes", "the same bytes back"])
def test_a_look_that_comes_late_calls_no_file_gone_that_was_recorded_since(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, is_known_gone: bool
) -> None:
    monkeypatch.setattr(queue_module, "VISIBILITY_SECONDS", 1)
    landing.put("a.jsonl", 1)
    landing.send(s3_event(landing.bucket, "orders/a.jsonl"))
    landing.find()
    landing.remove("a.jsonl")
    if is_known_gone:
        landing.change("UPDATE ingest.files SET gone_at = now()")
    landing.send(s3_event(landing.bucket, "orders/a.jsonl", "ObjectRemoved:Delete"))

    def is_overtaken(store: SourceStore, keys: Collection[str]) -> Looked:
        looked = look_at(store, keys)
        landing.put("a.jsonl", 1 if is_known_gone else 2)
        discover(landing.workshop.deployment, landing.workshop.ingestion(source=landing.source))
        return looked

    with monkeypatch.context() as patch:
        patch.setattr(notifications, "look_at", is_overtaken)
        found = landing.find()
    assert landing.workshop.files()["a.jsonl"].gone_at is None
    assert found.received is not None
    assert found.received.summary() == "0 messages: 1 kept, to look again"
    _wait_until_visible(landing)
    found = landing.find()
    assert found.received is not None
    assert found.received.summary() == "1 message: 1 files"
    assert landing.aws.messages(landing.queue_url) == 0


def _locks_others_meanwhile(landing: Landing, find: Callable[[], object]) -> None:
    """Somebody who has one file of a batch locked takes the others while `find` waits for it."""

    def is_waiting() -> bool:
        return bool(landing.ask("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    with ThreadPoolExecutor(1) as pool:
        with landing.workshop.deployment.ledger.transaction() as connection:
            one = text("SELECT 1 FROM ingest.files WHERE key = 'a.jsonl' FOR NO KEY UPDATE")
            connection.execute(one)
            finding = pool.submit(find)
            wait_for("statement that waits for the file", is_waiting, seconds=10)
            connection.execute(text("SET LOCAL lock_timeout = '3s'"))
            connection.execute(text("SELECT 1 FROM ingest.files ORDER BY key FOR NO KEY UPDATE"))
        finding.result(timeout=30)


def test_a_round_with_a_changed_and_a_removed_file_waits_in_no_ring(landing: Landing) -> None:
    """The others are locked in key order, as `lock_files_of` does it."""
    events = [s3_event(landing.bucket, f"orders/{key}.jsonl") for key in ("a", "b")]
    landing.put("a.jsonl", 1)
    landing.put("b.jsonl", 2)
    landing.send(*events)
    landing.find()
    landing.remove("a.jsonl")
    landing.put("b.jsonl", 3)
    landing.send(*events)
    _locks_others_meanwhile(landing, landing.find)
    files = landing.workshop.files()
    assert [files[key].gone_at is None for key in ("a.jsonl", "b.jsonl")] == [False, True]


def test_a_listing_of_a_changed_and_a_returned_file_waits_in_no_ring(landing: Landing) -> None:
    landing.source = {"after_success": {"action": "delete"}}
    landing.put("a.jsonl", 1)
    landing.put("b.jsonl", 2)
    landing.find()
    landing.change("UPDATE ingest.files SET source_content_id = content_id, source_state = 'gone'")
    landing.put("b.jsonl", 3)
    _locks_others_meanwhile(landing, landing.find)
    files = landing.workshop.files()
    assert [files[key].source_state for key in ("a.jsonl", "b.jsonl")] == [None, None]


def test_a_round_waits_for_a_file_before_it_holds_the_ingestion(landing: Landing) -> None:
    landing.put("gone.jsonl", 1)
    landing.send(s3_event(landing.bucket, "orders/gone.jsonl"))
    landing.find()
    landing.remove("gone.jsonl")
    landing.put("new.jsonl", 2)
    landing.send(*(s3_event(landing.bucket, f"orders/{key}.jsonl") for key in ("gone", "new")))

    def is_waiting() -> bool:
        return bool(landing.ask("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    with ThreadPoolExecutor(1) as pool:
        with landing.workshop.deployment.ledger.transaction() as connection:
            connection.execute(text("SELECT 1 FROM ingest.files FOR NO KEY UPDATE"))
            finding = pool.submit(landing.find)
            wait_for("round that waits for the file", is_waiting, seconds=10)
            connection.execute(text("SET LOCAL lock_timeout = '2s'"))
            lock_ingestion(connection, "orders")
        assert finding.result(timeout=30).seen.new == 1


def test_messages_stay_while_the_store_is_out_of_reach(landing: Landing) -> None:
    landing.send(s3_event(landing.bucket, "orders/a.jsonl"))
    landing.aws.client("s3").delete_bucket(Bucket=landing.bucket)
    with pytest.raises(ObjectStoreError, match="The bucket does not exist"):
        landing.find()
    assert landing.aws.messages(landing.queue_url) == 1
    assert landing.counts() == {}


def test_a_store_that_hangs_is_asked_for_few_objects_and_then_waited_for(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = SilentServer()
    half = timedelta(seconds=0.5)
    monkeypatch.setattr(object_store, "LOOKING", Patience(half, retries=3, retry_time=half / 2))
    monkeypatch.setenv("AWS_ENDPOINT_URL", silent.address)
    landing.send(*(s3_event(landing.bucket, f"orders/{number}.jsonl") for number in range(60)))
    try:
        with pytest.raises(StoreUnreachableError, match="The store did not answer"):
            landing.find()
        assert 0 < len(silent.accepted) <= 16
        monkeypatch.setattr(queue_module.Queue, "receive", pytest.fail)
        with pytest.raises(StoreUnreachableError, match="asked again in"):
            landing.find()
        assert 0 < len(silent.accepted) <= 16
    finally:
        silent.close()
    assert landing.workshop.statuses() == {}
    assert landing.aws.messages(landing.queue_url) == 60


@pytest.mark.parametrize("include_existing", [True, False])
def test_files_that_were_there_before_the_queue_are_found_or_skipped_as_declared(
    landing: Landing, include_existing: bool
) -> None:
    landing.change("UPDATE ingest.ingestions SET first_listed_at = NULL, last_listed_at = NULL")
    landing.put("before.jsonl", 1)
    landing.change("UPDATE ingest.ingestions SET created_at = now() + interval '2 seconds'")
    landing.source["start"] = {"include_existing": include_existing}
    landing.send(s3_event(landing.bucket, "orders/before.jsonl"))
    landing.ingest()
    assert landing.workshop.statuses() == {
        "before.jsonl": "SUCCESS" if include_existing else "SKIPPED"
    }
    landing.aws.put(landing.bucket, "orders/after.jsonl", b'{"order_id": 2}\n')
    assert landing.find().seen.new == 0, "no event told of it, and the first listing is over"
    landing.send(s3_event(landing.bucket, "orders/after.jsonl"))
    assert landing.find().seen.new == 1


def test_both_finds_by_listing_what_no_event_told_of_and_nothing_twice(landing: Landing) -> None:
    landing.source["discovery"] |= {"mode": "both", "listing_hours": 2}
    landing.put("told.jsonl", 1)
    landing.put("lost.jsonl", 2)
    landing.send(s3_event(landing.bucket, "orders/told.jsonl"))
    assert landing.ingest().counts == {"SUCCESS": 1}
    _let_hours_pass(landing, 1)
    assert landing.ingest().counts == {}
    _let_hours_pass(landing, 1.1)
    assert landing.ingest().counts == {"SUCCESS": 1}
    assert landing.workshop.order_ids() == [1, 2]
    landing.send(s3_event(landing.bucket, "orders/lost.jsonl"))
    _let_hours_pass(landing, 2.1)
    assert landing.ingest().counts == {}
    [contents] = landing.ask("SELECT count(*) AS n FROM ingest.contents")
    assert contents.n == 2


def _let_hours_pass(landing: Landing, hours: float) -> None:
    """As if nothing had been done for so long."""
    ago = f"interval '{hours} hours'"
    landing.change(
        f"UPDATE ingest.ingestions SET last_listed_at = last_listed_at - {ago}, "
        f"queue_since = queue_since - {ago}, queue_emptied_at = queue_emptied_at - {ago}"
    )


def test_a_queue_that_was_not_read_for_a_day_or_is_another_one_is_listed_past(
    landing: Landing,
) -> None:
    landing.put("lost.jsonl", 1)
    _let_hours_pass(landing, 23)
    assert landing.find().seen.new == 0
    _let_hours_pass(landing, 25)
    assert landing.find().seen.new == 1
    landing.put("between.jsonl", 2)
    assert landing.find().seen.new == 0
    landing.source["discovery"] |= {"queue_url": landing.aws.make_queue()}
    assert landing.find().seen.new == 1
    landing.put("later.jsonl", 3)
    assert landing.find().seen.new == 0


def test_what_another_declaration_wants_is_listed_once(landing: Landing) -> None:
    landing.source["pattern"] = "**/*.jsonl"
    landing.find()
    landing.put("a.ndjson", 1)
    landing.aws.put(landing.bucket, "elsewhere/b.ndjson", b'{"order_id": 2}')
    landing.send(s3_event(landing.bucket, "orders/a.ndjson"))
    landing.send(s3_event(landing.bucket, "elsewhere/b.ndjson"))
    assert landing.find().seen.new == 0
    assert landing.aws.messages(landing.queue_url) == 0
    landing.source["pattern"] = "**/*"
    assert landing.find().seen.new == 1
    landing.source["uri"] = f"s3://{landing.bucket}/elsewhere/"
    assert landing.find().seen.new == 1
    landing.aws.put(landing.bucket, "elsewhere/untold.ndjson", b'{"order_id": 3}')
    assert landing.find().seen.new == 0


def test_a_dead_queue_stops_neither_the_listing_nor_what_waits(landing: Landing) -> None:
    landing.source["discovery"] |= {"mode": "both", "queue_url": f"{landing.queue_url}-none"}
    landing.put("a.jsonl", 1)
    tick = landing.tick()
    assert len(tick.run_requests) == 1
    assert "1 new files" in tick.summary()
    assert "The queue does not exist. Check source.discovery.queue_url" in tick.summary()
    with pytest.raises(QueueError, match="does not exist"):
        landing.ingest()
    assert landing.workshop.order_ids() == [1]
    with pytest.raises(QueueError, match="does not exist"):
        landing.tick()


def test_a_tick_drains_hundreds_of_messages(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        landing.put(f"{number}.jsonl", number)
    told = [s3_event(landing.bucket, f"orders/{number}.jsonl") for number in range(50)]
    landing.send(*told * 10)
    monkeypatch.setattr(queue_module, "VISIBILITY_SECONDS", 15)
    # A server on a loaded machine may let a tick wait for its first answer in vain.
    ticks = (landing.find(timedelta(minutes=2)).seen.new for _ in range(3))
    assert next(filter(None, ticks)) == 50
    assert landing.counts()["message"] > queue_module.SHORT_ROUND_MESSAGES
    _empty(landing)
    counts = landing.counts()
    assert 500 <= counts["message"] == counts["created"]


def test_an_upload_that_a_slower_look_overtook_is_found_when_its_file_is_read(
    landing: Landing,
) -> None:
    landing.put("a.jsonl", 1)
    landing.send(s3_event(landing.bucket, "orders/a.jsonl"))
    landing.find()
    landing.put("a.jsonl", 2)
    assert landing.ingest().counts == {"FAILED": 1}
    assert landing.ingest().counts == {"SUCCESS": 1}
    assert landing.workshop.order_ids() == [2]


def _has_changed_unheard(landing: Landing, key: str) -> None:
    """The file is FAILED, because it was another one when it was read; no event told of it."""
    landing.put(key, 1)
    landing.send(s3_event(landing.bucket, f"orders/{key}"))
    landing.find()
    landing.put(key, 2)
    assert landing.ingest().counts == {"FAILED": 1}


def test_a_page_of_a_listing_that_a_newer_upload_overtook_brings_nothing_older_back(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.put("a.jsonl", 1)
    landing.send(s3_event(landing.bucket, "orders/a.jsonl"))
    assert landing.ingest().counts == {"SUCCESS": 1}
    record = listing.record_listing

    def overtaken(*page: Any) -> Any:
        monkeypatch.setattr(discovery.listing, "record_listing", record)
        landing.put("a.jsonl", 2)
        landing.send(s3_event(landing.bucket, "orders/a.jsonl"))
        assert landing.ingest().counts == {"SUCCESS": 1}
        return record(*page)

    monkeypatch.setattr(discovery.listing, "record_listing", overtaken)
    ingestion = landing.workshop.ingestion(source=landing.source)
    assert discover(landing.workshop.deployment, ingestion).changed == 0
    assert landing.workshop.statuses() == {"a.jsonl": "SUCCESS"}
    assert landing.workshop.order_ids() == [2]


def test_a_queue_that_never_ends_does_not_keep_changed_files_from_being_found(
    landing: Landing,
) -> None:
    _has_changed_unheard(landing, "a.jsonl")
    landing.send(s3_event(landing.bucket, "orders/a.jsonl"))
    assert landing.find(timedelta(0)).seen.changed == 1
    assert landing.aws.messages(landing.queue_url) == 1


def test_changed_files_that_the_store_refuses_hold_up_no_tick(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    _has_changed_unheard(landing, "a.jsonl")
    head = SourceStore.head

    def refuses_one(self: SourceStore, key: str) -> Any:
        if key == "a.jsonl":
            raise ObjectStoreError("denied")
        return head(self, key)

    monkeypatch.setattr(SourceStore, "head", refuses_one)
    landing.put("b.jsonl", 3)
    landing.send(s3_event(landing.bucket, "orders/b.jsonl"))
    tick = landing.tick()
    assert [batch.keys for batch in tick.planned] == [("b.jsonl",)]
    assert landing.aws.messages(landing.queue_url) == 0


def test_a_changed_file_that_is_gone_is_noted_as_gone(landing: Landing) -> None:
    _has_changed_unheard(landing, "a.jsonl")
    landing.remove("a.jsonl")
    landing.find()
    assert landing.ask("SELECT key FROM ingest.files WHERE gone_at IS NOT NULL") == [("a.jsonl",)]


def test_a_tick_looks_at_few_changed_files_and_only_when_it_has_read_the_queue(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    _has_changed_unheard(landing, "z.jsonl")
    landing.change("UPDATE ingest.files SET next_attempt_at = now() - interval '1 second'")
    landing.change(
        "INSERT INTO ingest.files (ingestion, key, uri, status, error_type, content_id, etag, "
        "size_bytes, modified_at, next_attempt_at) SELECT ingestion, n || '.jsonl', uri, status, "
        "error_type, 0, etag, size_bytes, modified_at, now() + interval '1 hour' "
        "FROM ingest.files, generate_series(1, 500) AS n"
    )
    rounds = list[list[str]]()

    def counts(store: SourceStore, keys: Collection[str]) -> Looked:
        rounds.append(sorted(keys))
        return look_at(store, keys)

    monkeypatch.setattr(notifications, "look_at", counts)
    landing.put("new.jsonl", 3)
    landing.send(s3_event(landing.bucket, "orders/new.jsonl"))
    assert landing.find().seen.changed == 1
    assert [len(keys) for keys in rounds] == [1, queue_module.SHORT_ROUND_MESSAGES]
    assert (rounds[0], rounds[1][-1]) == (["new.jsonl"], "z.jsonl")


def test_a_queue_that_nobody_waited_for_is_not_called_empty(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_hours_pass(landing, 2)
    emptied = "SELECT queue_emptied_at > now() - interval '1 minute' FROM ingest.ingestions"
    with monkeypatch.context() as patch:
        patch.setattr(queue_module, "_WAITING", threading.BoundedSemaphore(1))
        with queue_module._WAITING:
            landing.find()
    assert landing.ask(emptied) == [(False,)]
    landing.find()
    assert landing.ask(emptied) == [(True,)]


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_a_listing_under_the_pattern_of_before_is_not_the_one_that_a_new_pattern_waits_for(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, is_cut_off: bool
) -> None:
    monkeypatch.setattr(store, "PAGE_FILES", 1)
    landing.source["pattern"] = "**/*.jsonl"
    for number, key in enumerate(("a.jsonl", "b.json", "c.jsonl", "z.json")):
        landing.put(key, number)
    landing.ingest()
    before = landing.workshop.ingestion(source=landing.source)
    has_begun, may_end = threading.Event(), threading.Event()

    def slowly(*arguments: Any, **named: Any) -> Any:
        for number, page in enumerate(wanted_pages(*arguments, **named)):
            yield page
            if number == 0:
                has_begun.set()
                may_end.wait()

    limit = timedelta(seconds=1) if is_cut_off else None
    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as slow:
        slow.setattr(discovery, "wanted_pages", slowly)
        listing_before = pool.submit(discover, landing.workshop.deployment, before, limit)
        assert has_begun.wait(20)
        slow.setattr(discovery, "wanted_pages", wanted_pages)
        landing.source["pattern"] = "**/*"
        landing.find(timedelta(0))
        time.sleep(1 if is_cut_off else 0)
        may_end.set()
        listing_before.result(timeout=20)
    landing.find()
    landing.ingest()
    assert landing.workshop.order_ids() == [0, 1, 2, 3]
