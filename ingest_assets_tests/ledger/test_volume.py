"""A million files: questions about one are answered, and batches planned, in milliseconds."""

import statistics
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from ingest_assets.ledger import batches, health, lookup
from ingest_assets.ledger.planning import PlannedBatch
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file

pytestmark = [pytest.mark.slow, pytest.mark.alone]

FILES = 1_000_000
WAITING = 2000
MILLISECONDS = 50
"""What each of the measured questions may take at most, as the median of 20."""


@pytest.fixture(scope="module")
def million(ledger: object) -> Bookkeeping:
    """A million files in the table, and a few that wait, scattered among them."""
    orders = Bookkeeping(ledger, "million")  # type: ignore[arg-type]
    orders.ledger.register("million", "raw.million")
    with orders.ledger.transaction() as connection:
        connection.execute(
            text("""
                INSERT INTO ingest.files (ingestion, key, uri, status, content_id, etag,
                    size_bytes, modified_at, attempts, committed_etag, rows)
                SELECT 'million', key, 's3://landing/' || key,
                       CASE WHEN n % (:files / :waiting) = 0 THEN 'DISCOVERED' ELSE 'SUCCESS' END,
                       n, 'etag', 50000, timestamptz '2026-01-01' + n * interval '1 second',
                       1, 'etag', 100
                FROM generate_series(1, :files) AS n,
                     LATERAL (SELECT format('2026/%s/orders-%s.json', n % 365, n) AS key)
            """),
            {"files": FILES, "waiting": WAITING},
        )
        connection.execute(
            text("""
                INSERT INTO ingest.contents (file_id, etag, size_bytes, modified_at)
                SELECT file_id, etag, size_bytes, modified_at FROM ingest.files
                WHERE ingestion = 'million'
            """)
        )
        connection.execute(
            text("""
                UPDATE ingest.files f SET content_id = c.content_id FROM ingest.contents c
                WHERE c.file_id = f.file_id AND f.ingestion = 'million' AND f.content_id < 100000
            """)
        )
    with orders.ledger.transaction() as connection:
        connection.execute(text("ANALYZE ingest.files"))
        connection.execute(text("ANALYZE ingest.contents"))
    return orders


def _median_milliseconds(name: str, work: Callable[[int], object]) -> float:
    seconds = []
    for turn in range(20):
        begin = time.perf_counter()
        work(turn)
        seconds.append(time.perf_counter() - begin)
    median = statistics.median(seconds) * 1000
    print(f"{name}: median {median:.2f} ms, worst {max(seconds) * 1000:.2f} ms")  # noqa: T201
    return median


def _key(number: int) -> str:
    return f"2026/{number % 365}/orders-{number}.json"


def test_where_a_file_is_takes_milliseconds(million: Bookkeeping) -> None:
    def ask(turn: int) -> None:
        with million.ledger.transaction() as connection:
            (row,) = lookup.files(connection, "million", keys=[_key(turn * 49_993 + 1)])
        assert row.status == "SUCCESS"

    assert _median_milliseconds("where is one file", ask) < MILLISECONDS


def test_where_a_thousand_files_are_takes_milliseconds(million: Bookkeeping) -> None:
    def ask(turn: int) -> None:
        keys = [_key(turn * 1000 + number + 1) for number in range(1000)]
        with million.ledger.transaction() as connection:
            assert len(lookup.files(connection, "million", keys=keys)) == 1000

    assert _median_milliseconds("where are 1000 files", ask) < 4 * MILLISECONDS


def test_the_few_files_of_a_status_are_found_in_milliseconds(million: Bookkeeping) -> None:
    def ask(_: int) -> None:
        with million.ledger.transaction() as connection:
            assert lookup.files(connection, "million", status="FAILED") == []

    assert _median_milliseconds("which files failed", ask) < MILLISECONDS


def test_what_is_open_is_told_in_milliseconds(million: Bookkeeping) -> None:
    """What each scrape of the metrics reads; the settled files are counted at some of them only."""

    def ask(_: int) -> None:
        with million.ledger.transaction() as connection:
            found = {one.ingestion: one for one in health.backlogs(connection)}
            health.batch_classes(connection)
        assert found["million"].files_discovered == WAITING

    assert _median_milliseconds("what is open", ask) < MILLISECONDS


def test_a_thousand_files_among_a_million_are_planned_in_milliseconds(
    million: Bookkeeping,
) -> None:
    planned: list[PlannedBatch] = []

    def plan(_: int) -> None:
        if planned:
            with million.ledger.transaction() as connection:
                batches.free_planned(connection, planned.pop().batch_id, "measured")
        begin = time.perf_counter()
        batch = million.plan()
        assert batch is not None
        assert len(batch.keys) == 1000
        seconds.append(time.perf_counter() - begin)
        planned.append(batch)

    seconds: list[float] = []
    _median_milliseconds("plan 1000 and free them", plan)
    median = statistics.median(seconds) * 1000
    print(f"plan 1000: median {median:.2f} ms")  # noqa: T201
    with million.ledger.transaction() as connection:
        batches.free_planned(connection, planned.pop().batch_id, "measured")
    assert median < 4 * MILLISECONDS


def test_nothing_left_to_plan_is_known_in_milliseconds(million: Bookkeeping) -> None:
    with million.ledger.transaction() as connection:
        connection.execute(
            text(
                "UPDATE ingest.files SET batch_id = 'x' WHERE ingestion = 'million' "
                "AND status = 'DISCOVERED'"
            )
        )
    try:
        median = _median_milliseconds("plan nothing", lambda _: million.plan())
    finally:
        with million.ledger.transaction() as connection:
            connection.execute(text("UPDATE ingest.files SET batch_id = NULL WHERE batch_id = 'x'"))
    assert median < MILLISECONDS


def test_a_listing_of_a_thousand_known_files_takes_milliseconds(million: Bookkeeping) -> None:
    def see(turn: int) -> None:
        keys = [_key(turn * 1000 + number + 1) for number in range(1000)]
        seen = million.see(*(source_file(key, "etag") for key in keys))
        assert (seen.new, seen.changed) == (0, 0)

    assert _median_milliseconds("list 1000 known files", see) < 4 * MILLISECONDS


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            """
            SELECT file_id FROM ingest.files
            WHERE ingestion = 'million' AND batch_id IS NULL
              AND status IN ('DISCOVERED', 'FAILED')
              AND (next_attempt_at IS NULL OR next_attempt_at <= now())
            ORDER BY modified_at, key LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
            """,
            "files_to_plan",
        ),
        (
            "SELECT * FROM ingest.files WHERE ingestion = 'million' AND key = ANY('{a,b}')",
            "one_row_a_key",
        ),
    ],
)
def test_the_index_is_used(million: Bookkeeping, query: str, index: str) -> None:
    plan = "\n".join(row[0] for row in million.ask(f"EXPLAIN {query}"))
    assert index in plan
    assert "Seq Scan" not in plan
