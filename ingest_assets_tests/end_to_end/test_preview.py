"""A preview as a person has it: on a terminal, as a page in a browser, as a job; it leaves nothing.

And its cost beside what the demo's files really used.
"""

import gzip
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import create_engine, inspect, text

from ingest_assets.demo.sample_files import arrivals
from ingest_assets.orchestration.preview_job import PREVIEW_OP, build_preview_job
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop, attributes, declare
from ingest_assets_tests.terminal import on_terminal

PREVIEW_SECONDS = 10
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def left_behind(product: Product) -> dict[str, Any]:
    """All that a preview could write to: each table of Postgres, the bucket, the home's files."""
    engine = create_engine(product.env["INGEST_POSTGRES_URL"])
    found: dict[str, Any] = {}
    with engine.connect() as connection:
        for schema in inspect(engine).get_schema_names():
            if schema == "information_schema":
                continue
            for table in inspect(engine).get_table_names(schema):
                rows = connection.execute(text(f'SELECT t::text FROM "{schema}"."{table}" t'))
                found[f"{schema}.{table}"] = sorted(row[0] for row in rows)
    engine.dispose()
    listed = product.s3.client.list_objects_v2(Bucket=product.bucket).get("Contents", [])
    found["objects"] = sorted((item["Key"], item["ETag"]) for item in listed)
    files = product.home.rglob("*") if product.home.exists() else ()
    found["files"] = sorted((str(path), path.stat().st_mtime_ns) for path in files)
    return found


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_it_is_read_on_a_terminal_and_leaves_nothing_behind(product: Product) -> None:
    product.declare()
    body = json_lines(orders(1, 3000))
    for number in range(10):
        product.put(f"{number}.jsonl.gz", gzip.compress(body))
    untouched = left_behind(product)
    uri = ("preview", "--uri", f"s3://{product.bucket}/orders/", "--table", "raw.other")
    started = time.monotonic()
    screen = {"TERM": "xterm-256color", "COLUMNS": "80"}
    code, said = on_terminal(uri, env={**product.env, **screen}, folder=product.defs.parent)
    assert time.monotonic() - started < PREVIEW_SECONDS
    assert code == 0, said
    plain = re.sub(r"\x1b\[[0-9;]*m|\r", "", said)
    assert max(map(len, plain.splitlines())) <= 80
    for expected in (
        "30,000 rows of 10 files would be written, and no file would be refused.",
        "Nothing was written.",
        "json, detected: it begins as JSON does; gzip.",
        "order_id   │ long",
        "customer 1",
        "CREATE TABLE raw.other (",
        "a month.",
    ):
        assert expected in plain
    assert left_behind(product) == untouched
    assert not product.home.exists()

    product.put("9.jsonl.gz", gzip.compress(json_lines(orders(1, 5, channel="web"))))
    assert product("run", "orders").returncode == 0
    product.put("new.jsonl", json_lines(orders(40_000, 30, region="x")) + b"{broken\n")
    product.put("odd.jsonl", json_lines(orders(50_000, 3, amount={"value": 1})))
    before = left_behind(product)
    found = product.json("preview", "orders", exit_code=3)
    assert {f["key"]: f["outcome"] for f in found["files"]}["odd.jsonl"] == "PARKED"
    assert found["table"]["ddl"] == ["ALTER TABLE raw.orders ADD COLUMN region STRING"]
    assert left_behind(product) == before


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A Chromium without a window; without one on the PATH the test is skipped."""
    program = shutil.which("chromium")
    if program is None and not os.environ.get("INGEST_TESTS_SKIP_NOTHING"):
        pytest.skip("the page is looked at in Chromium, which is not on the PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        yield started
        started.close()


def test_the_page_is_whole_in_itself_and_takes_nothing_of_a_file_for_markup(
    product: Product, browser: Browser, tmp_path: Path
) -> None:
    evil = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    rows = [{**row, "customer": evil, f"<b>{evil}</b>": 1} for row in orders(1, 3)]
    product.put("<b>a.jsonl", json_lines(rows) + b"<img src=x>\n" * 3)
    path = tmp_path / "page.html"
    done = product("preview", "--uri", f"s3://{product.bucket}/orders/", "--html", str(path))
    assert done.returncode == 3
    asked: list[str] = []
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert errors == []
    assert page.title() == f"Preview of orders: s3://{product.bucket}/orders/ -> raw.orders"
    assert page.locator("script, img, b").count() == 0
    shown = page.locator("body").inner_text()
    assert "<img src=x>" in shown
    assert "<b>a.jsonl" in shown
    headings = page.locator("h2").all_inner_texts()
    assert headings[:5] == ["Connection", "Files found", "Format", "Files read", "Schema"]
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(245, 246, 248)", "rgb(20, 24, 30)"]
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_job_says_the_same_in_its_metadata(workshop: Workshop) -> None:
    defs = workshop.deployment.settings.defs
    declare(defs, attributes(workshop.bucket))
    workshop.put("a.jsonl", json_lines(orders(1, 4, customer="*bold* | `x`")))

    def launch(name: str) -> dg.ExecuteInProcessResult:
        job = build_preview_job(lambda: workshop.deployment)
        config = {"ops": {PREVIEW_OP: {"config": {"ingestion": name}}}}
        return job.execute_in_process(config, workshop.instance, raise_on_error=False)

    pages = workshop.deployment.settings.home / "previews"
    pages.mkdir(parents=True)
    for number, name in enumerate(["orders"] * 12 + ["orders_of_others"]):
        (pages / f"{name}-{number:02}.html").write_text("")
        os.utime(pages / f"{name}-{number:02}.html", (number, number))
    done = launch("orders")
    assert done.success
    kept = {path.name.partition(".")[0] for path in pages.iterdir()}
    assert kept == {
        f"orders-{done.run_id}",
        *(f"orders-{number:02}" for number in range(3, 12)),
        "orders_of_others-12",
    }
    [event] = [event for event in done.all_events if event.is_successful_output]
    told = {name: value.value for name, value in event.step_output_data.metadata.items()}
    assert told["outcome"] == "4 rows of 1 file would be written, and no file would be refused."
    assert "| order\\_id | long | 0.0% | 1 of 1 | required |" in told["Schema"]
    assert r"\*bold\* \| \`x\`" in told["Sample rows"]
    assert "<h1>Preview of orders</h1>" in Path(told["page"]).read_text()
    assert workshop.files() == {}
    refused = launch("unknown")
    assert not refused.success
    [failure] = [event for event in refused.all_events if event.is_step_failure]
    assert "No ingestion is called 'unknown'" in str(failure.step_failure_data.user_failure_data)


@pytest.mark.alone
def test_the_demo_s_files_use_what_was_estimated(product: Product) -> None:
    """In two waves: within a fifth in all and in processor time, the largest part.

    Of a dozen requests a data file more is a tenth, so single lines are held to a half.
    """
    often = {"discovery": {"interval_seconds": 5}}  # as the demo declares it
    carrier = {"identifier": "raw.shipments", "partition_by": ["carrier"]}
    for name, more in (
        ("orders", {}),
        ("shipments", {"format": {"type": "csv"}, "table": carrier}),
    ):
        source = {"uri": f"s3://{product.bucket}/{name}/", **often}
        product.declare(name, source=source, **more)
    uploads = [upload for upload in arrivals() if not upload.key.startswith("events")]
    half = len(uploads) // 2
    for wave in (uploads[:half], uploads[half:]):
        for upload in wave:
            product.s3.put(product.bucket, upload.key, upload.body)
        for name in ("orders", "shipments"):
            assert product("run", name).returncode in (0, 3)
    for name in ("orders", "shipments"):
        [told] = product.json("cost", name)
        assert (told["batches"], told["currency"]) == (2, "USD")
        assert told["used_amount"] == pytest.approx(told["estimated_amount"], rel=0.2)
        lines = {line["name"]: line for line in told["lines"]}
        assert lines["compute"]["used"] > 0
        assert lines["storage"]["used"] > 0
        for line in told["lines"]:
            if line["used_amount"] > told["used_amount"] / 10:
                assert line["ratio"] == pytest.approx(1, abs=0.5), line
        assert lines["compute"]["ratio"] == pytest.approx(1, abs=0.2)
