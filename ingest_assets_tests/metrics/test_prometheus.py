"""`ingest-assets metrics`, scraped by a real Prometheus."""

import socket
import subprocess
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Connection

from ingest_assets.errors import ServiceError
from ingest_assets.ledger import health
from ingest_assets.ledger.states import FileStatus
from ingest_assets.metrics.exporter import _LedgerCollector, serve
from ingest_assets_tests.end_to_end.dagster_dev import free_port
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.workshop import Workshop, attributes, declare
from ingest_assets_tests.metrics.prometheus import RULES, Prometheus, scrape, serving

pytestmark = pytest.mark.slow


def _values(text: str) -> dict[str, float]:
    """Each series and its value."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def test_prometheus_knows_what_became_of_the_files(
    product: Product, workshop: Workshop, prometheus: str, tmp_path: Path
) -> None:
    rows = b'{"order_id": 1}\n' * 12
    workshop.put("a.jsonl", rows + b"no JSON\n")
    workshop.put("bad.jsonl.gz", b"\x1f\x8bnothing that can be read")
    workshop.ingest()
    with serving(product) as port, Prometheus(prometheus, tmp_path / "own", port) as scraper:
        scraper.wait_for_value("ingest_up", 1)
        scraper.wait_for_value('ingest_files{ingestion="orders",status="SUCCESS"}', 1)
        assert scraper.value('ingest_dead_letters{ingestion="orders"}') == 1
        assert scraper.value('ingest_rows_total{ingestion="orders",kind="written"}') == 12
        assert scraper.value('ingest_rows_total{ingestion="orders",kind="rejected"}') == 1
        assert scraper.value('ingest_batch_seconds_count{ingestion="orders"}') == 1
        assert scraper.value("ingest_lag_seconds") == 0
        assert scraper.value("breaking_schema_change") == 0
        # The work of another process, while the metrics are served.
        workshop.put("b.jsonl", b'{"order_id": {"now": "a struct"}}\n')
        workshop.ingest()
        scraper.wait_for_value('breaking_schema_change{ingestion="orders"}', 1)
        scraper.wait_for_value('ingest_files{ingestion="orders",status="PARKED"}', 1)
        scraper.wait_for_value('ALERTS{alertname="BreakingSchemaChange",alertstate="firing"}', 1)
        assert scraper.value('ingest_rows_total{ingestion="orders",kind="written"}') == 12
        (group,) = scraper.get("rules")["groups"]
        assert {rule["health"] for rule in group["rules"]} == {"ok"}
        _promtool("check", "metrics", text=scrape(port))
        _promtool("check", "rules", str(RULES))


def _promtool(*arguments: str, text: str | None = None) -> None:
    """It has nothing to say against what it is asked to check."""
    checked = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, ""), checked


def test_a_scrape_has_what_is_declared_and_says_when_the_ledger_hangs(
    product: Product, workshop: Workshop, fresh_database: str
) -> None:
    """A lock on what a scrape reads stands for all that makes Postgres hang."""
    workshop.deployment.ledger.register("gone", "raw.gone")
    workshop.put("a.jsonl", b'{"order_id": 1}\n')
    workshop.ingest()
    with serving(product) as port:
        found = _values(scrape(port))
        assert found["ingest_up"] == 1
        assert not [series for series in found if 'ingestion="gone"' in series]
        heights = [
            value
            for series, value in found.items()
            if series.startswith("ingest_batch_seconds_bucket")
        ]
        assert len(heights) == 12
        assert heights == sorted(heights)
        assert heights[-1] == found['ingest_batch_seconds_count{ingestion="orders"}'] == 1
        other = psycopg2.connect(fresh_database.replace("+psycopg2", ""))
        try:
            other.cursor().execute("LOCK TABLE ingest.batch_totals IN ACCESS EXCLUSIVE MODE")
            assert _values(scrape(port)) == {"ingest_up": 0}
        finally:
            other.close()
        assert _values(scrape(port))["ingest_up"] == 1


def test_settled_files_that_are_too_many_to_count_in_time_leave_the_rest(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(workshop.deployment.settings.defs, attributes(workshop.bucket))
    workshop.put("a.jsonl", b'{"order_id": 1}\n')
    workshop.ingest()
    count, asked = health.settled_files, list[str]()

    def takes_long(connection: Connection) -> dict[tuple[str, FileStatus], int]:
        asked.append("once")
        connection.exec_driver_sql("SELECT pg_sleep(20)")
        return count(connection)

    def scraped() -> dict[str, float]:
        found = (sample for metric in collector.collect() for sample in metric.samples)
        return {f"{one.name} {one.labels.get('status', '')}": one.value for one in found}

    monkeypatch.setattr(health, "settled_files", takes_long)
    collector = _LedgerCollector(workshop.deployment)
    for _ in range(2):
        values = scraped()
        assert (values["ingest_up "], values["ingest_files FAILED"]) == (1, 0)
        assert "ingest_files SUCCESS" not in values
    assert asked == ["once"]

    monkeypatch.setattr(health, "settled_files", count)
    collector = _LedgerCollector(workshop.deployment)
    assert scraped()["ingest_files SUCCESS"] == 1
    monkeypatch.setattr(health, "settled_files", takes_long)
    collector._settled._next = 0.0
    assert scraped()["ingest_files SUCCESS"] == 1


def test_it_starts_and_answers_though_postgres_never_does(product: Product) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        port = silent.getsockname()[1]
        product.env["INGEST_POSTGRES_URL"] = f"postgresql://nobody@127.0.0.1:{port}/none"
        with serving(product) as served:
            assert _values(scrape(served)) == {"ingest_up": 0}
            assert _values(scrape(served)) == {"ingest_up": 0}


def test_a_port_that_is_taken_is_a_clear_error(workshop: Workshop) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"cannot be served at 127.0.0.1:{port}: .*--port"):
            serve(workshop.deployment, "127.0.0.1", port)
