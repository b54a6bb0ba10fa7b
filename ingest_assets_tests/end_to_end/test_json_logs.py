"""Log lines as JSON, from the command line and from Dagster's own processes."""

import json
from typing import Any

from ingest_assets_tests.end_to_end.product import Product


def _lines(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


def test_each_stage_of_a_batch_is_one_counted_line(product: Product) -> None:
    product.declare()
    product.put("a.jsonl", b'{"order_id": 1}\nno JSON\n' + b'{"order_id": 2}\n' * 20)
    product.put("bad.jsonl.gz", b"\x1f\x8bnothing that can be read")
    done = product("run", "orders", env={"INGEST_LOG_FORMAT": "json"})
    assert done.returncode == 3, done.stderr
    lines = _lines(done.stderr)
    (read,) = [line for line in lines if line["message"].startswith("Read ")]
    assert (read["files"], read["files_not_read"], read["rows"], read["rejected"]) == (2, 1, 21, 1)
    (committed,) = [line for line in lines if line["message"].startswith("Committed ")]
    assert "Told Dagster " in done.stderr, done.stderr
    (told,) = [line for line in lines if line["message"].startswith("Told Dagster ")]
    (failed,) = [line for line in lines if "key" in line]
    assert failed["key"] == "bad.jsonl.gz"
    for line in (read, committed, told, failed):
        assert line["ingestion"] == "orders"
        assert line["batch_id"] == read["batch_id"]
        assert line["run_id"] == read["run_id"]
    assert committed["snapshot_id"] > 0
    (tick,) = [line for line in lines if line["message"].startswith("Tick: ")]
    assert tick["ingestion"] == "orders"


def test_a_format_that_there_is_not_is_refused(product: Product) -> None:
    done = product("config", env={"INGEST_LOG_FORMAT": "xml"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ConfigurationError: INGEST_LOG_FORMAT is 'xml'")


def test_the_error_that_ends_a_command_is_a_line_like_the_others(product: Product) -> None:
    done = product("files", "nobodys", env={"INGEST_LOG_FORMAT": "json"})
    assert (done.returncode, done.stdout) == (2, "")
    line = json.loads(done.stderr.splitlines()[-1])
    assert line["level"] == "ERROR"
    assert line["message"].startswith("UnknownIngestionError: ")
