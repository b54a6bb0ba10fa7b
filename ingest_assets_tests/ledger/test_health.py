"""How ingestions are: lag, rates, volume, errors and slow files, by the views of the ledger."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from ingest_assets.ledger import health, migrations, volume
from ingest_assets.ledger.health import Health
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.states import FileStatus
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file

FEW_SECONDS = 60.0
MIGRATIONS = Path(migrations.__file__).parent


def _health(orders: Bookkeeping) -> Health:
    with orders.ledger.transaction() as connection:
        (found,) = [h for h in health.health(connection) if h.ingestion == orders.ingestion]
    return found


def _view(orders: Bookkeeping, name: str) -> list[dict[str, Any]]:
    rows = orders.ask(f"SELECT * FROM ingest.{name} WHERE ingestion = :ingestion")
    return [dict(row._mapping) for row in rows]


def _seen_since(orders: Bookkeeping, ago: timedelta) -> None:
    _change(orders, "UPDATE ingest.ingestions SET created_at = now() - CAST(:ago AS interval)", ago)


def _change(orders: Bookkeeping, statement: str, ago: timedelta) -> None:
    with orders.ledger.transaction() as connection:
        connection.execute(text(statement), {"ago": ago})


def _put(orders: Bookkeeping, *keys: str, ago: timedelta) -> None:
    """New files that were uploaded so long ago."""
    modified_at = datetime.now(UTC) - ago
    orders.see(*(_at(source_file(key), modified_at) for key in keys))


def _at(file: Any, moment: datetime) -> Any:
    return type(file)(file.key, file.uri, file.size_bytes, file.etag, moment)


def _in_turn(orders: Bookkeeping, *outcomes: str, **results: Any) -> None:
    """A batch of the files that wait, with these outcomes in their order."""
    batch = orders.work()
    made = [
        FileOutcome(
            file.file_id,
            outcome,  # type: ignore[arg-type]
            **{"rows": 3 if outcome == "SUCCESS" else 0, **results},
        )
        for file, outcome in zip(batch.files, outcomes, strict=True)
    ]
    assert orders.finish(batch, *made)


def test_an_ingestion_without_files_has_no_lag_and_no_rate(orders: Bookkeeping) -> None:
    found = _health(orders)
    assert (found.lag_seconds, found.success_rate_24h, found.rows_24h) == (0, None, 0)
    assert found.last_arrival_at is None
    assert not found.needs_attention


def test_the_lag_is_that_of_the_oldest_file_that_is_not_in_the_table(orders: Bookkeeping) -> None:
    _seen_since(orders, timedelta(days=30))
    _put(orders, "old", ago=timedelta(hours=5))
    _put(orders, "new", ago=timedelta(minutes=1))
    assert _health(orders).lag_seconds == pytest.approx(5 * 3600, abs=FEW_SECONDS)
    batch = orders.work()
    assert _health(orders).lag_seconds == pytest.approx(5 * 3600, abs=FEW_SECONDS)
    orders.finish(batch)
    assert _health(orders).lag_seconds == 0


def test_files_that_were_there_before_the_ingestion_lag_since_it_began(orders: Bookkeeping) -> None:
    _seen_since(orders, timedelta(hours=2))
    _put(orders, "of_last_year", ago=timedelta(days=365))
    assert _health(orders).lag_seconds == pytest.approx(2 * 3600, abs=FEW_SECONDS)


def test_a_failed_file_lags_and_a_parked_one_or_a_dead_letter_does_not(orders: Bookkeeping) -> None:
    _seen_since(orders, timedelta(days=1))
    _put(orders, "a", "b", ago=timedelta(hours=1))
    _in_turn(orders, "PARKED", "DEAD_LETTER")
    found = _health(orders)
    assert (found.lag_seconds, found.files_parked, found.files_dead_letter) == (0, 1, 1)
    _put(orders, "c", ago=timedelta(hours=1))
    _in_turn(orders, "FAILED")
    found = _health(orders)
    assert found.lag_seconds == pytest.approx(3600, abs=FEW_SECONDS)
    assert (found.files_failed, found.files_waiting) == (1, 1)
    assert found.needs_attention


def test_a_file_that_is_read_again_by_hand_has_no_lag(orders: Bookkeeping) -> None:
    _seen_since(orders, timedelta(days=1))
    _put(orders, "a", ago=timedelta(hours=1))
    _in_turn(orders, "SUCCESS")
    (planned,) = orders.ask_for("a")
    assert _health(orders).lag_seconds == 0
    assert orders.claim(planned.batch_id, run_id=orders.run_by_hand) is not None
    found = _health(orders)
    assert (found.files_processing, found.lag_seconds, found.open_batches) == (1, 0, 1)


def test_rates_are_of_outcomes_and_rows_of_files_in_the_table(orders: Bookkeeping) -> None:
    orders.see(*(source_file(key) for key in "abcd"))
    _in_turn(orders, "SUCCESS", "SUCCESS", "PARKED", "DEAD_LETTER", rescued=1, rejected=2)
    found = _health(orders)
    assert (found.success_rate_24h, found.success_rate_7d) == (0.5, 0.5)
    assert (found.files_24h, found.rows_24h, found.files_success) == (2, 6, 2)
    _change(orders, "UPDATE ingest.hourly_volume SET hour = hour - CAST(:ago AS interval)",
            timedelta(days=2))  # fmt: skip
    found = _health(orders)
    assert (found.success_rate_24h, found.success_rate_7d, found.rows_24h) == (None, 0.5, 0)
    with orders.ledger.transaction() as connection:
        days = volume.last_days(connection, orders.ingestion, 3)
    assert [(day.files, day.rows, day.files_not_written) for day in days] == [
        (2, 6, 2),
        (0, 0, 0),
        (0, 0, 0),
    ]
    (day,) = _view(orders, "v_daily_volume")
    assert day["day"] == days[0].day == datetime.now(UTC).date() - timedelta(days=2)
    assert (day["files"], day["rows"], day["rescued_rows"], day["rejected_rows"]) == (2, 6, 2, 4)
    assert (day["dead_letter_files"], day["parked_files"], day["batches"]) == (1, 1, 1)


def test_a_batch_is_counted_once_and_totals_stay_when_attempts_go(orders: Bookkeeping) -> None:
    orders.see(source_file("a"), source_file("b"))
    batch = orders.work()
    assert orders.finish(batch)
    assert not orders.finish(batch)
    with orders.ledger.transaction() as connection:
        connection.execute(
            text("DELETE FROM ingest.attempts WHERE batch_id = :id"), {"id": batch.batch_id}
        )
    with orders.ledger.transaction() as connection:
        classes = health.batch_classes(connection)
        settled = health.settled_files(connection)
    (found,) = [one for one in classes if one.ingestion == orders.ingestion]
    assert (found.at_most_seconds, found.counted["batches"]) == (1, 1)
    assert (found.counted["success_files"], found.counted["rows"]) == (2, 6)
    assert 0 <= found.seconds < 1
    assert settled[orders.ingestion, FileStatus.SUCCESS] == 2


def test_a_batch_belongs_to_the_shortest_class_that_it_fits_into(orders: Bookkeeping) -> None:
    for key, ago in (("a", timedelta(seconds=7)), ("b", timedelta(hours=2))):
        orders.see(source_file(key))
        batch = orders.work()
        _change(orders, "UPDATE ingest.batches SET prepared_at = now() - CAST(:ago AS interval) "
                "WHERE status = 'PREPARED'", ago)  # fmt: skip
        assert orders.finish(batch)
    with orders.ledger.transaction() as connection:
        classes = health.batch_classes(connection)
    found = [one for one in classes if one.ingestion == orders.ingestion]
    assert [one.at_most_seconds for one in found] == [10, float("inf")]
    assert _health(orders).slowest_batch_seconds_24h == pytest.approx(7200, abs=FEW_SECONDS)


def test_latency_is_from_the_upload_to_the_commit(orders: Bookkeeping) -> None:
    _seen_since(orders, timedelta(days=1))
    _put(orders, "a", ago=timedelta(minutes=10))
    _put(orders, "b", ago=timedelta(minutes=20))
    _in_turn(orders, "SUCCESS", "SUCCESS")
    (found,) = _view(orders, "v_latency")
    assert found["files"] == 2
    assert found["p50_seconds"] == pytest.approx(15 * 60, abs=FEW_SECONDS)
    assert found["max_seconds"] == pytest.approx(20 * 60, abs=FEW_SECONDS)
    assert _health(orders).p95_seconds == pytest.approx(19.5 * 60, abs=FEW_SECONDS)


def test_errors_that_differ_in_names_and_numbers_are_one_pattern(orders: Bookkeeping) -> None:
    orders.see(source_file("day=1/a.json"), source_file("day=2/b.json"), source_file("z.json"))
    batch = orders.work()
    said = [
        "s3://landing/orders/day=1/a.json is not JSON at line 12: 'x' in batch 0f3a9b2c11",
        "s3://landing/orders/day=2/b.json is not JSON at line 7: 'y z' in batch 77aa00bb99\nmore",
        "It's gone since it was listed.",
    ]
    made = [
        FileOutcome(file.file_id, "DEAD_LETTER", error_type="ReadError", error=error)
        for file, error in zip(batch.files, said, strict=True)
    ]
    assert orders.finish(batch, *made)
    found = sorted(_view(orders, "v_error_patterns"), key=lambda row: str(row["pattern"]))
    assert [(row["pattern"], row["attempts"], row["files"]) for row in found] == [
        ("<uri> is not JSON at line <number>: <quoted> in batch <id>", 2, 2),
        ("It's gone since it was listed.", 1, 1),
    ]
    assert found[0]["example_key"].startswith("day=")
    assert found[0]["first_seen_at"] <= found[0]["last_seen_at"]


def test_the_slowest_files_are_first_and_quick_ones_are_left_out(orders: Bookkeeping) -> None:
    orders.see(*(source_file(key) for key in "abc"))
    batch = orders.work()
    made = [
        FileOutcome(file.file_id, "SUCCESS", rows=1, bytes=100, seconds=seconds)
        for file, seconds in zip(batch.files, (0.01, 2.0, 5.0), strict=True)
    ]
    assert orders.finish(batch, *made)
    found = _view(orders, "v_slowest_files")
    assert [(row["key"], row["bytes_per_second"]) for row in found] == [("c", 20), ("b", 50)]


def test_what_was_done_before_the_totals_came_is_in_them(fresh_database: str) -> None:
    ledger = Ledger(fresh_database)
    ledger.migrate()
    ledger.register("orders", "raw.orders")
    orders = Bookkeeping(ledger, "orders")
    orders.see(source_file("a"), source_file("b"), source_file("c"))
    _in_turn(orders, "SUCCESS", "DEAD_LETTER", "PARKED")
    counted = "SELECT * FROM ingest.batch_totals", "SELECT * FROM ingest.hourly_volume"
    before = [orders.ask(question) for question in counted]
    with ledger.transaction() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        revision = ScriptDirectory.from_config(config).get_revision("0008")
        command.downgrade(config, str(revision.down_revision))
    ledger.migrate()
    assert [orders.ask(question) for question in counted] == before
    ledger.dispose()
