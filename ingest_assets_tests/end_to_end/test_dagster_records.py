"""What Dagster knows afterwards: the same after `ingest-assets run` as after a sensor's run."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets.deployment import Deployment
from ingest_assets.ledger import reports
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.names import IO_MANAGER_KEY
from ingest_assets.orchestration.sensor import build_sensor
from ingest_assets.orchestration.tick import run_tick
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.recorded import ALWAYS, Recorded, recorded
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

FILES = {
    "a.jsonl": json_lines(orders(1)),
    "b.jsonl": json_lines(orders(4, 20)) + b"no json\n",
    "c.jsonl.gz": cut_gzip(orders(100, 400)),
    "d.jsonl": json_lines(orders(30, amount={"value": 1})),
    "e.jsonl": b"",
}


def run_by_sensor(workshop: Workshop, name: str) -> None:
    """One tick, then each run that it asks for, as the daemon would have them done."""
    ingestion = workshop.ingestion(
        name=name,
        source={"uri": f"s3://{workshop.bucket}/{name}/"},
        table={"identifier": f"raw.{name}"},
    )

    def deployment() -> Deployment:
        return workshop.deployment

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        sensor = build_sensor(ingestion, deployment)
        definitions = dg.Definitions(
            assets=[build_asset(ingestion, deployment)],
            sensors=[sensor],
            resources={IO_MANAGER_KEY: IcebergIOManager(deployment)},
            executor=dg.in_process_executor,
        )
        tick = sensor.evaluate_tick(
            dg.build_sensor_context(instance=workshop.instance, definitions=definitions)
        )
        for run_request in tick.run_requests or ():
            definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=workshop.instance,
                asset_selection=list(run_request.asset_selection or ()),
                tags=dict(run_request.tags),
                raise_on_error=False,
            )


def test_a_pass_and_a_sensors_run_record_the_same(workshop: Workshop) -> None:
    for name in ("orders", "copies"):
        for key, body in FILES.items():
            workshop.put(key, body, name)
    workshop.ingest()
    run_by_sensor(workshop, "copies")
    by_pass, by_sensor = (recorded(workshop.instance, name) for name in ("orders", "copies"))
    assert by_pass.comparable() == by_sensor.comparable()
    assert_right(by_pass)


def assert_right(found: Recorded) -> None:
    """All that FILES should leave behind."""
    assert sorted(found.partitions) == sorted(FILES)
    assert set(found.materializations) == {"a.jsonl", "b.jsonl", "e.jsonl"}
    assert set(found.materializations["a.jsonl"]) >= ALWAYS
    assert set(found.materializations["b.jsonl"]) >= ALWAYS
    assert found.materializations["b.jsonl"]["rows"] == 20
    assert found.materializations["b.jsonl"]["rejected"] == 1
    assert len(found.checks) == 2 * len(FILES)
    outcomes = {check: (passed, severity) for check, (passed, severity, _) in found.checks.items()}
    assert outcomes["rows_parsed", "a.jsonl"][0]
    assert outcomes["rows_parsed", "b.jsonl"] == (False, "WARN")
    assert outcomes["rows_parsed", "c.jsonl.gz"] == (False, "ERROR")
    assert outcomes["schema_compatible", "d.jsonl"] == (False, "ERROR")
    assert outcomes["schema_compatible", "e.jsonl"][0]
    assert {status for status, *_ in found.runs} == {"FAILURE"}


@pytest.mark.slow
def test_the_instance_of_dagster_home_holds_what_the_command_line_did(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "dagster home"
    product.env["DAGSTER_HOME"] = str(home)
    product.declare()
    for key, body in FILES.items():
        product.put(key, body)
    assert product("run", "orders").returncode == 3
    assert (home / "dagster.yaml").exists()
    assert not (product.home / "dagster").exists()
    monkeypatch.setenv("INGEST_POSTGRES_URL", product.env["INGEST_POSTGRES_URL"])
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert_right(recorded(instance, "orders"))


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "telemetry: {enabled: false}\n"])
def test_dagsters_stock_storage_serves_as_well(
    product: Product, tmp_path: Path, content: str
) -> None:
    home = tmp_path / "stock"
    home.mkdir()
    (home / "dagster.yaml").write_text(content)
    product.env["DAGSTER_HOME"] = str(home)
    product.declare()
    for key, body in FILES.items():
        product.put(key, body)
    done = product("run", "orders")
    assert done.returncode == 3, done.stderr
    product.put("a.jsonl", json_lines(orders(200, 2)))
    product.json("run", "orders", exit_code=3)
    assert (home / "dagster.yaml").read_text() == content
    assert product.table_rows("raw.orders") == 22
    with dg.DagsterInstance.from_config(str(home)) as instance:
        found = recorded(instance, "orders")
    assert found.materializations["a.jsonl"]["rows"] == 2
    assert len(found.checks) == 2 * len(FILES)


@pytest.mark.slow
def test_the_embedded_postgres_and_the_default_catalog_need_no_settings(
    embedded_product: Callable[..., Product],
) -> None:
    product = embedded_product("alone")
    product.declare()
    product.put("a.jsonl", json_lines(orders(1)))
    assert product.json("run", "orders")["rows"] == 3
    assert product.json("run", "orders")["rows"] == 0
    with EmbeddedPostgres(product.home / "postgres"):
        assert product.table_rows("raw.orders") == 3
    assert {path.name for path in product.home.iterdir()} >= {"dagster", "postgres", "warehouse"}
    shutil.rmtree(product.home)


def test_an_ingestion_goes_on_after_dagster_was_told_of_a_file_twice_without_a_run(
    workshop: Workshop,
) -> None:
    """As after a crash between telling and marking; the storage here is Dagster's own."""
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    for _ in range(2):
        with workshop.deployment.ledger.transaction() as connection:
            connection.exec_driver_sql("UPDATE ingest.batches SET reported_at = NULL")
        run_tick(workshop.deployment, workshop.ingestion(), workshop.instance, "sensor")
    workshop.put("b.jsonl", json_lines(orders(4)))
    workshop.ingest()
    assert workshop.statuses() == {"a.jsonl": "SUCCESS", "b.jsonl": "SUCCESS"}
    with workshop.deployment.ledger.transaction() as connection:
        assert reports.unreported(connection, "orders") == []
