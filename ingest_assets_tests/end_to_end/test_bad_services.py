"""Services that refuse, vanish or come back: nothing is lost, and nothing is written twice."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.engine import stager, steps
from ingest_assets.engine.steps import Step
from ingest_assets.errors import CatalogError, LedgerError, ObjectStoreError, ServiceError
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets.orchestration.instance import open_instance
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

_numbers = itertools.count(1)


def test_a_bucket_that_does_not_exist_is_named(workshop: Workshop) -> None:
    with pytest.raises(ObjectStoreError) as caught:
        workshop.ingest(source={"uri": "s3://there-is-none/orders/"})
    message = str(caught.value)
    assert "s3://there-is-none/orders/" in message
    assert "The bucket does not exist. Check source.uri" in message
    assert workshop.files() == {}
    assert workshop.rows() == []


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("AWS_ACCESS_KEY_ID", "The access key is not known there"),
        ("AWS_SECRET_ACCESS_KEY", "The secret key does not belong to the access key"),
    ],
)
def test_wrong_credentials_are_told_apart_and_never_shown(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, variable: str, advice: str
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    with monkeypatch.context() as wrong:
        wrong.setenv(variable, "not-the-right-one")
        with pytest.raises(ObjectStoreError) as caught:
            workshop.ingest()
    assert advice in str(caught.value)
    assert "not-the-right-one" not in str(caught.value)
    assert workshop.files() == {}
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == [1, 2, 3]


def test_a_store_that_is_down_fails_the_pass_and_the_next_one_goes_on(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    with monkeypatch.context() as down:
        down.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(ObjectStoreError, match="did not answer"):
            workshop.ingest()
    assert workshop.ingest().is_all_well


def test_an_object_deleted_between_listing_and_reading_waits_to_be_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.put("gone.jsonl", json_lines(orders(4)))
    before_reading(
        monkeypatch,
        lambda: workshop.s3.client.delete_object(Bucket=workshop.bucket, Key="orders/gone.jsonl"),
    )
    result = workshop.ingest()
    gone = workshop.files()["gone.jsonl"]
    assert (gone.status, gone.error_type, gone.attempts) == ("FAILED", "SourceChangedError", 1)
    assert "is gone since it was listed" in (gone.error or "")
    assert gone.next_attempt_at is not None
    assert result.waiting == {"FAILED": 1}
    assert workshop.order_ids() == [1, 2, 3]


def test_an_object_that_stays_gone_is_dead_lettered_and_read_once_it_is_back(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("gone.jsonl", json_lines(orders(4)))
    before_reading(
        monkeypatch,
        lambda: workshop.s3.client.delete_object(Bucket=workshop.bucket, Key="orders/gone.jsonl"),
    )
    workshop.ingest(retries={"attempts": 2, "backoff_minutes": [0]})
    gone = workshop.files()["gone.jsonl"]
    assert (gone.status, gone.error_type, gone.attempts) == ("DEAD_LETTER", "SourceChangedError", 2)
    assert "is gone since it was listed" in (gone.error or "")
    workshop.put("gone.jsonl", json_lines(orders(4, customer="back")))
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == [4, 5, 6]


def test_the_rows_of_an_object_that_was_deleted_stay_until_it_is_uploaded_empty(
    workshop: Workshop,
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    workshop.s3.client.delete_object(Bucket=workshop.bucket, Key="orders/a.jsonl")
    assert workshop.ingest().is_all_well
    assert workshop.statuses() == {"a.jsonl": "SUCCESS"}
    assert not workshop.materialize("a.jsonl").success
    assert workshop.statuses() == {"a.jsonl": "FAILED"}
    assert workshop.order_ids() == [1, 2, 3]
    workshop.put("a.jsonl", b"")
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == []


def test_an_object_replaced_between_listing_and_reading_is_read_as_it_is_now(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    before_reading(monkeypatch, lambda: workshop.put("a.jsonl", json_lines(orders(10))))
    workshop.ingest()
    assert workshop.order_ids() == []
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == [10, 11, 12]


@pytest.mark.parametrize("is_the_batchs", [True, False])
def test_an_error_met_at_one_file_fails_the_files_that_it_is_about(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, is_the_batchs: bool
) -> None:
    for number, key in enumerate("abc"):
        workshop.put(f"{key}.jsonl", json_lines(orders(3 * number + 1)))
    fetch = stager.fetch

    def read(*arguments: Any) -> Any:
        if arguments[2].source.key == "b.jsonl":
            raise CatalogError("no warehouse") if is_the_batchs else ObjectStoreError("no file")
        return fetch(*arguments)

    monkeypatch.setattr(stager, "fetch", read)
    workshop.ingest()
    others = "FAILED" if is_the_batchs else "SUCCESS"
    expected = {"a.jsonl": others, "b.jsonl": "FAILED", "c.jsonl": others}
    assert workshop.statuses() == expected
    assert {file.attempts for file in workshop.files().values()} == {1}
    assert workshop.order_ids() == ([] if is_the_batchs else [1, 2, 3, 7, 8, 9])


def before_reading(monkeypatch: pytest.MonkeyPatch, happen: Any) -> None:
    """Something happens in the world, once, after the listing and before the first byte."""
    fetch, lock, happened = stager.fetch, threading.Lock(), []

    def read(*arguments: Any) -> Any:
        with lock:
            if not happened:
                happened.append(happen())
        return fetch(*arguments)

    monkeypatch.setattr(stager, "fetch", read)


class ShortLivedPostgres:
    """A Postgres of the test's own that goes away when a batch reaches a step."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(steps, "_watchers", [])
        self._server = EmbeddedPostgres(folder)
        self._server.start()
        self.url = self._server.url

    def go_away_at(self, step: Step) -> None:
        """Once."""
        steps.watch(lambda reached, _batch: self.stop() if reached == step else None)

    def come_back(self) -> None:
        """For good."""
        steps._watchers.clear()
        self._server.start()

    def stop(self) -> None:
        """Nobody listens any more; its data stays."""
        self._server.stop()


@pytest.fixture
def short_lived(service_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ShortLivedPostgres(service_folder / f"short-{next(_numbers)}", monkeypatch)
    yield server
    server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("step", [Step.CLAIMED, Step.STAGED, Step.TABLE_LOADED, Step.COMMITTED])
def test_a_postgres_that_goes_away_in_a_batch_and_comes_back_loses_nothing(
    tmp_path: Path,
    short_lived: ShortLivedPostgres,
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    step: Step,
) -> None:
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    workshop = Workshop(tmp_path, short_lived.url, s3, bucket)
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.put("b.jsonl", json_lines(orders(4)))
    short_lived.go_away_at(step)
    with pytest.raises(LedgerError, match="Check that the server runs"):
        workshop.ingest()
    short_lived.come_back()
    workshop.let_leases_run_out()
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == [1, 2, 3, 4, 5, 6]
    assert set(workshop.statuses().values()) == {"SUCCESS"}
    assert workshop.partitions() == {"a.jsonl", "b.jsonl"}
    workshop.close()


@pytest.mark.slow
def test_dagster_on_the_same_postgres_says_so_and_is_told_later(
    tmp_path: Path,
    short_lived: ShortLivedPostgres,
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**s3.env(), "INGEST_POSTGRES_URL": short_lived.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    workshop = Workshop(tmp_path, short_lived.url, s3, bucket)
    workshop.put("a.jsonl", json_lines(orders(1)))
    short_lived.go_away_at(Step.COMMITTED)
    settings = workshop.deployment.settings
    with pytest.raises(ServiceError), open_instance(settings) as workshop.instance:
        workshop.ingest()
    short_lived.come_back()
    workshop.let_leases_run_out()
    with open_instance(settings) as workshop.instance:
        assert workshop.ingest().is_all_well
        assert workshop.partitions() == {"a.jsonl"}
    assert workshop.order_ids() == [1, 2, 3]
    workshop.deployment.ledger.dispose()
