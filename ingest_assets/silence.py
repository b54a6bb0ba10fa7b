"""A Postgres that accepts and says nothing more: no call of our connections waits for it for ever.

The server's `statement_timeout` needs a server that runs, and TCP's keepalives a peer that is gone:
the kernel of a frozen server, or of a proxy that stopped forwarding, goes on acknowledging. So one
thread a process looks at the calls that wait for an answer, and shuts down the socket of one that
has waited longer than any answer takes. libpq then finds the end of the connection, and SQLAlchemy
raises the OperationalError that a lost server has always been.

The connections themselves are watched, and not SQLAlchemy's events, which leave out the ping of a
pooled connection, its reset, and what is executed when it is new. psycopg2's own wait callback
would do it too, but takes every statement apart into Python calls.
"""

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg2
from psycopg2 import extensions

logger = logging.getLogger(__name__)

TRIFLE = timedelta(seconds=30)
"""For an answer that is no work, as to a ping or a rollback; and beyond a statement's own time."""
LOOK = timedelta(seconds=5)
"""How long a wait may go on beyond its limit unseen."""

KEEPALIVES: dict[str, int] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""A server that vanished without a word is noticed within a minute (the last one is in ms)."""

_PING = "SELECT 1"
"""What SQLAlchemy asks a pooled connection before it lends it."""
_MIGRATIONS = ("CREATE ", "ALTER ", "DROP ", "REINDEX ")
"""An index of Dagster's large tables takes what it takes."""
_NEVER = timedelta.max


def connection_options(statement_time: timedelta) -> dict[str, Any]:
    """How psycopg2 connects where the server, if it runs, ends each statement in that time."""
    return {**KEEPALIVES, "connection_factory": partial(_Connection, statement_time=statement_time)}


def wait_for_ever(connection: Any) -> None:
    """What this psycopg2 connection asks until the end of its transaction takes what it takes."""
    connection.limit = _NEVER


class _Connection(extensions.connection):
    """Its calls end, with psycopg2's OperationalError if the server says nothing."""

    def __init__(self, dsn: str, *, statement_time: timedelta) -> None:
        self._usual_limit = self.limit = statement_time + TRIFLE
        super().__init__(dsn)

    def cursor(  # type: ignore[override]
        self, name: Any = None, cursor_factory: Any = None, **options: Any
    ) -> Any:
        factory = cursor_factory or (_Cursor if name is None else _StreamingCursor)
        return super().cursor(name, factory, **options)

    def commit(self) -> None:
        self.limit = self._usual_limit
        with _Wait(self, self.limit):
            super().commit()

    def rollback(self) -> None:
        self.limit = self._usual_limit
        with _Wait(self, TRIFLE):
            super().rollback()


class _Cursor(extensions.cursor):
    connection: _Connection

    def execute(self, query: Any, vars: Any = None) -> None:
        with _Wait(self.connection, self._limit(query)):
            super().execute(query, vars)

    def _limit(self, query: Any) -> timedelta:
        if query == _PING:
            return TRIFLE
        if isinstance(query, str) and query.lstrip().startswith(_MIGRATIONS):
            return _NEVER
        return self.connection.limit

    def executemany(self, query: Any, vars_list: Any) -> None:
        wait = _Wait(self.connection, self.connection.limit)
        with wait:
            super().executemany(query, map(wait.begin_anew, vars_list))


class _StreamingCursor(_Cursor):
    """A cursor of the server: each fetch, and its end, is a question too."""

    def fetchone(self) -> Any:
        with _Wait(self.connection, self.connection.limit):
            return super().fetchone()

    def fetchmany(self, size: int | None = None) -> Any:
        with _Wait(self.connection, self.connection.limit):
            return super().fetchmany(self.arraysize if size is None else size)

    def fetchall(self) -> Any:
        with _Wait(self.connection, self.connection.limit):
            return super().fetchall()

    def close(self) -> None:
        with _Wait(self.connection, TRIFLE):
            super().close()


class _Wait:
    """While it is entered somebody waits for an answer on the connection."""

    __slots__ = ("connection", "left", "limit")

    def __init__(self, connection: _Connection, limit: timedelta) -> None:
        self.connection = connection
        self.limit = self.left = limit

    def begin_anew(self, parameters: Any) -> Any:
        """The parameters of the next statement, whose time begins."""
        self.left = self.limit
        return parameters

    def __enter__(self) -> None:
        if _thread is None:
            _start()
        with _lock:
            _waits.add(self)

    def __exit__(self, *_: object) -> None:
        with _lock:  # so that the socket is not shut down when it is another one's already
            _waits.discard(self)


_lock = threading.RLock()
_waits: set[_Wait] = set()
_thread: threading.Thread | None = None


def _start() -> None:
    global _thread
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_watch, name="silent Postgres", daemon=True)
            _thread.start()


def _watch() -> None:
    while threading.current_thread() is _thread:  # else another one does it
        time.sleep(LOOK.total_seconds())
        for wait in _give_up():
            seconds = wait.limit.total_seconds()
            logger.warning("Postgres said nothing for %.0f s; the connection was cut", seconds)


def _give_up() -> list[_Wait]:
    """The waits that have lasted too long, whose connections are cut now.

    Looks are counted, and not seconds: a process that was stopped for a while finds the answers
    that came meanwhile.
    """
    with _lock:
        for wait in _waits:
            wait.left -= LOOK
        ended = [wait for wait in _waits if wait.left < timedelta(0)]
        for wait in ended:
            _waits.discard(wait)
            _cut(wait.connection)
    return ended


def _cut(connection: _Connection) -> None:
    with suppress(psycopg2.Error, OSError):  # it is closed already
        line = socket.socket(fileno=os.dup(connection.fileno()))
        with line:
            line.shutdown(socket.SHUT_RDWR)


def _forget() -> None:
    """A forked child has none of its parent's threads, and does not touch its sockets."""
    global _lock, _thread
    _lock, _thread = threading.RLock(), None
    _waits.clear()


os.register_at_fork(after_in_child=_forget)
