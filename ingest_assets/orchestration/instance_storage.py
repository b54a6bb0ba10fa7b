"""Dagster's run and schedule storage on the connection pool, and what all three have in common.

Named in `dagster.yaml` as `run_storage` and `schedule_storage`. Only the connections differ from
dagster-postgres; every statement is theirs.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, Self

import dagster as dg
from dagster._config.config_schema import UserConfigSchema

# dagster-postgres offers its storages for subclassing by name in dagster.yaml, but the interface
# `ConfigurableClass` and the attribute `_engine` are private. Read in dagster 1.13.27. To drop:
# when dagster-postgres takes the pool's settings from its configuration.
from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresRunStorage, PostgresScheduleStorage
from sqlalchemy import Connection

from ingest_assets.orchestration.postgres_pool import locked, psycopg2_url, shared_engine

_with_tables: set[tuple[type, str]] = set()
"""The storages of this process whose tables are there."""


class PooledPostgres:
    """Mixed in before a dagster-postgres storage: built from our configuration, on the pool."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        url = psycopg2_url(postgres_url).render_as_string(hide_password=False)
        engine = shared_engine(url)
        # Dagster builds an instance for each tick, and looking for the tables costs more than most.
        is_new = should_autocreate_tables and (type(self), url) not in _with_tables
        with locked(engine, "dagster tables") if is_new else nullcontext():
            # the parent creates its tables over connections that it closes again
            super().__init__(url, is_new, inst_data)  # type: ignore[call-arg]
        if is_new:
            _with_tables.add((type(self), url))
        self.should_autocreate_tables = should_autocreate_tables
        self.postgres_url = url
        self._engine = engine

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """`postgres_url` may be left out: then it is the one the whole product uses."""
        return {
            "postgres_url": dg.Field(dg.StringSource, is_required=False),
            "should_autocreate_tables": dg.Field(bool, is_required=False, default_value=True),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """The inherited one builds the parent's class."""
        return cls(
            configured_postgres_url(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
        )

    def optimize_for_webserver(
        self, statement_timeout: int, pool_recycle: int, max_overflow: int
    ) -> None:
        """The webserver's statements get a timeout; the pool's sizes are ours."""
        self._engine = shared_engine(self.postgres_url, statement_timeout_millis=statement_timeout)


def configured_postgres_url(config_value: Mapping[str, Any]) -> str:
    if config_value.get("postgres_url"):
        return str(config_value["postgres_url"])
    # settings may start the embedded server, so it is asked only when an instance is built
    from ingest_assets.settings import postgres_url

    return postgres_url()


class PooledRunStorage(PooledPostgres, PostgresRunStorage):
    """Runs, their tags and snapshots, as dagster-postgres stores them."""


class PooledScheduleStorage(PooledPostgres, PostgresScheduleStorage):
    """Ticks and the state of sensors and schedules, as dagster-postgres stores them.

    A table or index that was there once is not asked for again; Dagster asks four times a tick.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._seen: set[str] = set()
        super().__init__(*arguments, **named)

    def _is_there(self, name: str, ask: Callable[[], bool]) -> bool:
        if name not in self._seen and ask():
            self._seen.add(name)
        return name in self._seen

    def has_instigators_table(self) -> bool:
        return self._is_there("instigators", super().has_instigators_table)

    def _has_instigators_table(self, conn: Connection) -> bool:
        return self._is_there(
            "instigators", lambda: super(PooledScheduleStorage, self)._has_instigators_table(conn)
        )

    def has_built_index(self, migration_name: str) -> bool:
        return self._is_there(
            migration_name,
            lambda: super(PooledScheduleStorage, self).has_built_index(migration_name),
        )
