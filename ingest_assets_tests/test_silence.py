"""A Postgres that stops answering is given up by each of our engines; other work goes on."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from ingest_assets import silence
from ingest_assets.errors import CatalogError, LedgerError
from ingest_assets.ledger import ledger as ledger_module
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.orchestration import postgres_pool
from ingest_assets.settings import Settings
from ingest_assets.tables import catalog as catalog_module
from ingest_assets.tables.catalog import load_catalog, table_exists
from ingest_assets_tests.silent_postgres import SilentPostgres

_PATIENCE_SECONDS = 15


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is waited for a second, or half a one where it is no work."""
    monkeypatch.setattr(silence, "LOOK", timedelta(seconds=0.1))
    monkeypatch.setattr(silence, "TRIFLE", timedelta(seconds=0.5))
    monkeypatch.setattr(silence, "KEEPALIVES", {**silence.KEEPALIVES, "connect_timeout": 2})
    half = timedelta(seconds=0.5)
    monkeypatch.setattr(ledger_module, "STATEMENT_TIME", half)
    monkeypatch.setattr(catalog_module, "STATEMENT_TIME", half)
    monkeypatch.setattr(postgres_pool, "DAGSTER_STATEMENT_TIME", half)
    silence._forget()  # the thread of the tests before has longer looks


@pytest.fixture
def postgres(fresh_database: str) -> Iterator[SilentPostgres]:
    proxy = SilentPostgres(fresh_database)
    yield proxy
    proxy.close()


@pytest.fixture
def ledger(postgres: SilentPostgres) -> Iterator[Ledger]:
    made = Ledger(postgres.url)
    made.migrate()
    yield made
    made.dispose()


def _ended(work: Callable[[], object]) -> Exception:
    """What `work` raised, and in time."""
    began = time.monotonic()
    with pytest.raises(Exception, match=r".") as caught:
        work()
    assert time.monotonic() - began < _PATIENCE_SECONDS
    return caught.value


def _in_a_transaction(ledger: Ledger, postgres: SilentPostgres, *, is_asked: bool) -> None:
    with ledger.transaction() as connection:
        connection.execute(text("SELECT 1 AS n"))
        postgres.fall_silent()
        if is_asked:
            connection.execute(text("SELECT 2 AS n"))


@pytest.mark.parametrize("is_asked", [True, False], ids=["statement", "commit"])
def test_the_ledger_gives_up_in_a_transaction(
    ledger: Ledger, postgres: SilentPostgres, is_asked: bool
) -> None:
    error = _ended(lambda: _in_a_transaction(ledger, postgres, is_asked=is_asked))
    assert isinstance(error, LedgerError)


def test_the_ledger_gives_up_with_a_pooled_connection(
    ledger: Ledger, postgres: SilentPostgres
) -> None:
    postgres.fall_silent()
    assert isinstance(_ended(ledger.ledger_id), LedgerError)


def test_the_catalog_gives_up(tmp_path: Path, postgres: SilentPostgres) -> None:
    settings = Settings(tmp_path, tmp_path, tmp_path, postgres.url)
    catalog: Any = load_catalog(settings)
    with catalog.engine.connect():  # is in the pool afterwards
        pass
    postgres.fall_silent()
    error = _ended(lambda: table_exists(catalog, "raw.orders"))
    assert isinstance(error, CatalogError)
    catalog.engine.dispose()


def test_a_catalog_that_is_silent_from_the_beginning_is_given_up(
    tmp_path: Path, postgres: SilentPostgres
) -> None:
    postgres.fall_silent()
    settings = Settings(tmp_path, tmp_path, tmp_path, postgres.url)
    assert isinstance(_ended(lambda: load_catalog(settings)), CatalogError)


@pytest.mark.parametrize("is_pooled", [True, False])
def test_dagsters_storages_give_up(postgres: SilentPostgres, is_pooled: bool) -> None:
    engine = postgres_pool.shared_engine(postgres.url)
    if is_pooled:
        with engine.connect():
            pass
    postgres.fall_silent()
    assert isinstance(_ended(engine.connect), OperationalError)
    engine.dispose()


@pytest.fixture
def engine(fresh_database: str) -> Iterator[Engine]:
    """Watched, and not bound by the server."""
    options = silence.connection_options(timedelta(seconds=0.5))
    made = create_engine(fresh_database, connect_args=options)
    yield made
    made.dispose()


def test_what_takes_longer_than_its_limit_is_cut(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(OperationalError, match="closed the conn"):
        connection.execute(text("SELECT pg_sleep(30)"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def test_a_migration_takes_what_it_takes_and_later_work_does_not(engine: Engine) -> None:
    with engine.connect() as connection:
        silence.wait_for_ever(connection.connection.driver_connection)
        connection.execute(text("SELECT pg_sleep(2)"))
        connection.commit()
        connection.execute(text("CREATE TABLE slow AS SELECT 1 AS n WHERE pg_sleep(2) IS NULL"))
        connection.commit()
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT pg_sleep(30)"))


def test_rows_that_are_streamed_may_be_read_slowly(engine: Engine) -> None:
    seen = []
    with engine.connect() as connection:
        streamed = connection.execution_options(yield_per=1)
        for row in streamed.execute(text("SELECT n FROM generate_series(1, 3) AS n")):
            seen.append(row.n)
            time.sleep(0.8)
        streaming = streamed.execute(text("SELECT pg_sleep(n * 20) FROM generate_series(0, 2) n"))
        assert isinstance(_ended(lambda: list(streaming)), OperationalError)
    assert seen == [1, 2, 3]


def test_many_statements_at_once_have_their_time_each(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE slow (n int)"))
        connection.execute(text("INSERT INTO slow VALUES (1), (2), (3), (4)"))
        changed = connection.execute(
            text(
                "UPDATE slow SET n = CASE WHEN pg_sleep(0.6) IS NULL THEN 0 ELSE n END WHERE n = :n"
            ),
            [{"n": number} for number in (1, 2, 3, 4)],
        )
        assert changed.rowcount == 4


def test_a_forked_child_is_watched_too(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    engine.dispose()
    child = os.fork()
    if child == 0:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT pg_sleep(30)"))
        except OperationalError:
            os._exit(0)
        finally:
            os._exit(1)
    began = time.monotonic()
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert time.monotonic() - began < _PATIENCE_SECONDS
