"""Objects that are gone from the source are noted, and those that are back; no state changes."""

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ingest_assets.deployment import Deployment
from ingest_assets.engine.discovery import discover
from ingest_assets.files import store as store_module
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import gone_files, listing, listing_progress, lookup
from ingest_assets.ledger.listing import Seen

NO_TIME = timedelta(0)


def gone(deployment: Deployment) -> list[str]:
    """The keys of the files that are noted as gone."""
    with deployment.ledger.transaction() as connection:
        return [row.key for row in lookup.files(connection, "orders") if row.gone_at is not None]


def put(landing: Path, *names: str) -> None:
    """Each file is there, with its name as its content."""
    for name in names:
        (landing / name).parent.mkdir(parents=True, exist_ok=True)
        (landing / name).write_text(name)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of two files."""
    monkeypatch.setattr(store_module, "PAGE_FILES", 2)


Delete = Callable[[Path], None]


@pytest.mark.parametrize(
    "names",
    [["0"], ["2"], ["5"], ["0", "1", "2"], ["3", "4", "5"], ["0", "1", "2", "3", "4", "5"]],
    ids=lambda names: " ".join(names),
)
def test_what_is_gone_is_found_wherever_it_was_in_the_listing(
    deployment: Deployment, orders: Ingestion, landing: Path, names: list[str]
) -> None:
    put(landing, *"012345")
    assert discover(deployment, orders) == Seen(new=6)
    for name in names:
        (landing / name).unlink()
    assert discover(deployment, orders) == Seen(gone=len(names))
    assert gone(deployment) == names
    assert discover(deployment, orders) == Seen()


def test_a_file_that_is_back_is_not_gone_any_more(
    deployment: Deployment, orders: Ingestion, landing: Path, tmp_path: Path
) -> None:
    put(landing, *"0123")
    discover(deployment, orders)
    (landing / "1").rename(tmp_path / "1")
    (landing / "2").unlink()
    assert discover(deployment, orders).gone == 2
    (tmp_path / "1").rename(landing / "1")
    (landing / "2").write_text("other")
    assert discover(deployment, orders) == Seen(changed=1)
    assert gone(deployment) == []


def test_a_file_that_is_gone_keeps_its_state(
    deployment: Deployment, orders: Ingestion, landing: Path
) -> None:
    put(landing, "0")
    discover(deployment, orders)
    (landing / "0").unlink()
    discover(deployment, orders)
    with deployment.ledger.transaction() as connection:
        (row,) = lookup.files(connection, "orders")
    assert (row.status, row.error) == ("DISCOVERED", None)


def test_a_listing_that_is_cut_off_judges_as_far_as_it_came(
    deployment: Deployment, orders: Ingestion, landing: Path
) -> None:
    put(landing, *"012345")
    discover(deployment, orders)
    for name in "15":
        (landing / name).unlink()
    assert [discover(deployment, orders, NO_TIME).gone for _ in range(2)] == [1, 0]
    assert gone(deployment) == ["1"]
    assert discover(deployment, orders, NO_TIME).gone == 1
    assert gone(deployment) == ["1", "5"]


def test_a_known_file_that_the_pattern_leaves_out_is_there_as_long_as_it_is_listed(
    deployment: Deployment, orders: Ingestion, landing: Path
) -> None:
    put(landing, "a.json", "b.json", "c.json")
    discover(deployment, orders)
    source = orders.source.model_copy(update={"pattern": "a*"})
    narrow = orders.model_copy(update={"source": source})
    assert discover(deployment, narrow) == Seen()
    (landing / "b.json").rename(landing.parent / "b.json")
    assert discover(deployment, narrow) == Seen(gone=1)
    (landing.parent / "b.json").rename(landing / "b.json")
    assert discover(deployment, narrow) == Seen()
    assert gone(deployment) == []


def test_a_file_that_comes_while_the_listing_goes_on_is_not_called_gone(
    deployment: Deployment, orders: Ingestion, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(landing, *"0246")
    discover(deployment, orders)
    pages = SourceStore.pages

    def slow_pages(store: SourceStore, after: str | None = None) -> object:
        for page in pages(store, after):
            yield page
            with deployment.ledger.transaction() as connection:  # as a notification would
                new = [
                    SourceFile(key, key, 1, "e", file.modified_at)
                    for file in page
                    for key in [file.key + "-new"]
                ]
                listing.record_listing(connection, "orders", new)

    monkeypatch.setattr(SourceStore, "pages", slow_pages)
    assert discover(deployment, orders).gone == 0


def test_nothing_is_said_of_a_listing_that_is_not_in_order(
    deployment: Deployment,
    orders: Ingestion,
    landing: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(landing, "a/1", "a/2", "b/1", "b/2", "c", "d", "e")
    discover(deployment, orders)
    (landing / "e").unlink()
    pages = SourceStore.pages

    def folders_last(store: SourceStore, after: str | None = None) -> object:
        yield from sorted(pages(store, after), key=lambda page: "/" in page[0].key)

    with monkeypatch.context() as patch:
        patch.setattr(SourceStore, "pages", folders_last)
        with caplog.at_level(logging.WARNING, "ingest_assets.engine.absence"):
            assert discover(deployment, orders) == Seen()
    assert gone(deployment) == []
    assert len(caplog.records) == 1
    assert discover(deployment, orders) == Seen(gone=1)


def test_more_files_than_one_statement_notes_are_all_noted(
    deployment: Deployment, orders: Ingestion, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(landing, *"0123456")
    discover(deployment, orders)
    for name in "123456":
        (landing / name).unlink()
    monkeypatch.setattr(gone_files, "GONE_AT_MOST", 2)
    assert discover(deployment, orders) == Seen(gone=6)


def test_files_that_are_known_to_be_gone_are_noted_once_and_until_they_are_listed(
    deployment: Deployment, orders: Ingestion, landing: Path
) -> None:
    put(landing, *"012")
    discover(deployment, orders)
    for _ in range(2):
        with deployment.ledger.transaction() as connection:
            now = listing_progress.listing_progress(connection, "orders").now
            keys = ["0", "2", "nobody's"]
            assert gone_files.note_gone(connection, "orders", keys, now) == frozenset()
    assert gone(deployment) == ["0", "2"]
    discover(deployment, orders)
    assert gone(deployment) == []
