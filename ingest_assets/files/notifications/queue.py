"""The queue of a source's notifications, on SQS or a server that speaks like it."""

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from ingest_assets.cost.meter import METER
from ingest_assets.files.clients import S3Client, S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.notifications.errors import explained
from ingest_assets.files.notifications.message import Message
from ingest_assets.interrupts import in_threads

logger = logging.getLogger(__name__)

WAIT_SECONDS = 2
"""How long an empty queue is listened to; what comes meanwhile is there at once."""
ROUND_MESSAGES = 1000
"""So many messages are received at most before they are recorded and deleted."""
SHORT_ROUND_MESSAGES = 210
"""So many where there is little time: a slow store takes a second for each."""
VISIBILITY_SECONDS = 60
"""Longer than a round takes; then a message that was not deleted comes again."""
_BATCH = 10
"""What SQS gives, and deletes, at most in one call."""
_THREADS = 10
_WAITING = threading.BoundedSemaphore(2)
"""So many ticks of a process wait at once, because each holds one of Dagster's few sensor threads;
the others ask without waiting."""
_REGION = re.compile(r"(?:^|\.)sqs(?:-fips)?\.([a-z0-9-]+)\.|^([a-z0-9-]+)\.queue\.")


class Queue:
    """Messages of one queue. Each is received again until it is deleted."""

    def __init__(self, url: str, connection: Connection, clients: S3Clients | None = None) -> None:
        self.url = url
        self._connection = connection
        self._clients = clients or S3Clients()

    def receive(self, *, is_short: bool = False) -> tuple[list[Message], bool]:
        """Up to `ROUND_MESSAGES`, or `SHORT_ROUND_MESSAGES`, and whether they were waited for.

        None after a wait of `WAIT_SECONDS` means that the queue is empty. SQS asks but some of its
        servers when nobody waits, so without a wait it means nothing.

        Raises:
            QueueError: the queue cannot be read; what was received comes again.
        """
        is_waiting = _WAITING.acquire(blocking=False)
        try:
            first = self._receive(WAIT_SECONDS if is_waiting else 0)
        finally:
            if is_waiting:
                _WAITING.release()
        if len(first) < _BATCH:
            return first, is_waiting
        at_most = SHORT_ROUND_MESSAGES if is_short else ROUND_MESSAGES
        calls = (at_most - _BATCH) // _BATCH // _THREADS
        more = in_threads(self._receive_often, [calls] * _THREADS, _THREADS)
        return first + [message for part in more for message in part], is_waiting

    def _receive_often(self, calls: int) -> list[Message]:
        found: list[Message] = []
        for _ in range(calls):
            messages = self._receive(0)
            found += messages
            if not messages:
                break
        return found

    def _receive(self, wait_seconds: int) -> list[Message]:
        METER.add(queue_requests=1)
        with self._explained():
            answer = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=VISIBILITY_SECONDS,
            )
        return [
            Message(found["MessageId"], found["ReceiptHandle"], found["Body"])
            for found in answer.get("Messages", [])
        ]

    def delete(self, messages: Sequence[Message]) -> None:
        """The messages do not come again; those of which the queue does not take it do."""
        batches = [messages[start : start + _BATCH] for start in range(0, len(messages), _BATCH)]
        kept = sum(in_threads(self._delete, batches, _THREADS))
        if kept:
            logger.warning(
                "%s of %s messages of %s were not deleted; they come again, which changes nothing.",
                kept,
                len(messages),
                self.url,
            )

    def _delete(self, messages: Sequence[Message]) -> int:
        """How many are still there."""
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt}
            for number, message in enumerate(messages)
        ]
        METER.add(queue_requests=1)
        try:
            answer = self._client.delete_message_batch(QueueUrl=self.url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            logger.warning("%s: %s", self.url, error)
            return len(messages)
        return len(answer.get("Failed", []))

    def check(self) -> None:
        """The queue answers.

        Raises:
            QueueError: it does not, or refuses; says what to change.
        """
        with self._explained():
            self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with self._clients.used(self._connection), explained(self.url):
            yield

    @cached_property
    def _client(self) -> Any:
        return queue_client(self.url, self._clients.of(self._connection))


def queue_client(url: str, access: S3Client) -> Any:
    """The client of the server that the queue's own address names.

    AWS_ENDPOINT_URL may name an S3 server, which has no queues.
    """
    address = urlsplit(url)
    region = _REGION.search(address.netloc)
    endpoint = f"{address.scheme}://{address.netloc}"
    return access.sqs(endpoint, (region[1] or region[2]) if region else None)
