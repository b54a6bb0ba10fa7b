"""Ctrl-C on `ingest-assets run`: it ends, its files are free, and the next pass does them."""

import signal
import threading

import pytest

from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders

pytestmark = pytest.mark.slow
FILES = 300


def test_ctrl_c_ends_a_pass_and_gives_its_files_back(product: Product) -> None:
    product.declare(batch={"max_files": 1000})
    body = json_lines(orders(1, 2))
    for number in range(FILES):
        product.put(f"{number:04d}.jsonl", body)
    process = product.start("run", "orders")
    assert process.stderr is not None
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    try:
        said = ""
        while "100 files read" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[1]
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()
    assert process.returncode == 1, rest
    assert "Aborted!" in rest
    assert "Traceback" not in rest
    files = product.json("files", "orders")
    assert {file["status"] for file in files} == {"DISCOVERED"}
    assert product.json("run", "orders")["files"] == {"SUCCESS": FILES}
    assert product.table_rows("raw.orders") == 2 * FILES
