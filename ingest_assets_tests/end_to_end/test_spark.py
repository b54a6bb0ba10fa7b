"""Batches on a real Spark cluster and on a Spark Connect server, as users run them."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from ingest_assets.cli.dagster_process import free_port
from ingest_assets.engine import spreading
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop
from ingest_assets_tests.spark_cluster import StandaloneCluster

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_FILES = 40


def test_an_executor_killed_in_the_middle_of_a_batch_costs_no_row_and_doubles_none(
    workshop: Workshop,
    spark_cluster: StandaloneCluster,
    spark_session: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spreading, "SLICE_FILES", 1)
    for number in range(_FILES):
        workshop.put(f"{number:03d}", json_lines(orders(number * 1000, 900)))
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            written = len(_data_files(workshop))
            executors = spark_cluster.executors()
            if written > 3 and executors:
                executors[0].kill()
                killed.append(written)
            time.sleep(0.01)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    workshop.ingest(engine="spark")
    killer.join(1)
    assert killed, "no executor was killed"
    assert killed[0] < _FILES - 3
    assert set(workshop.statuses().values()) == {"SUCCESS"}
    assert Counter(workshop.order_ids()).most_common(1)[0][1] == 1
    assert len(workshop.order_ids()) == _FILES * 900


def test_a_cluster_that_cannot_be_reached_fails_the_batch_with_what_to_do(product: Product) -> None:
    product.declare(engine="spark", retries={"attempts": 1})
    product.put("a.jsonl", json_lines(orders(1)))
    product.put("b.jsonl", json_lines(orders(10)))
    done = product("run", "orders", env={"SPARK_REMOTE": "127.0.0.1"})
    assert done.returncode == 3, (done.stdout, done.stderr)
    files = product.json("files", "orders")
    assert {file["status"] for file in files} == {"DEAD_LETTER"}
    assert "SPARK_REMOTE" in files[0]["error"]


def test_two_tries_at_one_slice_leave_its_rows_once(
    product: Product, spark_cluster: StandaloneCluster, tmp_path: Path
) -> None:
    log = tmp_path / "events"
    log.mkdir()
    env = spark_cluster.env(
        spark_speculation="true",
        spark_speculation_quantile="0.1",
        spark_speculation_efficiency_enabled="false",
        spark_speculation_multiplier="1.01",
        spark_speculation_interval="50ms",
        spark_speculation_minTaskRuntime="1ms",
        spark_eventLog_enabled="true",
        spark_eventLog_compress="false",
        spark_eventLog_dir=f"file://{log}",
    )
    product.declare(engine="spark")
    for number in range(3):
        product.put(f"{number}.jsonl", json_lines(orders(number * 10)))
    large = json_lines([row | {"note": "x" * 500} for row in orders(10_000, 120_000)])
    assert len(large) > spreading.SLICE_BYTES
    product.put("3.jsonl", large)
    product.put("4.jsonl", json_lines(orders(200_000)))
    done = product("run", "orders", env=env)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert product.table_rows("raw.orders") == 4 * 3 + 120_000
    lines = [line for path in log.rglob("events_*") for line in path.read_text().splitlines()]
    events = [json.loads(line) for line in lines]
    assert any(e.get("Task Info", {}).get("Speculative") for e in events)


_DEADLY = """
import os
from ingest_assets.files.store import SourceStore
fetch = SourceStore.fetch
SourceStore.fetch = lambda self, file: os._exit(9) if "deadly" in file.key else fetch(self, file)
"""


def test_a_file_that_kills_its_executor_is_isolated_and_dead_lettered(
    product: Product, spark_cluster: StandaloneCluster, tmp_path: Path
) -> None:
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(_DEADLY)
    env = spark_cluster.env(spark_executorEnv_PYTHONPATH=str(patch), spark_task_maxFailures="1")
    product.declare(engine="spark")
    for number, key in enumerate(("a", "b", "c-deadly", "d")):
        product.put(f"{key}.jsonl", json_lines(orders(number * 10)))
    for _ in range(6):
        done = product("run", "orders", env=env)
        files = {file["key"]: file for file in product.json("files", "orders")}
        if files["c-deadly.jsonl"]["status"] == "DEAD_LETTER":
            break
    assert [file["status"] for file in files.values()] == ["SUCCESS"] * 2 + [
        "DEAD_LETTER",
        "SUCCESS",
    ], (done.stdout, done.stderr)
    assert "died" in files["c-deadly.jsonl"]["error"]
    assert product.table_rows("raw.orders") == 3 * 3


@pytest.fixture
def sail(s3: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a Spark Connect server that is not Spark."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "sail"), "spark", "server"]
    address = ["--ip", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "sail.log").open("wb") as log:
        env = {**os.environ, **s3.env(), "PYTHONWARNINGS": "ignore"}
        server = subprocess.Popen([*command, *address], env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while b"Starting" not in (tmp_path / "sail.log").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def test_spark_connect_reads_what_the_local_engine_reads(product: Product, sail: str) -> None:
    product.declare("local")
    product.declare("spark", engine="spark")
    bodies = {
        "a.jsonl": json_lines(orders(1)),
        "b.jsonl": json_lines(orders(10, note="new")),
        "c.jsonl": json_lines(orders(20)) + b"no record\n" * 1 + json_lines(orders(30, 9)),
        "d.jsonl": b"no json at all\n",
        "e.jsonl": b"",
        "f.jsonl": json_lines(orders(40, order_id="many")),
    }
    for key, body in bodies.items():
        for name in ("local", "spark"):
            product.put(key, body, name)
    outcomes = {}
    for name in ("local", "spark"):
        done = product("run", name, env={"SPARK_REMOTE": sail})
        assert done.returncode == 3, (done.stdout, done.stderr)
        files = product.json("files", name)
        outcomes[name] = [(f["key"], f["status"], f["rows"], f["rejected"]) for f in files]
    assert outcomes["spark"] == outcomes["local"]
    for table in ("raw.{}", "raw.{}__rejected"):
        assert product.table_rows(table.format("spark")) == product.table_rows(
            table.format("local")
        )


def _data_files(workshop: Workshop) -> list[Path]:
    return list((workshop.deployment.settings.warehouse / "raw").rglob("orders/**/*.parquet"))
