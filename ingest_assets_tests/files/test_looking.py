"""Single objects of a real S3 server looked at, whatever they are called and whatever is denied."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import obstore
import pytest
from obstore.exceptions import PermissionDeniedError

from ingest_assets.errors import ObjectStoreError
from ingest_assets.files.looking import look_at
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.unreachable import StoreUnreachableError
from ingest_assets_tests.alerts.receivers import unused_port
from ingest_assets_tests.conftest import S3Server
from ingest_assets_tests.files.conftest import OpenStore

pytestmark = pytest.mark.usefixtures("environment")

KEYS = [
    "a.json",
    "a.json.gz",
    "line\nbreak.json",
    "trailing\n",
    "50%20.json",
    "plus+ and space?#&.json",
    "日本/é e\u0301 😀.json",
    "...",
    "\x01control\x7f",
]


def _deny(*_: Any) -> None:
    raise PermissionDeniedError("403")


@pytest.fixture(params=[obstore.head, _deny])
def head(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Looks are allowed, or denied as S3 denies them to who may list the prefix only."""
    monkeypatch.setattr(obstore, "head", request.param)
    return request.param  # type: ignore[no-any-return]


def test_objects_are_as_a_listing_tells_of_them(
    s3: S3Server, bucket: str, open_store: OpenStore, head: object
) -> None:
    for key in KEYS:
        s3.client.put_object(Bucket=bucket, Key=f"in %20/{key}", Body=key.encode())
    store = open_store(f"s3://{bucket}/in %20/")
    listed = {file.key: file for page in store.pages() for file in page}
    looked = look_at(store, [*KEYS, *KEYS, "a", "a.js", "none", "none\n"])
    assert [file.key for file in looked.files] == sorted(KEYS, key=str.encode)
    for file in looked.files:
        modified_at = listed[file.key].modified_at
        if head is obstore.head:
            modified_at = modified_at.replace(microsecond=file.modified_at.microsecond)
        assert file == SourceFile(**{**vars(listed[file.key]), "modified_at": modified_at})
    assert looked.gone == {"a", "a.js", "none", "none\n"}
    assert looked.refused == {}


def test_a_bucket_that_is_not_there_is_no_deletion_of_its_objects(open_store: OpenStore) -> None:
    with pytest.raises(ObjectStoreError, match="The bucket does not exist"):
        look_at(open_store("s3://no-such-bucket/orders/"), ["a", "b\n"])


def test_keys_that_the_store_refuses_say_so(
    open_store: OpenStore, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ObjectStoreError, match="The secret key does not belong") as refused:
        look_at(open_store("s3://bucket/orders/"), ["a", "b\n"])
    assert not isinstance(refused.value, StoreUnreachableError)


def test_a_store_that_does_not_answer_says_so(
    open_store: OpenStore, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port()}")
    with pytest.raises(StoreUnreachableError, match="The store did not answer"):
        look_at(open_store("s3://bucket/orders/"), ["a", "b\n"])


class _Throttling(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined]
        self.send_response(429)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_store_that_throttles_is_asked_no_more(
    open_store: OpenStore, environment: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Throttling) as server:
        server.asked = 0  # type: ignore[attr-defined]
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(StoreUnreachableError, match="The store throttles"):
            look_at(open_store("s3://bucket/orders/"), [f"{n}.json" for n in range(500)])
        server.shutdown()
        serving.join()
        assert server.asked < 200  # type: ignore[attr-defined]


def test_an_object_that_the_store_refuses_without_a_word_leaves_the_others_alone(
    s3: S3Server, bucket: str, open_store: OpenStore
) -> None:
    s3.client.put_object(Bucket=bucket, Key="open", Body=b"1")
    s3.client.put_object(
        Bucket=bucket,
        Key="sealed",
        Body=b"1",
        SSECustomerAlgorithm="AES256",
        SSECustomerKey="k" * 32,
    )
    store = open_store(f"s3://{bucket}/")
    looked = look_at(store, ["open", "sealed", "none"])
    assert ([file.key for file in looked.files], looked.gone) == (["open"], {"none"})
    (said,) = looked.refused.values()
    assert not isinstance(said, StoreUnreachableError)
    assert "sealed cannot be read (400 Bad Request). " in str(said)
    assert "encrypted with a key that the store does not have" in str(said)
    assert look_at(store, ["sealed"]).refused.keys() == {"sealed"}
    sealed = next(file for page in store.pages() for file in page if file.key == "sealed")
    with pytest.raises(ObjectStoreError, match=r"\(InvalidArgument: Requests specifying") as unread:
        store.fetch(sealed)
    assert not isinstance(unread.value, StoreUnreachableError)
