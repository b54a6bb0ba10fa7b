"""A bucket that does not answer costs the others nothing, and is found again when it does."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ingest_assets.files import clients
from ingest_assets.files.unreachable import WAITS, StoreUnreachableError, UnreachableStores
from ingest_assets.orchestration.tick import Tick, run_tick
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.silent_server import SilentServer
from ingest_assets_tests.end_to_end.workshop import Workshop

ELSEWHERE = {"source": {"connection": "elsewhere"}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


@pytest.fixture
def clock(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which the deployment waits; it gives up a silent server after a second."""
    monkeypatch.setattr(clients, "READ_SECONDS", 0.5)
    clock = Clock()
    workshop.deployment.__dict__["unreachable"] = UnreachableStores(clock)
    return clock


def _elsewhere_is(workshop: Workshop, address: str) -> None:
    path = workshop.deployment.settings.defs / "connections.yaml"
    path.write_text(yaml.safe_dump({"elsewhere": {"endpoint_url": address}}))
    workshop.deployment.__dict__.pop("connections", None)


def _tick(workshop: Workshop, name: str = "orders", **changes: Any) -> Tick:
    ingestion = workshop.ingestion(name=name, **changes)
    return run_tick(workshop.deployment, ingestion, workshop.instance, "sensor")


def test_a_silent_bucket_is_asked_once_and_then_after_a_wait(
    workshop: Workshop, silent: SilentServer, clock: Clock
) -> None:
    _elsewhere_is(workshop, silent.address)
    workshop.put("a.jsonl", json_lines(orders(1)))
    with pytest.raises(StoreUnreachableError, match="The store did not answer"):
        _tick(workshop, **ELSEWHERE)
    asked, began = len(silent.accepted), time.monotonic()
    assert asked == clients.ATTEMPTS
    with pytest.raises(StoreUnreachableError, match=r"It is asked again in 30 s\.$"):
        _tick(workshop, **ELSEWHERE)
    with pytest.raises(StoreUnreachableError, match="asked again in 30 s"):
        _tick(
            workshop,
            "events",
            source={"connection": "elsewhere"},
            table={"identifier": "raw.events"},
        )
    assert len(silent.accepted) == asked
    assert time.monotonic() - began < 0.5 * clients.ATTEMPTS
    assert _tick(workshop, "visits", table={"identifier": "raw.visits"}).arrivals.seen.new == 0
    clock.now += WAITS[0].total_seconds()
    with pytest.raises(StoreUnreachableError, match="did not answer"):
        _tick(workshop, **ELSEWHERE)
    assert len(silent.accepted) == asked + clients.ATTEMPTS
    assert workshop.files() == {}


def test_a_connection_with_another_address_is_asked_at_once(
    workshop: Workshop, clock: Clock
) -> None:
    _elsewhere_is(workshop, "http://127.0.0.1:9")
    workshop.put("a.jsonl", json_lines(orders(1)))
    with pytest.raises(StoreUnreachableError, match="did not answer"):
        _tick(workshop, **ELSEWHERE)
    _elsewhere_is(workshop, workshop.s3.endpoint_url)
    assert _tick(workshop, **ELSEWHERE).arrivals.seen.new == 1


def test_the_command_line_asks_a_silent_bucket_at_once(workshop: Workshop, clock: Clock) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    with pytest.MonkeyPatch.context() as down:
        down.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(StoreUnreachableError):
            _tick(workshop)
    assert workshop.ingest().is_all_well
