"""`ingest-assets dev` on a user's own declarations and services."""

import re
import signal
import urllib.request

import pytest

from ingest_assets_tests.end_to_end.dagster_dev import free_port
from ingest_assets_tests.end_to_end.dagster_ui import DagsterUI
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.waiting import wait_for

pytestmark = pytest.mark.slow


def test_dev_shows_the_users_ingestions_and_ends_at_ctrl_c(product: Product) -> None:
    product.declare(source={"discovery": {"interval_seconds": 2}})
    product.put("a.jsonl", json_lines(orders(1)))
    # Neither the home nor this folder is there yet, and nothing else would make the home.
    product.env["DAGSTER_HOME"] = str(product.defs.parent / "dagster")
    assert not product.home.exists()
    warehouse = product.defs.parent / "elsewhere"
    (product.defs.parent / ".pyiceberg.yaml").write_text(
        f"catalog:\n  lake:\n    warehouse: file://{warehouse}\n"
    )
    process = product.start("dev", "--port", str(free_port()))
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said == f"1 ingestion in {product.defs}\n"
        said = process.stdout.readline()
        address = re.search(r"http://\S+", said)
        assert address is not None, (said, process.poll())
        with urllib.request.urlopen(f"{address[0]}/server_info", timeout=10) as answer:
            assert answer.status == 200
        second = product("dev")
        assert second.returncode == 2
        assert f"started by process {process.pid}, at {address[0]}." in second.stderr
        ui = DagsterUI(address[0])
        assert ui.sensor("orders")["status"] == "STOPPED"
        ui.start_sensor("orders")
        wait_for("green", lambda: ui.partitions("orders")["green"] == {"a.jsonl"}, seconds=90)
    finally:
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=90)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert list(warehouse.rglob("*.parquet"))
    assert product.table_rows("raw.orders") == 3


def test_dev_refuses_unsound_declarations_before_it_starts_anything(product: Product) -> None:
    product.declare(colour="red")
    done = product("dev")
    assert done.returncode == 2
    assert "attributes.colour" in done.stderr
    assert not product.home.exists()
