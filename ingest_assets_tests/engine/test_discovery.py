"""A listing that takes too long for a tick is cut off, and misses nothing for it."""

from datetime import timedelta
from pathlib import Path

import pytest

from ingest_assets.deployment import Deployment
from ingest_assets.engine.discovery import discover
from ingest_assets.files import store as store_module
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup
from ingest_assets.settings import Settings


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture
def deployment(tmp_path: Path, fresh_database: str) -> Deployment:
    home = tmp_path / "home"
    return Deployment(Settings(home, tmp_path / "defs", home / "dagster", fresh_database))


@pytest.fixture
def orders(landing: Path, deployment: Deployment) -> Ingestion:
    (deployment.settings.defs).mkdir()
    ingestion = Ingestion.model_validate(
        {
            "name": "orders",
            "source": {"uri": f"file://{landing}/"},
            "format": {"type": "json"},
            "table": {"identifier": "raw.orders"},
        }
    )
    deployment.ledger.register("orders", "raw.orders")
    return ingestion


def _known(deployment: Deployment) -> list[str]:
    with deployment.ledger.transaction() as connection:
        return [row.key for row in lookup.files(connection, "orders")]


def test_a_listing_without_time_goes_on_where_it_stopped_and_then_begins_anew(
    deployment: Deployment, orders: Ingestion, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAGE_FILES", 2)
    for number in range(5):
        (landing / f"{number}.json").write_text("{}")
    no_time = timedelta(0)
    assert discover(deployment, orders, no_time).new == 2
    (landing / "0-late.json").write_text("{}")
    assert discover(deployment, orders, no_time).new == 2
    assert discover(deployment, orders, no_time).new == 1
    assert discover(deployment, orders, no_time).new == 0
    assert discover(deployment, orders, no_time).new == 1
    assert _known(deployment) == [
        "0-late.json",
        "0.json",
        "1.json",
        "2.json",
        "3.json",
        "4.json",
    ]


def test_a_listing_with_time_sees_the_whole_prefix(
    deployment: Deployment, orders: Ingestion, landing: Path
) -> None:
    for number in range(5):
        (landing / f"{number}.json").write_text("{}")
    assert discover(deployment, orders, timedelta(seconds=30)).new == 5
    assert discover(deployment, orders).new == 0
