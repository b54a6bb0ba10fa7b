"""The same files, found by the bucket's events (moto) and by listing (SeaweedFS): the same rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.files.notifications import queue as queue_module
from ingest_assets_tests.aws_server import AwsServer
from ingest_assets_tests.conftest import S3Server
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

_ODD_KEYS = ("a b.jsonl", "a+b.jsonl", "50%.jsonl", "%2F.jsonl", "über/é.jsonl", "a~b'c.jsonl")


class _Source:
    """An ingestion whose files are found one way or the other, and its bucket."""

    def __init__(self, workshop: Workshop, client: Any, discovery: dict[str, Any]) -> None:
        self._workshop = workshop
        self._client = client
        self._source = {"discovery": discovery, "pattern": "**/*.jsonl"}

    def put(self, key: str, order_id: int) -> None:
        self.put_bytes(f"orders/{key}", json_lines(orders(order_id, 1)))

    def put_bytes(self, path: str, body: bytes) -> None:
        self._client.put_object(Bucket=self._workshop.bucket, Key=path, Body=body)

    def put_in_parts(self, key: str, order_id: int) -> None:
        place = {"Bucket": self._workshop.bucket, "Key": f"orders/{key}"}
        upload = {**place, "UploadId": self._client.create_multipart_upload(**place)["UploadId"]}
        body = json_lines(orders(order_id, 1))
        etag = self._client.upload_part(**upload, PartNumber=1, Body=body)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        self._client.complete_multipart_upload(**upload, MultipartUpload=parts)

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._workshop.bucket, Key=f"orders/{key}")

    def ingest(self) -> dict[str, int]:
        return self._workshop.ingest(source=self._source).counts

    def state(self) -> tuple[list[int], dict[str, tuple[str, bool]]]:
        """The order ids in the table; of each file its state and whether its object is gone."""
        files = self._workshop.files().items()
        told = {key: (file.status, file.gone_at is not None) for key, file in files}
        return self._workshop.order_ids(), told


@pytest.fixture(params=["notifications", "listing"])
def source(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fresh_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[_Source]:
    server: Any
    if request.param == "listing":
        server, discovery = request.getfixturevalue("s3"), {"mode": "listing"}
        assert isinstance(server, S3Server)
        yield from _made(server, server.client, discovery, tmp_path, fresh_database, monkeypatch)
        return
    with AwsServer() as server:
        discovery = {"mode": "notifications", "queue_url": server.make_queue()}
        client = server.client("s3")
        yield from _made(server, client, discovery, tmp_path, fresh_database, monkeypatch)


def _made(
    server: Any,
    client: Any,
    discovery: dict[str, Any],
    folder: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[_Source]:
    for name, value in server.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(queue_module, "WAIT_SECONDS", 0)
    workshop = Workshop(folder / "home", database, server, server.make_bucket())
    if "queue_url" in discovery:
        server.notify(workshop.bucket, discovery["queue_url"])
    made = _Source(workshop, client, discovery)
    assert made.ingest() == {}
    yield made
    workshop.close()


def test_files_come_change_and_go_the_same_whichever_way_they_are_found(source: _Source) -> None:
    for number, key in enumerate(_ODD_KEYS):
        source.put(key, number)
    source.put("twice.jsonl", 90)
    source.put("twice.jsonl", 10)
    source.put_in_parts("parts.jsonl", 11)
    source.put("never-read.jsonl", 91)
    source.remove("never-read.jsonl")
    source.put_bytes("orders/folder/", b"")
    source.put_bytes("orders/readme.txt", b"left out by the pattern")
    source.put_bytes("elsewhere/a.jsonl", json_lines(orders(92, 1)))
    assert source.ingest() == {"SUCCESS": 8}

    source.put("0-before-all-others.jsonl", 12)
    source.put("a b.jsonl", 13)
    source.remove("a+b.jsonl")
    assert source.ingest() == {"SUCCESS": 2}
    assert source.ingest() == {}

    rows, files = source.state()
    assert rows == sorted([1, 2, 3, 4, 5, 10, 11, 12, 13])
    kept = {*_ODD_KEYS, "twice.jsonl", "parts.jsonl", "0-before-all-others.jsonl"}
    assert files == {key: ("SUCCESS", key == "a+b.jsonl") for key in kept}
