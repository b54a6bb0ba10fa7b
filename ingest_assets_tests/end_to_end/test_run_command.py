"""`ingest-assets run` and `files` as a user starts them: every format, and every exit code."""

from collections.abc import Callable
from typing import Any

import pytest

from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import (
    csv_file,
    cut_gzip,
    json_lines,
    orders,
    parquet_file,
)

WRITERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "json": json_lines,
    "csv": csv_file,
    "parquet": parquet_file,
}
RUN_FIELDS = {"files", "rows", "rejected_rows", "filtered_rows", "seconds", "snapshot_id"}
RUN_FIELDS |= {"waiting", "settling"}
FILE_FIELDS = {
    "key",
    "status",
    "rows",
    "rescued",
    "rejected",
    "filtered",
    "broken_rules",
    "attempts",
    "error_type",
    "error",
    "etag",
    "committed_etag",
    "schema_version",
    "snapshot_id",
    "batch_id",
    "source_state",
    "source_moved_to",
    "source_error",
    "dead_letter_copy",
    "dead_letter_report",
    "dead_letter_error",
    "gone_at",
    "lost_contents",
    "retired_at",
}


@pytest.mark.slow
@pytest.mark.parametrize("format_type", ["json", "csv", "parquet"])
def test_files_of_each_format_are_ingested_once_and_again_when_they_change(
    product: Product, format_type: str
) -> None:
    product.declare(format={"type": format_type})
    write = WRITERS[format_type]
    product.put("2026/a", write(orders(1)))
    product.put("2026/b", write(orders(4)))

    first = product.json("run", "orders")
    assert set(first) == RUN_FIELDS
    assert first["files"] == {"SUCCESS": 2}
    assert (first["rows"], first["waiting"]) == (6, {})
    assert isinstance(first["snapshot_id"], int)
    assert first["seconds"] > 0

    second = product.json("run", "orders")
    assert (second["files"], second["rows"], second["snapshot_id"]) == ({}, 0, None)

    before = product.json("files", "orders", "--key", "2026/a")[0]
    product.put("2026/a", write(orders(100, 2)))
    third = product.json("run", "orders")
    assert (third["files"], third["rows"]) == ({"SUCCESS": 1}, 2)

    files = product.json("files", "orders")
    assert [set(file) for file in files] == [FILE_FIELDS] * 2
    changed, same = files
    assert (changed["key"], changed["rows"], same["rows"]) == ("2026/a", 2, 3)
    assert changed["committed_etag"] == changed["etag"] != before["etag"]
    assert changed["snapshot_id"] == third["snapshot_id"]
    assert same["snapshot_id"] == first["snapshot_id"]
    assert {file["schema_version"] for file in files} == {1}


@pytest.mark.slow
def test_a_pass_with_bad_files_ends_with_3_and_says_which_and_why(product: Product) -> None:
    product.declare()
    product.put("a.jsonl", json_lines(orders(1)))
    product.put("b.jsonl.gz", cut_gzip(orders(100, 400)))
    product.put("c.jsonl", json_lines(orders(4, amount={"value": 1})))
    done = product("run", "orders")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "orders: 1 DEAD_LETTER, 1 PARKED, 1 SUCCESS; 3 rows" in done.stdout
    assert "b.jsonl.gz" in done.stdout
    assert "1 PARKED: ingest-assets files orders --status PARKED" in done.stdout

    [parked] = product.json("files", "orders", "--status", "parked")
    assert (parked["key"], parked["error_type"]) == ("c.jsonl", "SchemaParkedError")
    assert "amount" in parked["error"]
    [dead] = product.json("files", "orders", "--status", "DEAD_LETTER")
    assert (dead["key"], dead["error_type"]) == ("b.jsonl.gz", "CorruptFileError")

    waiting = product.json("run", "orders", exit_code=3)
    assert waiting["files"] == {}
    assert waiting["waiting"]["PARKED"] == 1


@pytest.mark.slow
def test_bad_configuration_ends_with_2_and_names_what_there_is(product: Product) -> None:
    product.declare()
    unknown = product("run", "no_such")
    assert unknown.returncode == 2
    assert "No ingestion is called 'no_such'" in unknown.stderr
    assert "declared are: orders" in unknown.stderr
    product.declare(source={"prefix": "x"})
    unsound = product("run", "orders")
    assert unsound.returncode == 2
    assert "orders/defs.yaml: attributes.source.prefix: is not a field here" in unsound.stderr


@pytest.mark.slow
def test_a_service_out_of_reach_ends_with_1_and_no_traceback(product: Product) -> None:
    product.declare()
    no_store = product("run", "orders", env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert no_store.returncode == 1
    assert "StoreUnreachableError: s3://" in no_store.stderr
    elsewhere = "postgresql://someone:geheim@127.0.0.1:9/nowhere"
    no_postgres = product("run", "orders", env={"INGEST_POSTGRES_URL": elsewhere})
    assert no_postgres.returncode == 1
    assert "LedgerError" in no_postgres.stderr
    for done in (no_store, no_postgres):
        assert "Traceback" not in done.stderr
        assert "geheim" not in done.stdout + done.stderr


@pytest.mark.slow
def test_two_passes_at_once_share_the_work_and_both_end_well(product: Product) -> None:
    product.declare(batch={"max_files": 2})
    for number in range(12):
        product.put(f"{number:02d}.jsonl", json_lines(orders(1 + number * 3)))
    both = [product.start("run", "orders", "--json") for _ in range(2)]
    ended = [(*process.communicate(timeout=120), process.returncode) for process in both]
    assert [code for *_, code in ended] == [0, 0], ended
    files = product.json("files", "orders")
    assert [(file["status"], file["rows"]) for file in files] == [("SUCCESS", 3)] * 12
    assert {file["attempts"] for file in files} == {1}
