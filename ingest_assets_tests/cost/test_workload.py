"""What a month uses, from how files came: arithmetic that a person can follow."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest_assets.cost.meter import METER
from ingest_assets.cost.usage import Usage
from ingest_assets.cost.workload import (
    Measured,
    arrivals,
    batches_of,
    expected_usage,
    files_a_batch,
    gets_of,
)
from ingest_assets.ingestion import Ingestion
from ingest_assets.interrupts import in_threads
from ingest_assets_tests.end_to_end.workshop import attributes

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
MEASURED = Measured(1e-8, 0.25, 2, 0.5, start_cpu_seconds=2)
MEBIBYTE = 1024**2


def ingestion(**changes: Any) -> Ingestion:
    return Ingestion.model_validate(attributes("bucket", **changes))


def hourly(days: int, size_bytes: int = 1000) -> list[tuple[datetime, int]]:
    """A file an hour; the last one ends the last day."""
    return [(BEGIN + timedelta(hours=n), size_bytes) for n in range(days * 24 + 1)]


def test_a_month_goes_on_as_the_files_came() -> None:
    came = arrivals(hourly(10), 30)
    assert (came.days, came.files, came.bursts) == (10.0, 241, 241)
    used = expected_usage(ingestion(), came, MEASURED, listed_objects=2500, days=30)
    assert used == Usage(
        list_requests=30 * 86_400 // 30 * 3,
        get_requests=723,
        table_get_requests=723 * 9 + 723,
        table_put_requests=round(723 * 5 + 723 * 0.5 * 3),
        queue_requests=0,
        read_bytes=723_000,
        written_bytes=180_750,
        cpu_seconds=pytest.approx(723 * 2 + 0.00723),
    )


def test_files_of_less_than_a_day_are_taken_for_those_of_a_day() -> None:
    came = arrivals([(BEGIN, 10), (BEGIN + timedelta(hours=1), 20)], 30)
    assert (came.days, came.size_bytes) == (1.0, 30)
    assert arrivals([], 30).files == 0


def test_a_schedule_takes_what_came_together() -> None:
    came = arrivals(hourly(10), 30)
    nightly = ingestion(schedule={"cron": "0 2 * * *"})
    assert batches_of(nightly, came) == 10
    assert files_a_batch(nightly, came) == 24
    assert expected_usage(nightly, came, MEASURED, 10, days=30).list_requests == 30
    often = ingestion(schedule={"cron": "*/15 6-9,20 * * *"})
    assert expected_usage(often, came, MEASURED, 10, days=1).list_requests == 20


def test_a_batch_takes_no_more_than_is_declared() -> None:
    came = arrivals([(BEGIN, 100)] * 50, 30)
    assert batches_of(ingestion(), came) == 1
    assert batches_of(ingestion(batch={"max_files": 10}), came) == 5
    assert batches_of(ingestion(batch={"max_bytes": 500}), came) == 10


def test_a_queue_takes_the_place_of_listings() -> None:
    came = arrivals(hourly(10), 2)
    queue = "https://sqs.eu-central-1.amazonaws.com/1/q"
    events = ingestion(source={"discovery": {"mode": "notifications", "queue_url": queue}})
    used = expected_usage(events, came, MEASURED, 2500, days=30)
    assert used.list_requests == 0
    assert used.queue_requests == round(30 * 86_400 / 6 + 2 * 723 / 10)
    assert used.get_requests == 2 * 723
    both = ingestion(source={"discovery": {"mode": "both", "queue_url": queue}})
    assert expected_usage(both, came, MEASURED, 2500, days=30).list_requests == 30 * 4 * 3


def test_large_files_are_read_in_ranges() -> None:
    assert [gets_of(size * MEBIBYTE) for size in (0, 32, 33, 160)] == [1, 1, 3, 10]


def test_what_is_counted_in_a_span_is_its_own_also_in_its_threads() -> None:
    before = METER.now
    with METER.span() as span:
        in_threads(lambda _number: METER.add(queue_requests=1), range(20), 4)
        METER.add(list_requests=2)
    METER.add(list_requests=5)
    assert span.usage == Usage(list_requests=2, queue_requests=20)
    assert METER.now - before == Usage(list_requests=7, queue_requests=20)


def test_processor_time_is_taken_once() -> None:
    METER.take_cpu_seconds()
    sum(number * number for number in range(300_000))
    taken = METER.take_cpu_seconds()
    assert taken > 0
    assert METER.take_cpu_seconds() < taken
