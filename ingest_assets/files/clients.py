"""Clients of S3 and SQS, made once and shared: making one costs more than all else a tick does.

boto3's clients may be used from several threads, and renew temporary keys by themselves.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from ingest_assets.errors import ServiceError, SourceChangedError
from ingest_assets.files.connections import Connection
from ingest_assets.files.credentials import endpoint_of, s3_client, session_of, sqs_client

MAX_AGE = timedelta(minutes=5)
"""Keys that somebody writes anew into a file or a profile are in use after this time."""
READ_SECONDS = 15
ATTEMPTS = 2
"""A server that never answers is given up after 30 s; a sensor has 60, of which 25 are to list."""
WRITE_SECONDS = 20
"""A copy within the store answers when it is made."""


@dataclass(frozen=True)
class S3Client:
    """One way to S3: its session, and its endpoint if that is not where AWS is.

    And to queues, whose addresses say where they are.
    """

    session: Any
    endpoint: str | None
    _queues: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    _lock: Any = field(default_factory=threading.Lock, compare=False, repr=False)

    @classmethod
    def of(cls, connection: Connection) -> "S3Client":
        """As the connection says; raises as `session_of` and `endpoint_of`."""
        return cls(session_of(connection), endpoint_of(connection))

    @cached_property
    def boto3(self) -> Any:
        """The client that lists and reads."""
        return s3_client(
            self.session, self.endpoint, read_timeout_seconds=READ_SECONDS, attempts=ATTEMPTS
        )

    @cached_property
    def writing(self) -> Any:
        """The client that changes objects; it asks once, and what fails is done again later."""
        return s3_client(
            self.session, self.endpoint, read_timeout_seconds=WRITE_SECONDS, attempts=1
        )

    def sqs(self, endpoint: str, region: str | None) -> Any:
        """The client of the queues at the endpoint; None is the session's region."""
        with self._lock:
            if endpoint not in self._queues:
                self._queues[endpoint] = sqs_client(self.session, endpoint, region)
            return self._queues[endpoint]


class S3Clients:
    """The clients of a process, one for each connection and what the environment says of it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._made: dict[tuple[Connection, Any, Any], tuple[float, S3Client]] = {}

    def of(self, connection: Connection) -> S3Client:
        """The connection's client, at most `MAX_AGE` old.

        Raises:
            ConfigurationError, BotoCoreError: as `session_of` and `endpoint_of`.
        """
        keys = connection.static_keys() or {}
        environment = {name: value for name, value in os.environ.items() if name[:4] == "AWS_"}
        identity = (connection, frozenset(keys.items()), frozenset(environment.items()))
        with self._lock:
            oldest = self._clock() - MAX_AGE.total_seconds()
            self._made = {key: made for key, made in self._made.items() if made[0] > oldest}
            if identity not in self._made:
                client = S3Client.of(connection)
                self._made[identity] = (self._clock(), client)
            return self._made[identity][1]

    @contextmanager
    def used(self, connection: Connection) -> Iterator[None]:
        """What is refused inside is the end of the connection's client."""
        try:
            yield
        except SourceChangedError:
            raise
        except ServiceError:
            self.forget(connection)
            raise

    def forget(self, connection: Connection) -> None:
        """The connection's client is made anew: after a refusal, which newer keys may not meet."""
        with self._lock:
            self._made = {key: made for key, made in self._made.items() if key[0] != connection}
