"""The ledger as a whole: a pooled engine, its migrations, and transactions with clear errors."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ingest_assets.errors import LedgerError, TableOwnershipError
from ingest_assets.ledger import tables
from ingest_assets.settings import public_url
from ingest_assets.silence import connection_options, wait_for_ever

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 4_202_611_210
"""Any fixed number: the advisory lock under which one process at a time migrates."""


_REFUSALS = ("25006", "42501")
"""Postgres's codes for a database that may not be written to, by anybody or by this account."""


STATEMENT_TIME = timedelta(minutes=5)
"""No statement goes on, and no open transaction waits for its client, for longer."""


def _bound_statements(connection: Any, _record: Any) -> None:
    limit = round(STATEMENT_TIME.total_seconds() * 1000)
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {limit}")
        cursor.execute(f"SET idle_in_transaction_session_timeout = {limit}")
    connection.commit()


class Ledger:
    """Every file ever seen, every attempt, batch, schema version and decision, in Postgres."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg2")
        self._engine = create_engine(
            self._url,
            pool_size=4,  # as many as a code server has ticks at a time; a run needs two
            max_overflow=4,
            pool_use_lifo=True,
            pool_pre_ping=True,
            pool_recycle=600,
            connect_args={
                "application_name": "ingest_assets",
                **connection_options(STATEMENT_TIME),
            },
        )
        event.listen(self._engine, "connect", _bound_statements)

    def __repr__(self) -> str:
        return f"Ledger({self._shown_url})"

    @property
    def _shown_url(self) -> str:
        return public_url(self._url.render_as_string(hide_password=True))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One Postgres transaction: all of it is kept, or nothing.

        Raises:
            LedgerError: Postgres went away or refused; nothing of the transaction was kept, unless
                the connection was lost in the commit itself, which recovery resolves.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except (OperationalError, PoolTimeoutError) as error:
            raise LedgerError(self._explain(error)) from error
        except DBAPIError as error:
            if error.connection_invalidated or _code(error) in _REFUSALS:
                raise LedgerError(self._explain(error)) from error
            raise

    def _explain(self, error: Exception) -> str:
        said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
        cause = said.splitlines()[0].rstrip(".")
        return (
            f"The ledger's Postgres at {self._shown_url} did not do the work: {cause}. "
            "Nothing of this step was recorded. Check that the server runs and that "
            "INGEST_POSTGRES_URL is right, with an account that may write there; the work goes on "
            "by itself afterwards."
        )

    def migrate(self) -> None:
        """The schema `ingest` is at the newest migration; several processes may call at once.

        Raises:
            LedgerError: Postgres is out of reach, refuses, or holds a newer release's ledger.
        """
        with self.transaction() as connection:
            # a large ledger takes longer
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            wait_for_ever(connection.connection.driver_connection)
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATION_LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {tables.SCHEMA}"))
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise LedgerError(
                    f"The ledger at {self._shown_url} was written by a newer release of "
                    f"ingest_assets ({error}). Install that release here; nothing was changed."
                ) from error
            if connection.execute(select(tables.deployment)).first() is None:
                ledger_id = uuid.uuid4().hex
                connection.execute(insert(tables.deployment).values(ledger_id=ledger_id))

    def ledger_id(self) -> str:
        """The id of this ledger, which the tables it writes to carry as a property."""
        with self.transaction() as connection:
            return str(connection.execute(select(tables.deployment.c.ledger_id)).scalar_one())

    def register(self, ingestion: str, table_identifier: str) -> None:
        """The ingestion has its row, and the table belongs to it alone.

        Raises:
            TableOwnershipError: another declaration has the table, or this one had another.
        """
        known = tables.ingestions
        with self.transaction() as connection:
            connection.execute(
                text(
                    f"INSERT INTO {known.fullname} (name, table_identifier) VALUES (:n, :t) "
                    "ON CONFLICT DO NOTHING"
                ),
                {"n": ingestion, "t": table_identifier},
            )
            rows = connection.execute(
                select(known.c.name, known.c.table_identifier).where(
                    (known.c.name == ingestion)
                    | (
                        (known.c.table_identifier == table_identifier)
                        & known.c.table_dropped_at.is_(None)
                    )
                )
            ).all()
        for name, table in rows:
            if name != ingestion:
                raise TableOwnershipError(
                    f"The table {table} belongs to the ingestion {name!r}; {ingestion!r} cannot "
                    "write to it too. Give one of them another table.identifier."
                )
            if table != table_identifier:
                raise TableOwnershipError(
                    f"The ingestion {ingestion!r} has written to {table} so far and is declared "
                    f"with {table_identifier} now. Give the declaration a new name, or its old "
                    "table back."
                )

    def dispose(self) -> None:
        """Every pooled connection is closed."""
        self._engine.dispose()


def _code(error: DBAPIError) -> str | None:
    return getattr(error.orig, "pgcode", None)
