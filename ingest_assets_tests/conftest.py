"""The real services that the tests run against: a Postgres and an S3 server, one of each a session.

Each lives in a short folder of its own under the temporary directory and ends with the session.
"""

import itertools
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from sqlalchemy import delete, make_url

from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets.ledger.tables import deployment

_numbers = itertools.count(1)

# A script's background job begins with SIGINT ignored, and so would all that tests start. Dagster
# makes SIGTERM the same (`dagster._utils.interrupts`, 1.13), and then nothing could be ended.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def service_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="ia-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(service_folder: Path) -> Iterator[str]:
    """A running Postgres; for tables of your own take `fresh_database`."""
    with EmbeddedPostgres(service_folder / "postgres") as server:
        yield server.url


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The URL of a new database, dropped after the test."""
    with database(postgres_url) as url:
        yield url


@pytest.fixture
def fresh_database(postgres_url: str, migrated: str) -> Iterator[str]:
    """As `empty_database`, with the tables of a ledger that nobody has opened yet."""
    with database(postgres_url, like=migrated) as url:
        yield url


@pytest.fixture(scope="session")
def migrated(postgres_url: str) -> Iterator[str]:
    """The name of a database with the tables of a ledger: migrations take ten times a copy."""
    with database(postgres_url) as url:
        ledger = Ledger(url)
        ledger.migrate()
        with ledger.transaction() as connection:
            connection.execute(delete(deployment))
        ledger.dispose()
        yield str(make_url(url).database)


@contextmanager
def database(postgres_url: str, like: str | None = None) -> Iterator[str]:
    """The URL of a new database of the server, empty or a copy of another, dropped at the end."""
    name = f"test_{next(_numbers)}"
    _create(postgres_url, name, like)
    yield postgres_url.replace("/postgres?", f"/{name}?")
    _execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


class S3Server(DemoObjectStore):
    """The demo's S3 server, with what only tests ask of it."""

    @property
    def client(self) -> Any:
        """A boto3 client of this server."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
        )

    def make_bucket(self, name: str | None = None) -> str:
        """The name of a new bucket."""
        name = name or f"bucket-{next(_numbers)}"
        self.client.create_bucket(Bucket=name)
        return name


@pytest.fixture(scope="session")
def s3(service_folder: Path) -> Iterator[S3Server]:
    """A running S3 server that wants signed requests."""
    server = S3Server(service_folder / "s3", access_key="test", secret_key="test-secret")
    with server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """A new, empty bucket."""
    return s3.make_bucket()


def _create(postgres_url: str, name: str, like: str | None) -> None:
    """Postgres copies only what nobody is connected to, and its own vacuum may be for a moment."""
    statement = f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{like}"' if like else "")
    for _ in range(10):
        with suppress(psycopg2.errors.ObjectInUse):
            return _execute(postgres_url, statement)
    return _execute(postgres_url, statement)


def _execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url.replace("postgresql+psycopg2://", "postgresql://"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
