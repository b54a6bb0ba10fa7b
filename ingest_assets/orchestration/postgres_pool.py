"""One small connection pool a process and Postgres server, shared by Dagster's three storages.

Dagster's own storages open a connection for every call (`NullPool`), which costs more than the
call. Webserver, daemon, code servers and every run hold a pool of their own, and Postgres accepts
100 connections by default: so the pool keeps as many as were needed at once, at most as many as a
code server has ticks, and lends a few more for a moment.
"""

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import sqlalchemy
from dagster_postgres.utils import (
    DagsterPostgresException,
    retry_pg_connection_fn,
    set_pg_statement_timeout,
)
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ingest_assets.errors import ConfigurationError
from ingest_assets.silence import connection_options

POOL_SIZE = 4
POOL_MAX_OVERFLOW = 10
POOL_RECYCLE_SECONDS = 1800
DAGSTER_STATEMENT_TIME = timedelta(minutes=15)
"""Dagster sets its statements no limit on the server; none of its daily ones takes so long."""

STORAGE_ERRORS = (DBAPIError, DagsterPostgresException, PoolTimeoutError)
"""What Dagster's storages raise when their Postgres does not do the work."""

_lock = threading.Lock()
_engines: weakref.WeakValueDictionary[tuple[URL, int | None], Engine] = (
    weakref.WeakValueDictionary()
)


def psycopg2_url(postgres_url: str) -> URL:
    """The same database by way of psycopg2, whatever driver the text names or leaves out.

    SQLAlchemy 2.1 reads `postgresql://` as psycopg 3; dagster-postgres knows psycopg2's errors.
    """
    try:
        url = make_url(postgres_url)
    except ArgumentError:
        raise ConfigurationError(
            "The Postgres URL of the Dagster instance cannot be read. It was not used; it has to "
            "look like postgresql://user:password@host:5432/database."
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"The Dagster instance needs a Postgres URL, and {url.render_as_string()} names "
            f"{url.get_backend_name()}. Write postgresql://user:password@host:5432/database."
        )
    return url.set(drivername="postgresql+psycopg2")


def shared_engine(postgres_url: str, *, statement_timeout_millis: int | None = None) -> Engine:
    """An engine in autocommit, as Dagster's storages expect it; the same one for the same URL.

    A connection that died with its server is noticed when it is borrowed, and replaced. The engine
    lives as long as somebody holds it, and its connections are closed after that.
    """
    url = psycopg2_url(postgres_url)
    with _lock:
        engine = _engines.get((url, statement_timeout_millis))
        if engine is None:
            engine = _new_engine(url, statement_timeout_millis)
            _engines[url, statement_timeout_millis] = engine
        return engine


@contextmanager
def locked(engine: Engine, name: str) -> Iterator[None]:
    """No other process is inside under that name; for the first ones that come to a new database.

    Dagster creates its tables one by one, and of two processes that do it one fails.
    """
    with retry_pg_connection_fn(engine.connect) as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(hashtext(:n))"), {"n": name})
        try:
            yield
        finally:
            connection.execute(
                sqlalchemy.text("SELECT pg_advisory_unlock(hashtext(:n))"), {"n": name}
            )


def _new_engine(url: URL, statement_timeout_millis: int | None) -> Engine:
    statement_time = DAGSTER_STATEMENT_TIME
    if statement_timeout_millis is not None:
        statement_time = timedelta(milliseconds=statement_timeout_millis)
    engine = sqlalchemy.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=POOL_SIZE,
        max_overflow=POOL_MAX_OVERFLOW,
        pool_recycle=POOL_RECYCLE_SECONDS,
        pool_pre_ping=True,
        pool_use_lifo=True,
        connect_args=connection_options(statement_time),
    )
    if statement_timeout_millis is not None:
        timeout_millis = statement_timeout_millis

        def set_timeout(connection: Any, _record: object) -> None:
            set_pg_statement_timeout(connection, timeout_millis)

        sqlalchemy.event.listen(engine, "connect", set_timeout)
    return engine


def _forget_inherited_connections() -> None:
    """A forked child leaves its parent's sockets alone and opens its own."""
    global _lock
    _lock = threading.Lock()
    for engine in list(_engines.values()):
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_inherited_connections)
