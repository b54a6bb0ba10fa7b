"""Names and places of dead letters: safe on every store, whatever a key looks like."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest_assets.declaration.source import Source
from ingest_assets.errors import ObjectStoreError
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.dead_letters import (
    REPORT_SUFFIX,
    DeadLetterStore,
    copy_name,
    left_out,
)
from ingest_assets.files.store_errors import NotWritableError
from ingest_assets_tests.conftest import S3Server

ODD_KEYS = [
    "../../etc/passwd",
    "a/../../b",
    "/absolute",
    "a//b",
    "a/./b",
    "end/..",
    "100%.json",
    "100%25.json",
    "ünïcode 漢字.json",
    "tab\tand\nnewline\x00",
    "back\\slash",
    "a.error.json",
    "c.error.json/b",
    "x" * 1024,
    "ü" * 300 + "/b",
    "/".join(["deep"] * 200),
]
_keys = st.one_of(
    st.sampled_from(ODD_KEYS),
    st.text(alphabet="ab./%\\ü\n2EFerrojsn", min_size=1, max_size=30),
    st.lists(st.sampled_from(["..", ".", "", "a", "b.error.json"]), min_size=2).map("/".join),
)


@given(key=_keys)
@example(key="a/")
def test_a_copy_never_leaves_its_folder_and_fits_every_store(key: str) -> None:
    name = copy_name(key)
    segments = name.split("/")
    assert not {"", ".", ".."}.intersection(segments)
    assert all(len((segment + REPORT_SUFFIX).encode()) <= 255 for segment in segments)
    assert len(name.encode()) <= 700
    assert not any(char < " " or char in "\x7f\\" for char in name)


@given(one=_keys, other=_keys)
@example(one="a//b", other="a/%2Fb")
@example(one="a", other="a.error.json")
def test_no_two_keys_share_a_name_and_no_copy_has_the_name_of_a_report(
    one: str, other: str
) -> None:
    names = {copy_name(one), copy_name(one) + REPORT_SUFFIX}
    others = {copy_name(other), copy_name(other) + REPORT_SUFFIX}
    assert one == other or not names & others


def test_a_plain_key_stands_for_itself() -> None:
    for key in ("2026/11/21/orders-0007.jsonl.gz", "ünïcode 漢字.json", "a...b/.hidden"):
        assert copy_name(key) == key


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A store of dead letters, and what finds all that lies there: contents by name."""
    if request.param == "folder":
        root = tmp_path / "dead"

        def found() -> dict[str, bytes]:
            paths = [path for path in tmp_path.rglob("*") if path.is_file()]
            return {str(p.relative_to(root / "orders")): p.read_bytes() for p in paths}

        yield DeadLetterStore(f"file://{root}", "orders", Connection()), found
        return
    s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
    patch = request.getfixturevalue("monkeypatch")
    for name, value in s3.env().items():
        patch.setenv(name, value)

    def listed() -> dict[str, bytes]:
        pages = s3.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        assert all(key.startswith("a/dead/orders/") for key in keys)
        return {
            key.removeprefix("a/dead/orders/"): s3.client.get_object(Bucket=bucket, Key=key)[
                "Body"
            ].read()
            for key in keys
        }

    yield DeadLetterStore(f"s3://{bucket}/a/dead/", "orders", Connection()), listed


def test_copies_and_reports_of_odd_keys_lie_beside_each_other(place: Any) -> None:
    store, found = place
    expected = {}
    for number, key in enumerate(ODD_KEYS):
        name = copy_name(key)
        assert store.put_copy(key, BytesIO(b"%d!" % number)).endswith(name)
        assert store.put_report(key, b"{}").endswith(name + REPORT_SUFFIX)
        expected |= {name: b"%d!" % number, name + REPORT_SUFFIX: b"{}"}
    assert found() == expected


def test_a_second_copy_takes_the_place_of_the_first(place: Any) -> None:
    store, found = place
    for content in (b"first, and longer", b"second", b""):
        store.put_copy("a", BytesIO(content))
        assert found() == {"a": content}


def test_a_copy_that_breaks_off_leaves_nothing(place: Any) -> None:
    store, found = place

    class Broken(BytesIO):
        def read(self, *_size: Any) -> bytes:
            raise OSError("the disk is odd")

    with pytest.raises(ObjectStoreError, match="orders/a cannot be written"):
        store.put_copy("a", Broken())
    assert found() == {}


def test_a_large_copy_is_whole(place: Any) -> None:
    store, found = place
    content = bytes(range(256)) * 4096 * 33
    store.put_copy("a", BytesIO(content))
    assert found()["a"] == content


def test_a_key_below_another_key_is_copied_to_a_folder_too(tmp_path: Path) -> None:
    store = DeadLetterStore(f"file://{tmp_path}", "orders", Connection())
    keys = ["a/b", "a", "c", "c/d"]
    uris = [store.put_copy(key, BytesIO(key.encode())) for key in keys]
    assert [Path(uri.removeprefix("file://")).read_text() for uri in uris] == keys
    assert len({*uris}) == 4


def test_a_place_that_cannot_be_written_to_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dead").write_text("a file")
    store = DeadLetterStore(f"file://{tmp_path}/dead", "orders", Connection())
    with pytest.raises(ObjectStoreError, match=r"dead/orders/a cannot be written \(.*tried again"):
        store.put_copy("a", BytesIO(b"1"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    nowhere = DeadLetterStore("s3://dead", "orders", Connection())
    with pytest.raises(ObjectStoreError, match=r"s3://dead/orders/a cannot be written.*endpoint"):
        nowhere.put_copy("a", BytesIO(b"1"))


def test_places_share_the_client_of_their_connection_until_one_refuses(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    clients, connection = S3Clients(), Connection()
    shared = clients.of(connection)
    for ingestion in ("orders", "returns"):
        place = DeadLetterStore(f"s3://{bucket}/dead", ingestion, connection, clients)
        place.put_report("a", b"{}")
        assert clients.of(connection) is shared
    nowhere = DeadLetterStore(f"s3://{bucket}", "orders", connection, clients)
    with monkeypatch.context() as down:
        down.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(NotWritableError):
            nowhere.put_report("a", b"{}")
    assert clients.of(connection) is not shared


@pytest.mark.parametrize(
    ("source", "place", "key", "is_out"),
    [
        ("s3://b/in/", "s3://b/in/dead", "dead/orders/a", True),
        ("s3://b/in/", "s3://b/in/dead/", "dead/returns/a", True),
        ("s3://b/in/", "s3://b/in/dead", "deadline.json", False),
        ("s3://b", "s3://b", "orders/a", True),
        ("s3://b", "s3://b", "returns/a", False),
        ("s3://b/orders/", "s3://b/", "orders/a", False),
        ("s3://b/in/", "s3://other/in/dead", "dead/orders/a", False),
        ("file:///data", "file:///data/.ingest/dead_letter", ".ingest/dead_letter/x/a", True),
    ],
)
def test_a_key_at_the_place_of_dead_letters_is_left_out(
    source: str, place: str, key: str, is_out: bool
) -> None:
    assert left_out(Source(uri=source), [place], "orders")(key) is is_out
