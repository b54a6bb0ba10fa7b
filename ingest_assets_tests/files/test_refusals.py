"""A store that cannot be used says why, in words that lead to the mistake, and soon."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from ingest_assets.errors import (
    ConfigurationError,
    ConnectionsFileError,
    ObjectStoreError,
    SourceChangedError,
)
from ingest_assets.files.connections import Connection
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets_tests.conftest import S3Server
from ingest_assets_tests.files.conftest import OpenStore

SECRET = "never-to-be-shown"


@pytest.fixture
def listed(s3: S3Server, bucket: str, environment: None, open_store: OpenStore) -> SourceFile:
    """A file that was found while all was well."""
    s3.client.put_object(Bucket=bucket, Key="a.json", Body=b"{}")
    ((file,),) = open_store(f"s3://{bucket}/").pages()
    return file


def _refused(store: SourceStore, file: SourceFile) -> list[str]:
    """What listing, checking and reading say, none of them after more than 30 seconds."""
    said = []
    for attempt in (lambda: list(store.pages()), store.check, lambda: store.fetch(file)):
        begin = time.monotonic()
        with pytest.raises(ObjectStoreError) as caught:
            attempt()
        assert time.monotonic() - begin < 30
        assert not isinstance(caught.value, SourceChangedError)
        assert caught.value.is_retryable
        text = str(caught.value)
        assert text.startswith(f"s3://{store._bucket}")
        assert SECRET not in text
        assert len(text.splitlines()) == 1
        said.append(text)
    return said


def test_a_bucket_that_does_not_exist(listed: SourceFile, open_store: OpenStore) -> None:
    store = open_store("s3://no-such-bucket-here/")
    for attempt in (store.check, lambda: list(store.pages())):
        with pytest.raises(
            ObjectStoreError, match=r"The bucket does not exist\. Check source\.uri"
        ):
            attempt()
    with pytest.raises(ObjectStoreError):
        store.fetch(listed)


def test_a_name_that_no_bucket_can_have(listed: SourceFile, open_store: OpenStore) -> None:
    store = open_store("s3://No_Such!Bucket/")
    with pytest.raises(ObjectStoreError, match=r"Check source\.uri"):
        store.check()


def test_an_access_key_that_nobody_knows(
    listed: SourceFile, bucket: str, environment: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    environment.setenv("AWS_ACCESS_KEY_ID", "unknown")
    environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    for said in _refused(open_store(f"s3://{bucket}/"), listed):
        assert "Check AWS_ACCESS_KEY_ID, the profile, or the variables" in said


def test_a_secret_key_that_is_not_the_access_key_s(
    listed: SourceFile, bucket: str, environment: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    for said in _refused(open_store(f"s3://{bucket}/"), listed):
        assert "Check AWS_SECRET_ACCESS_KEY, or the variables that the connection names" in said


def test_no_credentials_at_all(
    listed: SourceFile,
    bucket: str,
    environment: pytest.MonkeyPatch,
    open_store: OpenStore,
) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    for said in _refused(open_store(f"s3://{bucket}/"), listed):
        assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" in said


def test_a_profile_that_does_not_exist(
    listed: SourceFile, bucket: str, environment: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    environment.setenv("AWS_PROFILE", "no-such-profile")
    for said in _refused(open_store(f"s3://{bucket}/"), listed):
        assert "no-such-profile" in said
        assert "AWS_PROFILE to a profile that exists" in said


def test_nobody_listens_at_the_endpoint(
    listed: SourceFile, bucket: str, environment: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    for said in _refused(open_store(f"s3://{bucket}/"), listed):
        assert "The store did not answer. Check the connection's endpoint_url" in said


@pytest.mark.slow
def test_an_endpoint_behind_a_wall_that_drops_everything(
    listed: SourceFile, bucket: str, environment: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    """Once the queue of a socket is full, further attempts to connect get no answer at all."""
    with socket.socket() as wall, contextlib.ExitStack() as queue:
        wall.bind(("127.0.0.1", 0))
        wall.listen(0)
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(wall.getsockname())
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wall.getsockname()[1]}")
        for said in _refused(open_store(f"s3://{bucket}/"), listed):
            assert "The store did not answer. Check the connection's endpoint_url" in said


@pytest.mark.slow
def test_an_endpoint_that_takes_connections_and_never_speaks_tls(
    listed: SourceFile, bucket: str, s3: S3Server, open_store: OpenStore
) -> None:
    connection = Connection(endpoint_url=s3.endpoint_url.replace("http://", "https://"))
    for said in _refused(open_store(f"s3://{bucket}/", connection), listed):
        assert "The store did not answer. Check the connection's endpoint_url" in said


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_without_its_scheme(
    environment: pytest.MonkeyPatch, open_store: OpenStore, name: str
) -> None:
    environment.setenv(name, "127.0.0.1:9000")
    with pytest.raises(ConfigurationError, match=rf"{name} is '127.*should begin with http://"):
        open_store("s3://bucket/").check()


def test_a_named_connection_takes_its_keys_from_the_variables_that_it_names(
    s3: S3Server,
    bucket: str,
    listed: SourceFile,
    environment: pytest.MonkeyPatch,
    open_store: OpenStore,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        environment.setenv(name, "of-somebody-else")
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    environment.setenv("AWS_REGION", "mars-north-1")
    environment.setenv("PARTNER_KEY_ID", s3.access_key)
    environment.setenv("PARTNER_SECRET", s3.secret_key)
    connection = Connection(
        region="us-east-1",
        endpoint_url=s3.endpoint_url,
        access_key_id_env="PARTNER_KEY_ID",
        secret_access_key_env="PARTNER_SECRET",
    )
    store = open_store(f"s3://{bucket}/", connection)
    assert list(store.pages()) == [[listed]]
    assert store.fetch(listed).open().read() == b"{}"


def test_a_variable_that_a_connection_names_and_nobody_set(
    environment: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    environment.setenv("PARTNER_KEY_ID", "known")
    environment.setenv("PARTNER_SECRET", "")
    connection = Connection(
        access_key_id_env="PARTNER_KEY_ID", secret_access_key_env="PARTNER_SECRET"
    )
    with pytest.raises(ConnectionsFileError, match="takes keys from PARTNER_SECRET, and it is not"):
        open_store("s3://bucket/", connection).check()


class _Sts(ThreadingHTTPServer):
    """A token service of one role, which gives the keys that it was started with."""

    daemon_threads = True

    def __init__(self, access_key: str, secret_key: str) -> None:
        super().__init__(("127.0.0.1", 0), _StsHandler)
        self.access_key, self.secret_key = access_key, secret_key
        self.asked: list[dict[str, list[str]]] = []
        self.signed_by: list[str] = []
        self.refuses = False


class _StsHandler(BaseHTTPRequestHandler):
    server: _Sts

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked.append(parse_qs(self.rfile.read(length).decode()))
        self.server.signed_by.append(self.headers["Authorization"])
        status, answer = (403, _DENIED) if self.server.refuses else (200, _ASSUMED)
        body = answer.format(server=self.server).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


_ASSUMED = """
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/reader/x</Arn><AssumedRoleId>A</AssumedRoleId>
</AssumedRoleUser><Credentials><AccessKeyId>{server.access_key}</AccessKeyId>
<SecretAccessKey>{server.secret_key}</SecretAccessKey><SessionToken></SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""
_DENIED = """
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>User is not authorized to perform: sts:AssumeRole</Message>
</Error><RequestId>1</RequestId></ErrorResponse>"""


@pytest.fixture
def sts(s3: S3Server, environment: pytest.MonkeyPatch) -> Iterator[_Sts]:
    """The token service that the environment names; the process's own keys open no bucket."""
    environment.setenv("AWS_ACCESS_KEY_ID", "OWNKEY")
    environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with _Sts(s3.access_key, s3.secret_key) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        environment.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


ROLE = Connection(role_arn="arn:aws:iam::123456789012:role/reader", external_id="ours")


def test_a_role_is_assumed_and_its_keys_are_the_ones_that_are_used(
    bucket: str, listed: SourceFile, sts: _Sts, open_store: OpenStore
) -> None:
    with pytest.raises(ObjectStoreError, match="Check AWS_ACCESS_KEY_ID"):
        open_store(f"s3://{bucket}/").check()
    store = open_store(f"s3://{bucket}/", ROLE)
    assert list(store.pages()) == [[listed]]
    assert store.fetch(listed).open().read() == b"{}"
    assert len(sts.asked) == 1, "the keys are kept until they end"
    assert sts.asked[0]["RoleArn"] == [ROLE.role_arn]
    assert sts.asked[0]["ExternalId"] == ["ours"]
    assert "Credential=OWNKEY/" in sts.signed_by[0]


def test_a_role_that_may_not_be_assumed(
    bucket: str, listed: SourceFile, sts: _Sts, open_store: OpenStore
) -> None:
    sts.refuses = True
    for said in _refused(open_store(f"s3://{bucket}/", ROLE), listed):
        assert "The connection's role could not be assumed. Check its role_arn" in said


def test_a_role_without_credentials_to_assume_it_with(
    bucket: str,
    listed: SourceFile,
    sts: _Sts,
    environment: pytest.MonkeyPatch,
    open_store: OpenStore,
) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    for said in _refused(open_store(f"s3://{bucket}/", ROLE), listed):
        assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said
