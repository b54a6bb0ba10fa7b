"""Queues: where their servers are, and what is said when they cannot be read."""

import pytest

from ingest_assets.files.clients import S3Client
from ingest_assets.files.connections import Connection
from ingest_assets.files.notifications.errors import QueueError
from ingest_assets.files.notifications.queue import Queue, queue_client
from ingest_assets_tests.alerts.receivers import unused_port
from ingest_assets_tests.aws_server import AwsServer


@pytest.mark.parametrize(
    ("url", "endpoint", "region"),
    [
        (
            "https://sqs.eu-west-3.amazonaws.com/123456789012/q",
            "https://sqs.eu-west-3.amazonaws.com",
            "eu-west-3",
        ),
        (
            "https://eu-west-3.queue.amazonaws.com/123456789012/q",
            "https://eu-west-3.queue.amazonaws.com",
            "eu-west-3",
        ),
        (
            "https://vpce-1.sqs.eu-west-3.vpce.amazonaws.com/123456789012/q",
            "https://vpce-1.sqs.eu-west-3.vpce.amazonaws.com",
            "eu-west-3",
        ),
        ("http://127.0.0.1:9324/000000000000/q", "http://127.0.0.1:9324", "eu-central-1"),
    ],
)
def test_the_address_of_a_queue_says_where_it_is_whatever_serves_s3(
    aws_environment: pytest.MonkeyPatch, url: str, endpoint: str, region: str
) -> None:
    aws_environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    aws_environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client = queue_client(url, S3Client.of(Connection()))
    assert (client.meta.endpoint_url, client.meta.region_name) == (endpoint, region)


def test_a_queue_that_cannot_be_read_is_named_with_what_to_change(
    aws_environment: pytest.MonkeyPatch,
) -> None:
    with AwsServer() as aws:
        url = aws.make_queue()
        with pytest.raises(QueueError, match="No usable credentials were found"):
            Queue(url, Connection()).receive()
        for name, value in aws.env().items():
            aws_environment.setenv(name, value)
        Queue(url, Connection()).check()
        with pytest.raises(QueueError, match="The queue does not exist") as missing:
            Queue(f"{url}-none", Connection()).receive()
        assert f"{url}-none cannot be used" in str(missing.value)
        assert missing.value.is_retryable
    dead = f"http://127.0.0.1:{unused_port()}/1/q"
    with pytest.raises(QueueError, match="The service did not answer"):
        Queue(dead, Connection()).check()
