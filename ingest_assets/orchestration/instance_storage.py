"""Dagster's run and schedule storage on the connection pool, and what all three have in common.

Named in `dagster.yaml` as `run_storage` and `schedule_storage`. Only the connections differ from
dagster-postgres; every statement is theirs.
"""

from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
from dagster._config.config_schema import UserConfigSchema

# dagster-postgres offers its storages for subclassing by name in dagster.yaml, but the interface
# `ConfigurableClass` and the attribute `_engine` are private. Read in dagster 1.13.27. To drop:
# when dagster-postgres takes the pool's settings from its configuration.
from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresRunStorage, PostgresScheduleStorage

from ingest_assets.orchestration.postgres_pool import locked, psycopg2_url, shared_engine


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
        with locked(engine, "dagster tables"):
            # the parent creates its tables over connections that it closes again
            super().__init__(url, should_autocreate_tables, inst_data)  # type: ignore[call-arg]
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
    """Ticks and the state of sensors and schedules, as dagster-postgres stores them."""
