"""One migrated ledger for all tests of this folder; each has an ingestion of its own in it."""

import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from ingest_assets.ledger.ledger import Ledger
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def ledger(postgres_url: str) -> Iterator[Ledger]:
    """A migrated ledger in a database of its own."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE ledger_tests"))
    engine.dispose()
    ledger = Ledger(postgres_url.replace("/postgres?", "/ledger_tests?"))
    ledger.migrate()
    yield ledger
    ledger.dispose()


@pytest.fixture
def orders(ledger: Ledger) -> Bookkeeping:
    """A registered ingestion without files."""
    name = f"orders_{next(_numbers)}"
    ledger.register(name, f"raw.{name}")
    return Bookkeeping(ledger, name)
