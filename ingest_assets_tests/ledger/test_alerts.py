"""The outbox of alerts: what becomes an event, for whom, and how it is grouped and taken."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from ingest_assets.ledger import (
    alert_deliveries,
    alert_lookup,
    alerts,
    declared_columns,
    schema_versions,
)
from ingest_assets.ledger.alert_deliveries import Delivery
from ingest_assets.ledger.alerts import FailedRun
from ingest_assets.ledger.declared_columns import Noted
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.schema_versions import SchemaChange
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file


def subscribe(orders: Bookkeeping, *channels: str) -> bool:
    with orders.ledger.transaction() as connection:
        return alerts.subscribe(connection, orders.ingestion, channels)


def notice(orders: Bookkeeping, **limits: Any) -> int:
    with orders.ledger.transaction() as connection:
        return alerts.notice(connection, orders.ingestion, **limits)


def put_up(orders: Bookkeeping) -> list[int]:
    """How many events each new message has."""
    with orders.ledger.transaction() as connection:
        return [
            len(group.events)
            for group in alert_deliveries.groups(connection, orders.ingestion)
            if alert_deliveries.put_up(connection, orders.ingestion, group, {"for": "tests"})
        ]


def told(orders: Bookkeeping) -> list[tuple[str, str | None, str | None]]:
    with orders.ledger.transaction() as connection:
        rows = alert_lookup.alerts(connection, orders.ingestion, at_most=100)
    return [(row.kind, row.channel, row.state) for row in rows]


def dead_letter(orders: Bookkeeping, *keys: str) -> None:
    orders.see(*(source_file(key) for key in keys))
    batch = orders.work()
    outcomes = [
        FileOutcome(file.file_id, "DEAD_LETTER", "CorruptFileError", "damaged")
        for file in batch.files
    ]
    assert orders.finish(batch, *outcomes)


def pending(fingerprint: str, file_id: int | None) -> SchemaChange:
    return SchemaChange("PENDING", "BREAKING", None, [], fingerprint, None, file_id)


def park(orders: Bookkeeping, *keys: str, etag: str = "a") -> None:
    orders.see(*(source_file(key, etag) for key in keys))
    batch = orders.work()
    outcomes = [
        FileOutcome(file.file_id, "PARKED", "E", "breaks", change_index=0) for file in batch.files
    ]
    assert orders.finish(batch, *outcomes, changes=[pending("narrow", batch.files[0].file_id)])


def refuse_declaration(orders: Bookkeeping, fingerprint: str) -> int:
    with orders.ledger.transaction() as connection:
        change = pending(fingerprint, None)
        (version,) = schema_versions.apply(connection, orders.ingestion, None, [change])
        noted = Noted({"columns": fingerprint}, version, "amount becomes narrower")
        declared_columns.note(connection, orders.ingestion, noted)
    return version


def decide(orders: Bookkeeping, version: int) -> None:
    with orders.ledger.transaction() as connection:
        declared_columns.withdraw(connection, orders.ingestion, version)


def test_a_dead_letter_is_one_event_for_each_channel(orders: Bookkeeping) -> None:
    assert subscribe(orders, "a", "b")
    dead_letter(orders, "x", "y")
    assert (notice(orders), notice(orders)) == (2, 0)
    assert put_up(orders) == [2, 2]
    assert put_up(orders) == []
    assert sorted(told(orders)) == [("dead_letter", name, "WAITING") for name in "aabb"]


def test_a_file_that_new_content_overtook_is_no_dead_letter(orders: Bookkeeping) -> None:
    subscribe(orders, "a")
    orders.see(source_file("x"))
    batch = orders.work()
    orders.see(source_file("x", etag="b"))
    orders.finish(batch, FileOutcome(batch.files[0].file_id, "DEAD_LETTER", "E", "damaged"))
    assert notice(orders) == 0
    dead_letter(orders)
    orders.see(source_file("x", etag="c"))
    assert notice(orders) == 1, "mended after the event, which happened all the same"


def test_what_was_before_the_first_channel_is_no_event(orders: Bookkeeping) -> None:
    dead_letter(orders, "x")
    subscribe(orders, "a")
    assert notice(orders) == 0
    marked = orders.ask("SELECT alerted_at FROM ingest.batches WHERE ingestion = :ingestion")
    assert marked[0].alerted_at is not None


def test_a_channel_that_is_named_no_more_gets_nothing_that_waits(orders: Bookkeeping) -> None:
    subscribe(orders, "a", "b")
    dead_letter(orders, "x")
    notice(orders)
    put_up(orders)
    dead_letter(orders, "y")
    notice(orders)
    subscribe(orders, "b")
    assert sorted(told(orders), key=str) == sorted(
        [
            ("dead_letter", "a", "DROPPED"),
            ("dead_letter", "b", "WAITING"),
            ("dead_letter", "b", None),
        ],
        key=str,
    )
    assert subscribe(orders) is False


def test_a_failed_run_is_an_event_unless_its_files_say_why(orders: Bookkeeping) -> None:
    subscribe(orders, "a")
    now = datetime.now(UTC)
    orders.see(source_file("x"), source_file("y"))
    batch = orders.work()
    x, y = batch.files
    orders.finish(
        batch, FileOutcome(x.file_id, "SUCCESS"), FileOutcome(y.file_id, "PARKED", "E", "breaks")
    )
    explained = FailedRun(f"run-{batch.batch_id}", now, "1 file is parked")
    unknown = FailedRun(f"{orders.ingestion} died", now, "it \0 died \ud800")
    assert notice(orders, failed_runs=[explained, unknown]) == 1
    assert notice(orders, failed_runs=[explained, unknown]) == 0
    orders.see(source_file("z"))
    batch = orders.work()
    orders.finish(batch, FileOutcome(batch.files[0].file_id, "FAILED", "E", "try again"))
    assert notice(orders, failed_runs=[FailedRun(f"run-{batch.batch_id}", now, "failed")]) == 1


def test_limits_have_events_only_when_they_are_set_and_passed(orders: Bookkeeping) -> None:
    subscribe(orders, "a")
    orders.see(source_file("x"))
    orders.work()
    day, no_time = timedelta(days=1), timedelta()
    assert notice(orders) == 0
    assert notice(orders, batch_limit=day, silence_limit=day) == 0
    assert notice(orders, batch_limit=no_time, silence_limit=no_time) == 2
    assert notice(orders, batch_limit=no_time, silence_limit=no_time) == 0
    orders.see(source_file("x", etag="b"))
    assert notice(orders, silence_limit=no_time) == 1, "a new silence since a changed file"


def test_a_silence_is_told_once_whichever_channel_goes(orders: Bookkeeping) -> None:
    hour = timedelta(hours=1)
    orders.see(source_file("x"))
    subscribe(orders, "a", "b")
    let_hours_pass(orders, 1, "a", "b")
    let_hours_pass(orders, 1, "a")
    assert notice(orders, silence_limit=hour) == 1
    subscribe(orders, "b")
    assert notice(orders, silence_limit=hour) == 0
    subscribe(orders, "c")
    let_hours_pass(orders, 2, "c")
    assert notice(orders, silence_limit=hour) == 1, "c has not heard of it"
    orders.see(source_file("y"))
    let_hours_pass(orders, 2, "c")
    assert notice(orders, silence_limit=hour) == 1


def let_hours_pass(orders: Bookkeeping, hours: int, *channels: str) -> None:
    with orders.ledger.transaction() as connection:
        values = {"ingestion": orders.ingestion, "by": timedelta(hours=hours)}
        statement = "UPDATE ingest.ingestions SET last_arrival_at = last_arrival_at - :by"
        connection.execute(text(f"{statement} WHERE name = :ingestion"), values)
        statement = "UPDATE ingest.alert_subscriptions SET since = since - :by"
        where = "ingestion = :ingestion AND channel = ANY(:channels)"
        connection.execute(
            text(f"{statement} WHERE {where}"), {**values, "channels": list(channels)}
        )


def test_a_silence_counts_from_the_first_channel_when_no_file_ever_came(
    orders: Bookkeeping,
) -> None:
    subscribe(orders, "a")
    assert notice(orders, silence_limit=timedelta(hours=1)) == 0
    assert [notice(orders, silence_limit=timedelta()) for _ in range(2)] == [1, 0]


def test_two_ticks_never_take_one_message(orders: Bookkeeping) -> None:
    subscribe(orders, "a")
    dead_letter(orders, "x")
    notice(orders)
    put_up(orders)
    with orders.ledger.transaction() as one, orders.ledger.transaction() as other:
        taken = alert_deliveries.take_due(one, orders.ingestion, ["a"])
        assert taken is not None
        assert alert_deliveries.take_due(other, orders.ingestion, ["a"]) is None
        alert_deliveries.mark_sent(one, taken.delivery_id)
    with orders.ledger.transaction() as connection:
        assert alert_deliveries.take_due(connection, orders.ingestion, ["a"]) is None


def wait_for(orders: Bookkeeping, channel: str) -> list[int]:
    """A dead-letter is a message; a channel that fails in a test is no other test's."""
    subscribe(orders, channel)
    dead_letter(orders, uuid.uuid4().hex)
    notice(orders)
    return put_up(orders)


def due(orders: Bookkeeping, channel: str) -> Delivery | None:
    with orders.ledger.transaction() as connection:
        return alert_deliveries.take_due(connection, orders.ingestion, [channel])


def the_message(orders: Bookkeeping) -> Any:
    (row,) = orders.ask("""
        SELECT delivery_id, channel, message, attempts, state,
               CAST(round(extract(epoch FROM next_attempt_at - now()) / 60) AS int) AS minutes
        FROM ingest.alert_deliveries WHERE ingestion = :ingestion
    """)
    return row


def fail(orders: Bookkeeping, **asked: Any) -> Any:
    with orders.ledger.transaction() as connection:
        delivery = Delivery(*the_message(orders)[:4])
        alert_deliveries.mark_failed(connection, delivery, "down", **asked)
    return the_message(orders).minutes


def test_a_message_that_failed_waits_twice_as_long_each_time(orders: Bookkeeping) -> None:
    wait_for(orders, "doubles")
    assert [fail(orders) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_channel_is_left_alone_for_as_long_as_it_asks(orders: Bookkeeping) -> None:
    wait_for(orders, "asks")
    waits = [fail(orders, wait=timedelta(minutes=minutes)) for minutes in (0, 10, 600)]
    assert waits == [1, 10, 60]


def test_a_channel_that_is_down_is_not_tried_by_one_ingestion_after_another(
    orders: Bookkeeping,
) -> None:
    others = [Bookkeeping(orders.ledger, f"{orders.ingestion}_{number}") for number in range(2)]
    for one in (orders, *others):
        orders.ledger.register(one.ingestion, f"raw.{one.ingestion}")
    wait_for(orders, "down")
    wait_for(others[0], "down")
    assert due(others[0], "down") is not None
    fail(orders)
    wait_for(others[1], "down")
    assert [due(other, "down") for other in others] == [None, None]
    assert [the_message(other).minutes for other in others] == [1, 1]


def test_a_message_that_is_refused_makes_way_in_the_end(orders: Bookkeeping) -> None:
    wait_for(orders, "refuses")
    is_dropped = []
    for _ in range(10):
        with orders.ledger.transaction() as connection:
            delivery = Delivery(*the_message(orders)[:4])
            is_dropped.append(alert_deliveries.mark_refused(connection, delivery, "HTTP 400"))
    assert is_dropped == [False] * 9 + [True]
    assert (the_message(orders).state, the_message(orders).attempts) == ("DROPPED", 10)
    assert wait_for(orders, "refuses") == [1]
    assert due(orders, "refuses") is not None


def test_events_wait_behind_a_message_of_their_kind_and_become_one(orders: Bookkeeping) -> None:
    subscribe(orders, "a")
    dead_letter(orders, "x")
    notice(orders)
    assert put_up(orders) == [1]
    for key in ("y", "z"):
        dead_letter(orders, key)
        notice(orders)
        assert put_up(orders) == []
    with orders.ledger.transaction() as connection:
        taken = alert_deliveries.take_due(connection, orders.ingestion, ["a"])
        assert taken is not None
        alert_deliveries.mark_sent(connection, taken.delivery_id)
    assert put_up(orders) == [2]


def test_a_version_is_one_event_whichever_of_its_files_is_parked(orders: Bookkeeping) -> None:
    subscribe(orders, "a")
    park(orders, "x", "y")
    assert (notice(orders), notice(orders)) == (1, 0)
    park(orders, "z")
    assert notice(orders) == 0


def test_a_version_whose_files_have_left_is_an_event_when_others_come(orders: Bookkeeping) -> None:
    subscribe(orders, "a")
    park(orders, "x")
    orders.see(source_file("x", etag="mended"))
    assert notice(orders) == 0
    assert orders.finish(orders.work())
    assert notice(orders) == 0
    park(orders, "y")
    assert (notice(orders), put_up(orders)) == (1, [1])


def test_a_version_that_the_declaration_brought_is_an_event(orders: Bookkeeping) -> None:
    refuse_declaration(orders, "before")
    subscribe(orders, "a")
    assert notice(orders) == 0
    refuse_declaration(orders, "narrow")
    assert (notice(orders), notice(orders)) == (1, 0)
    (row,) = orders.ask("SELECT detail FROM ingest.alerts WHERE ingestion = :ingestion")
    assert row.detail == {"version": 2, "error": "amount becomes narrower"}
    park(orders, "x")
    assert notice(orders) == 0, "files are parked under the version that is told of"


def test_nobody_is_told_late_that_a_version_waits_which_is_decided(orders: Bookkeeping) -> None:
    subscribe(orders, "a")
    park(orders, "x")
    notice(orders)
    assert put_up(orders) == [1]
    version = refuse_declaration(orders, "other")
    notice(orders)
    decide(orders, version)
    with orders.ledger.transaction() as connection:
        taken = alert_deliveries.take_due(connection, orders.ingestion, ["a"])
        assert taken is not None
        alert_deliveries.mark_sent(connection, taken.delivery_id)
    assert put_up(orders) == []
    notice(orders)
    assert ("schema_pending", None, None) in told(orders)
