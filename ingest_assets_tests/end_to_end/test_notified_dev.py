"""A real `dagster dev` that is told of its files: from the put to the green partition."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ingest_assets.ledger.ledger import Ledger
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets_tests.aws_server import AwsServer
from ingest_assets_tests.end_to_end.dagster_dev import DagsterDev
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.alone]
LEDGER_SECONDS = 8
GREEN_SECONDS = 20


@pytest.fixture
def own_postgres(service_folder: Path) -> Iterator[str]:
    with EmbeddedPostgres(service_folder / "notified_dev") as server:
        yield server.url


def test_a_file_is_green_within_seconds_of_its_event(tmp_path: Path, own_postgres: str) -> None:
    with AwsServer() as aws:
        bucket, url = aws.make_bucket(), aws.make_queue()
        product = Product(tmp_path / "user", aws, bucket, INGEST_POSTGRES_URL=own_postgres)
        product.declare(source={"discovery": {"mode": "notifications", "queue_url": url}})
        aws.notify(bucket, url)
        with DagsterDev(tmp_path, product.env) as dev:
            dev.ui.start_sensor("orders")
            _seconds_to_green(product, dev, "first.jsonl", at_most=120)
            green = {
                key: _seconds_to_green(product, dev, key, at_most=60)
                for key in ("a.jsonl", "b.jsonl", "c.jsonl")
            }
        assert aws.messages(url) == 0
        found = {key: _seconds_to_the_ledger(own_postgres, aws, bucket, key) for key in green}
    shown = f"from put to the ledger {found}, to green {green}"
    logging.getLogger(__name__).info("Seconds %s", shown)
    assert min(found.values()) < LEDGER_SECONDS, shown
    assert min(green.values()) < GREEN_SECONDS, shown


def _seconds_to_green(product: Product, dev: DagsterDev, key: str, at_most: float) -> float:
    """How long it took from the put."""
    product.put(key, json_lines(orders(1, 1)))
    began = time.monotonic()
    wait_for(
        f"green {key}",
        lambda: key in dev.ui.partitions("orders")["green"],
        seconds=at_most,
        otherwise=dev.last_words,
    )
    return round(time.monotonic() - began, 1)


def _seconds_to_the_ledger(postgres_url: str, aws: AwsServer, bucket: str, key: str) -> float:
    """How long it took from the put, to the second in which that was."""
    ledger = Ledger(postgres_url)
    with ledger.transaction() as connection:
        found = connection.execute(
            text("SELECT discovered_at FROM ingest.files WHERE key = :key"), {"key": key}
        ).scalar_one()
    ledger.dispose()
    put_at = aws.client("s3").head_object(Bucket=bucket, Key=f"orders/{key}")["LastModified"]
    return round((found - put_at).total_seconds(), 1)
