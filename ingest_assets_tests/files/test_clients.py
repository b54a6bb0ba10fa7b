"""S3 clients are shared as long as what they are made of is the same, and not for ever."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from ingest_assets.declaration.source import Source
from ingest_assets.errors import ObjectStoreError, ServiceError, SourceChangedError
from ingest_assets.files.clients import MAX_AGE, S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.finishing import finishing
from ingest_assets.files.notifications.queue import Queue
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets_tests.aws_server import AwsServer
from ingest_assets_tests.conftest import S3Server


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_connection_has_one_client_until_it_is_too_old(environment: pytest.MonkeyPatch) -> None:
    clock = Clock()
    clients = S3Clients(clock)
    first = clients.of(Connection())
    assert clients.of(Connection()) is first
    assert clients.of(Connection(region="eu-central-1")) is not first
    clock.now = MAX_AGE.total_seconds() + 1
    assert clients.of(Connection()) is not first


def test_other_keys_in_the_environment_are_used_at_once(environment: pytest.MonkeyPatch) -> None:
    clients, own = S3Clients(), Connection(access_key_id_env="K", secret_access_key_env="S")
    environment.setenv("K", "one")
    environment.setenv("S", "secret")
    first, standard = clients.of(own), clients.of(Connection())
    environment.setenv("K", "two")
    assert clients.of(own).session.get_credentials().access_key == "two"
    assert clients.of(own) is not first
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert clients.of(Connection()) is not standard
    assert clients.of(Connection()).endpoint == "http://127.0.0.1:9"


def test_a_refusal_is_the_end_of_the_connections_client(
    environment: pytest.MonkeyPatch, s3: S3Server
) -> None:
    clients, other = S3Clients(), Connection(region="eu-central-1")
    first, kept = clients.of(Connection()), clients.of(other)
    source = Source(uri="s3://there-is-none/orders/")
    with pytest.raises(ObjectStoreError, match="does not exist"):
        SourceStore(source, Connection(), s3.folder, clients).check()
    assert clients.of(Connection()) is not first
    assert clients.of(other) is kept


def _finish(source: Source, clients: S3Clients, file: SourceFile) -> None:
    finishing(source, Connection(), clients).delete(file)


def _look(source: Source, clients: S3Clients, file: SourceFile) -> None:
    SourceStore(source, Connection(), Path(), clients).head(file.key)


def _read(source: Source, clients: S3Clients, file: SourceFile) -> None:
    SourceStore(source, Connection(), Path(), clients).fetch(file)


def _listen(_source: Source, clients: S3Clients, _file: SourceFile) -> None:
    Queue("http://127.0.0.1:9/1/q", Connection(), clients).receive()


@pytest.mark.parametrize("work", [_look, _read, _finish, _listen])
def test_whatever_work_is_refused_ends_the_connections_client(
    environment: pytest.MonkeyPatch,
    s3: S3Server,
    bucket: str,
    work: Callable[[Source, S3Clients, SourceFile], None],
) -> None:
    s3.client.put_object(Bucket=bucket, Key="a", Body=b"1")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "of yesterday")
    clients, source = S3Clients(), Source(uri=f"s3://{bucket}/")
    file = SourceFile("a", f"s3://{bucket}/a", 1, "etag", datetime.now(UTC))
    refused = clients.of(Connection())
    with pytest.raises(ServiceError):
        work(source, clients, file)
    assert clients.of(Connection()) is not refused


def test_a_file_that_has_changed_is_no_refusal(
    environment: pytest.MonkeyPatch, s3: S3Server, bucket: str
) -> None:
    clients, source = S3Clients(), Source(uri=f"s3://{bucket}/")
    kept = clients.of(Connection())
    with pytest.raises(SourceChangedError):
        _read(source, clients, SourceFile("a", f"s3://{bucket}/a", 1, "e", datetime.now(UTC)))
    assert clients.of(Connection()) is kept


def test_queues_of_one_server_share_a_client_as_long_as_the_connection_has_it(
    environment: pytest.MonkeyPatch,
) -> None:
    with AwsServer() as aws:
        for name, value in aws.env().items():
            environment.setenv(name, value)
        clients, urls = S3Clients(), [aws.make_queue(), aws.make_queue()]
        made = _counted(environment)
        for url in urls:
            for _tick in range(2):
                assert Queue(url, Connection(), clients).receive(is_short=True) == ([], True)
        assert made == ["sqs"]
        elsewhere = urls[0].replace("127.0.0.1", "localhost")
        Queue(elsewhere, Connection(), clients).check()
        assert made == ["sqs", "sqs"]
        clients.forget(Connection())
        Queue(elsewhere, Connection(), clients).check()
        assert made == ["sqs", "sqs", "sqs"]


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The services of which a client is made from now on."""
    made, make = [], boto3.Session.client

    def counted(session: Any, service: str, **options: Any) -> Any:
        made.append(service)
        return make(session, service, **options)

    monkeypatch.setattr(boto3.Session, "client", counted)
    return made
