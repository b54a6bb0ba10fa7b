"""Listing and reading objects of a real S3 server, whatever they are called."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingest_assets.declaration.source import Source
from ingest_assets.errors import ObjectStoreError, SourceChangedError
from ingest_assets.files import store as store_module
from ingest_assets.files.discovery import wanted_pages
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets_tests.conftest import S3Server
from ingest_assets_tests.files.conftest import OpenStore

pytestmark = pytest.mark.usefixtures("environment")

ODD_KEYS = [
    "line\nbreak.json",
    "trailing newline\n",
    "cr\r\nlf",
    "tab\there.json",
    "50%20.json",
    "50%.json",
    "a..b/..c/d...json",
    " leading and trailing ",
    "two  spaces/ in / folders",
    "日本/注文.json",
    "e\u0301 and é",
    "😀.json",
    "question?mark=1&and#hash",
    "star*[bracket]{brace}",
    "quote'\"`^<>|~",
    "plus+semi;colon:comma,at@dollar$equals=",
    "\x01control\x7f",
    "no\u00a0break",
    "dot.",
    "...",
    ".hidden",
]


def _listed(store: SourceStore) -> list[SourceFile]:
    return [file for page in store.pages() for file in page]


def _bytes(store: SourceStore, file: SourceFile) -> bytes:
    with store.fetch(file).open() as stream:
        return stream.read()


def _put(s3: S3Server, bucket: str, *keys: str, body: bytes = b"x") -> None:
    client = s3.client
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put_object(Bucket=bucket, Key=key, Body=body), keys))


@pytest.mark.slow
def test_thousands_of_objects_come_in_pages_in_byte_order(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    keys = [f"{number % 7}/{number:05}.json" for number in range(2600)]
    keys += ["é", "z", "Z", "\U0001f600", "\uffee", "~", "_"]
    _put(s3, bucket, *(f"orders/{key}" for key in keys), "orders-2/other", "orderly", "unrelated")
    store = open_store(f"s3://{bucket}/orders/")
    pages = list(store.pages())
    assert [file.key for page in pages for file in page] == sorted(keys, key=str.encode)
    assert max(map(len, pages)) <= 1000
    assert len(store.check()) == 1000


def test_every_object_of_a_bucket_belongs_to_its_root(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    _put(s3, bucket, "a", "b/c")
    for uri in (f"s3://{bucket}", f"s3://{bucket}/"):
        store = open_store(uri)
        assert [file.key for file in _listed(store)] == ["a", "b/c"]
        assert _bytes(store, _listed(store)[1]) == b"x"


def test_an_empty_prefix_has_no_files(bucket: str, open_store: OpenStore) -> None:
    store = open_store(f"s3://{bucket}/orders")
    assert store.check() == []
    assert _listed(store) == []


def test_folder_markers_are_no_files(s3: S3Server, bucket: str, open_store: OpenStore) -> None:
    client = s3.client
    for key in ("orders/", "orders/2026/", "orders/2026/01/"):
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    _put(s3, bucket, "orders/2026/01/a.json")
    store = open_store(f"s3://{bucket}/orders/")
    assert [file.key for file in _listed(store)] == ["2026/01/a.json"]
    assert store.check() == _listed(store)


def test_a_listed_file_is_what_the_store_says_of_it(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    _put(s3, bucket, "orders/2026/a b.json", body=b"12345")
    (file,) = _listed(open_store(f"s3://{bucket}/orders"))
    told = s3.client.head_object(Bucket=bucket, Key="orders/2026/a b.json")
    assert file == SourceFile(
        "2026/a b.json",
        f"s3://{bucket}/orders/2026/a b.json",
        5,
        told["ETag"].strip('"'),
        told["LastModified"],
    )
    assert file.modified_at.utcoffset() is not None


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_object_is_listed_and_read_whatever_its_key(
    s3: S3Server, bucket: str, open_store: OpenStore, key: str
) -> None:
    _put(s3, bucket, f"odd keys %/{key}", body=key.encode())
    _put(s3, bucket, "odd keys %/~plain", body=b"plain")
    store = open_store(f"s3://{bucket}/odd keys %/")
    read = {file.key: _bytes(store, file) for file in _listed(store)}
    assert read == {key: key.encode(), "~plain": b"plain"}


def test_an_empty_object_is_read_as_no_bytes(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    _put(s3, bucket, "empty", "empty\n", body=b"")
    store = open_store(f"s3://{bucket}/")
    assert [_bytes(store, file) for file in _listed(store)] == [b"", b""]


@pytest.mark.parametrize("key", ["a.json", "a\n.json"])
def test_an_object_that_was_replaced_or_deleted_since_is_not_read(
    s3: S3Server, bucket: str, open_store: OpenStore, key: str
) -> None:
    store = open_store(f"s3://{bucket}/orders/")
    _put(s3, bucket, f"orders/{key}", body=b"one")
    (file,) = _listed(store)
    _put(s3, bucket, f"orders/{key}", body=b"two")
    with pytest.raises(SourceChangedError, match="was replaced by other content"):
        store.fetch(file)
    (file,) = _listed(store)
    assert _bytes(store, file) == b"two"
    s3.client.delete_object(Bucket=bucket, Key=f"orders/{key}")
    with pytest.raises(SourceChangedError, match="is gone since it was listed"):
        store.fetch(file)


def test_a_large_object_is_spooled_and_read_by_independent_streams(
    s3: S3Server, bucket: str, open_store: OpenStore, tmp_path: Path
) -> None:
    body = os.urandom(1024**2) * 40 + b"end"
    _put(s3, bucket, "large", body=body)
    store = open_store(f"s3://{bucket}/")
    (file,) = _listed(store)
    content = store.fetch(file)
    assert content.size_bytes == len(body)
    one, other = content.open(), content.open()
    assert one.read(1024**2) == body[: 1024**2]
    assert other.read() == body
    assert one.read(1024**2) == body[1024**2 : 2 * 1024**2]
    assert one.seek(-3, os.SEEK_END) == len(body) - 3
    assert one.read() == b"end"
    one.close()
    assert other.seek(0) == 0
    assert other.read(4) == body[:4]
    assert list((tmp_path / "spool").iterdir()) == [], "a killed process leaves nothing behind"


@pytest.mark.parametrize("key", ["large", "large\n"])
def test_a_large_object_that_changes_while_it_is_read_is_not_used(
    s3: S3Server,
    bucket: str,
    open_store: OpenStore,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    monkeypatch.setattr(store_module, "IN_MEMORY_BYTES", 10)
    monkeypatch.setattr(store_module, "_RANGE_BYTES", 7)
    _put(s3, bucket, key, body=b"0123456789" * 3)
    store = open_store(f"s3://{bucket}/")
    (file,) = _listed(store)
    assert _bytes(store, file) == b"0123456789" * 3
    read = SourceStore._read

    def replaced_after_the_first_range(
        self: SourceStore, file: SourceFile, start: int, end: int
    ) -> bytes:
        if start == 7:
            _put(s3, bucket, key, body=b"abcdefghij" * 3)
        return read(self, file, start, end)

    monkeypatch.setattr(SourceStore, "_read", replaced_after_the_first_range)
    with pytest.raises(SourceChangedError):
        store.fetch(file)


def _keys(source: Source, store: SourceStore, *, first_since: datetime | None) -> dict[str, bool]:
    """Every wanted key, and whether it is skipped."""
    return {
        file.key: file.key in page.skipped_keys
        for page in wanted_pages(source, store, first_since=first_since)
        for file in page.files
    }


def test_only_files_of_the_pattern_are_wanted(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    _put(s3, bucket, "o/a.json", "o/b.csv", "o/2026/c.json", "o/2026/d.json.tmp", "o/.e.json")
    uri = f"s3://{bucket}/o/"
    for pattern, wanted in [
        ("**/*", {".e.json", "2026/c.json", "2026/d.json.tmp", "a.json", "b.csv"}),
        ("**/*.json", {".e.json", "2026/c.json", "a.json"}),
        ("*.json", {".e.json", "a.json"}),
        ("**/*.{csv,tmp}", {"b.csv", "2026/d.json.tmp"}),
        ("nothing", set()),
    ]:
        source = Source(uri=uri, pattern=pattern)
        assert set(_keys(source, open_store(uri), first_since=None)) == wanted


def test_what_was_there_before_is_skipped_in_the_first_listing_only(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    _put(s3, bucket, "a", "b")
    uri = f"s3://{bucket}/"
    (begun, *_) = (file.modified_at for file in _listed(open_store(uri)))
    source = Source.model_validate({"uri": uri, "start": {"include_existing": False}})
    later = begun + timedelta(seconds=5)
    assert _keys(source, open_store(uri), first_since=later) == {"a": True, "b": True}
    assert _keys(source, open_store(uri), first_since=None) == {"a": False, "b": False}


def test_what_lands_while_the_first_listing_goes_on_is_wanted(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    _put(s3, bucket, "a")
    uri = f"s3://{bucket}/"
    (landed,) = (file.modified_at for file in _listed(open_store(uri)))
    source = Source.model_validate({"uri": uri, "start": {"include_existing": False}})
    earlier = landed - timedelta(seconds=1)
    assert _keys(source, open_store(uri), first_since=earlier) == {"a": False}


def test_files_from_before_the_start_are_skipped_in_every_listing(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    _put(s3, bucket, "old")
    uri = f"s3://{bucket}/"
    (old,) = _listed(open_store(uri))
    for modified_after, is_skipped in [(old.modified_at, False), ("2999-01-01T00:00:00Z", True)]:
        start = {"modified_after": modified_after}
        source = Source.model_validate({"uri": uri, "start": start})
        for first_since in (old.modified_at, None):
            found = _keys(source, open_store(uri), first_since=first_since)
            assert found == {"old": is_skipped}


LOCAL_NAMES = [
    "plain.json",
    "with space.json",
    "line\nbreak.json",
    "tab\t",
    "x%20y",
    "日本",
    "#q?",
    "back\\slash",
    "sub/deep er/z.json",
    ".hidden/file",
    "a..b",
]


def test_files_of_a_folder_are_listed_in_byte_order_and_read(
    tmp_path: Path, open_store: OpenStore
) -> None:
    landing = tmp_path / "landing 100%"
    for name in LOCAL_NAMES:
        (landing / name).parent.mkdir(parents=True, exist_ok=True)
        (landing / name).write_bytes(name.encode())
    (landing / "link").symlink_to(landing / "plain.json")
    (landing / "loop").symlink_to(landing)
    (landing / "nowhere").symlink_to(landing / "no such file")
    (landing / "itself").symlink_to(landing / "itself")
    os.mkfifo(landing / "pipe")
    store = open_store(f"file://{landing}/")
    files = _listed(store)
    assert sorted(store.check(), key=files.index) == files
    names = sorted([*LOCAL_NAMES, "link"], key=str.encode)
    assert [file.key for file in files] == names
    assert files[-1].uri == f"file://{landing}/{names[-1]}"
    for file in files:
        content = _bytes(store, file)
        assert content == (landing / file.key).read_bytes()
        assert file.size_bytes == len(content)


def test_a_local_name_that_is_not_text_is_left_out_with_a_warning(
    tmp_path: Path, open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "good").touch()
    with open(os.fsencode(tmp_path) + b"/landing/\xff\xfe", "w"):  # noqa: PTH123
        pass
    assert [file.key for file in _listed(open_store(f"file://{tmp_path}/landing"))] == ["good"]
    assert "is not text in UTF-8" in caplog.text


@pytest.mark.parametrize("in_memory_bytes", [1000, 1])
def test_a_local_file_that_was_replaced_or_deleted_since_is_not_read(
    tmp_path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch, in_memory_bytes: int
) -> None:
    monkeypatch.setattr(store_module, "IN_MEMORY_BYTES", in_memory_bytes)
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "a").write_bytes(b"one")
    store = open_store(f"file://{landing}/")
    (file,) = _listed(store)
    assert _bytes(store, file) == b"one"
    (landing / "b").write_bytes(b"two")
    (landing / "b").rename(landing / "a")
    with pytest.raises(SourceChangedError, match="was replaced by other content"):
        store.fetch(file)
    (landing / "a").unlink()
    with pytest.raises(SourceChangedError, match="is gone since it was listed"):
        store.fetch(file)


def test_a_folder_that_does_not_exist_is_an_error_and_not_an_empty_one(
    tmp_path: Path, open_store: OpenStore
) -> None:
    store = open_store(f"file://{tmp_path}/no/such/folder/")
    for attempt in (store.check, lambda: _listed(store)):
        with pytest.raises(ObjectStoreError, match=r"No such file or directory.*source\.uri"):
            attempt()
