"""Listing gs://, page by page; moto answers what Google's XML interface has in common with S3's."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from obstore.store import from_url

from ingest_assets.files import object_store
from ingest_assets_tests.aws_server import AwsServer
from ingest_assets_tests.files.conftest import OpenStore

BUCKET = "landing"
"""Without a hyphen, which obstore encodes and moto does not decode."""
KEYS = ["a", "a b", "a!", "a.json", "a/b/c", "a/é", "a/日本", "b"]


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with AwsServer() as server:
        place = {"LocationConstraint": server.region}
        server.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        yield server


@pytest.fixture
def google(server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """The environment names the server as Google's, which asks for no token and speaks no TLS."""

    def without_tls(url: str, **options: Any) -> Any:
        client = {**options.pop("client_options"), "allow_http": True}
        return from_url(url, client_options=client, **options)

    account = {"gcs_base_url": server.url, "disable_oauth": True}
    account |= dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(account))
    monkeypatch.setattr(object_store, "from_url", without_tls)
    return server


def test_the_listing_is_whole_and_goes_on_after_any_key(
    google: AwsServer, open_store: OpenStore
) -> None:
    for key in ("inn/a", *(f"in/{key}" for key in KEYS)):
        google.put(BUCKET, key, b"x")
    store = open_store(f"gs://{BUCKET}/in/")
    for after in (None, *KEYS, "a/", "zz"):
        listed = [file.key for page in store.pages(after) for file in page]
        assert listed == [key for key in KEYS if after is None or key > after]


def test_a_page_is_there_before_the_next_is_asked_for(
    google: AwsServer, open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [f"{number:04}" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: google.put(BUCKET, f"many/{key}", b"x"), keys))
    pages = open_store(f"gs://{BUCKET}/many/").pages()
    caplog.clear()
    with caplog.at_level(logging.INFO, "werkzeug"):
        assert [file.key for file in next(pages)] == keys[:1000]
        asked = sum("GET" in record.getMessage() for record in caplog.records)
    assert asked == 1
    assert [file.key for page in pages for file in page] == keys[1000:]
