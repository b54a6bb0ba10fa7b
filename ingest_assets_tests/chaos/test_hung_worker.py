"""A worker that hangs in a call that never ends, while it goes on renewing its lease."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.engine import lease, stager, steps
from ingest_assets.engine.steps import Step
from ingest_assets.errors import IngestError
from ingest_assets.files import object_store
from ingest_assets.files.object_store import Patience
from ingest_assets.ledger import batches, leases
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

pytestmark = pytest.mark.slow


@pytest.fixture
def workshop(
    tmp_path: Path, fresh_database: str, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    """A deployment in this process, with a bucket and a database of its own."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    made = Workshop(tmp_path / "home", fresh_database, s3, bucket)
    yield made
    made.close()


@pytest.fixture
def silent_address() -> Iterator[str]:
    """A server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        host, port = server.getsockname()
        yield f"http://{host}:{port}"


def test_a_store_that_never_answers_fails_its_files_in_bounded_time_and_the_next_pass_reads_them(
    workshop: Workshop, silent_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    brief = Patience(timedelta(seconds=1), retries=3)
    monkeypatch.setattr(object_store, "PATIENT", brief)
    monkeypatch.setattr(steps, "_watchers", [])
    with monkeypatch.context() as silent:

        def fall_silent(step: Step, _batch: str) -> None:
            if step is Step.CLAIMED:
                silent.setenv("AWS_ENDPOINT_URL", silent_address)

        steps.watch(fall_silent)
        started = time.monotonic()
        result = workshop.ingest(retries={"attempts": 3, "backoff_minutes": [0.001]})
        assert time.monotonic() - started < 60
        steps._watchers.clear()
    assert set(result.counts) <= {"FAILED", "DEAD_LETTER"}
    assert "did not answer" in str(workshop.files()["a.jsonl"].error)
    workshop.put("a.jsonl", json_lines(orders(4)))
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == [4, 5, 6]


def test_a_read_that_never_ends_loses_its_lease_and_writes_nothing_when_it_wakes_up(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    monkeypatch.setattr(lease, "STALLED", timedelta(seconds=2))
    monkeypatch.setattr(leases, "RENEWAL", timedelta(seconds=0.2))
    for module in (leases, batches):
        monkeypatch.setattr(module, "LEASE", timedelta(seconds=2))
    fetch, hangs, wakes = stager.fetch, threading.Event(), threading.Event()

    def read(*arguments: Any) -> Any:
        if not hangs.is_set():
            hangs.set()
            assert wakes.wait(60)
        return fetch(*arguments)

    monkeypatch.setattr(stager, "fetch", read)
    ended: list[str] = []

    def hang() -> None:
        with suppress(IngestError):
            workshop.ingest()
        ended.append("ended")

    hung = threading.Thread(target=hang, daemon=True)
    hung.start()
    try:
        assert hangs.wait(60)
        other = Workshop(
            workshop.deployment.settings.home,
            str(workshop.deployment.settings.postgres_url),
            workshop.s3,
            workshop.bucket,
        )
        assert other.ingest().is_all_well
        assert not ended
        assert other.order_ids() == [1, 2, 3]
        snapshot = other.deployment.catalog.load_table("raw.orders").current_snapshot()
    finally:
        wakes.set()
        hung.join(60)
    assert ended
    after = other.deployment.catalog.load_table("raw.orders").current_snapshot()
    assert after == snapshot
    assert other.order_ids() == [1, 2, 3]
    assert other.statuses() == {"a.jsonl": "SUCCESS"}
    other.close()
