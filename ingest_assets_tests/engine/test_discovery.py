"""A listing that takes too long for a tick is cut off, and misses nothing for it."""

import os
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest

from ingest_assets.deployment import Deployment
from ingest_assets.engine.discovery import discover
from ingest_assets.files import store as store_module
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets.files.unreachable import StoreUnreachableError, UnreachableStores
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup
from ingest_assets.ledger.listing import Seen


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


def test_a_listing_that_breaks_off_is_waited_for_and_goes_on_behind_its_last_page(
    deployment: Deployment, orders: Ingestion, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAGE_FILES", 2)
    for number in range(5):
        (landing / f"{number}.json").write_text("{}")
    pages, now, time_limit = SourceStore.pages, [0.0], timedelta(seconds=30)
    deployment.__dict__["unreachable"] = UnreachableStores(lambda: now[0])

    def breaks_off(self: SourceStore, after: str | None = None) -> Iterator[list[SourceFile]]:
        yield from islice(pages(self, after), 2)
        raise StoreUnreachableError("It did not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(SourceStore, "pages", breaks_off)
        with pytest.raises(StoreUnreachableError, match=r"answer\.$"):
            discover(deployment, orders, time_limit)
    with pytest.raises(StoreUnreachableError, match="It is asked again in 30 s"):
        discover(deployment, orders, time_limit)
    (landing / "0-late.json").write_text("{}")
    now[0] += 30
    assert discover(deployment, orders, time_limit).new == 1
    assert discover(deployment, orders, time_limit).new == 1
    assert "0-late.json" in _known(deployment)


def test_a_late_file_is_found_whatever_its_name_and_time(
    deployment: Deployment, orders: Ingestion, landing: Path
) -> None:
    (landing / "m.json").write_text("{}")
    discover(deployment, orders)
    (landing / "\x01 before all.json").write_text("{}")
    (landing / "years old.json").write_text("{}")
    os.utime(landing / "years old.json", (0, 0))
    assert discover(deployment, orders) == Seen(new=2)
    os.utime(landing / "m.json", (86_400, 86_400))
    assert discover(deployment, orders) == Seen(changed=1)


def test_files_that_land_while_a_listing_is_cut_off_are_found_by_it_or_by_the_next(
    deployment: Deployment, orders: Ingestion, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAGE_FILES", 2)
    for number in range(2, 6):
        (landing / f"{number}.json").write_text("{}")
    no_time = timedelta(0)
    assert discover(deployment, orders, no_time).new == 2
    (landing / "1.json").write_text("{}")  # before the place that the listing has come to
    (landing / "9.json").write_text("{}")  # behind it
    os.utime(landing / "1.json", (0, 0))
    found = [discover(deployment, orders, no_time) for _ in range(4)]
    assert sum(found, Seen()) == Seen(new=4)
    assert _known(deployment) == [f"{number}.json" for number in (1, 2, 3, 4, 5, 9)]
