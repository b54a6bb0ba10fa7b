"""`ingest-assets demo`: every colour after a minute, and nothing left after Ctrl-C."""

import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest_assets_tests.end_to_end.dagster_ui import DagsterUI
from ingest_assets_tests.end_to_end.demo_process import Demo
from ingest_assets_tests.end_to_end.waiting import wait_for

pytestmark = pytest.mark.slow
ARRIVALS_SECONDS = 300
NAMES = {"orders": 16, "shipments": 12, "events": 12}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Not started yet; nothing of it outlives the test."""
    made = Demo(tmp_path / "stranger")
    yield made
    made.kill()


def test_after_a_minute_every_colour_is_there_and_ctrl_c_ends_everything(demo: Demo) -> None:
    url = demo.start()
    with urllib.request.urlopen(f"{url}/server_info", timeout=10) as answer:
        assert b"dagster_webserver_version" in answer.read()
    wait_for(
        "outcome of every file",
        lambda: are_all_done(demo),
        seconds=ARRIVALS_SECONDS,
        otherwise=lambda: str({name: statuses(demo, name) for name in NAMES}),
        every=5,
    )
    assert_ledger_is_right(demo)
    assert_tables_are_right(demo)
    assert_partitions_are_right(DagsterUI(url))
    assert_ends_whole(demo, signal.SIGINT)


def test_a_demo_in_a_scripts_background_heeds_ctrl_c_and_starts_again(demo: Demo) -> None:
    demo.start(in_background_of_script=True)
    assert "Files arrive for a minute" in demo.said()
    assert_ends_whole(demo, signal.SIGINT)
    url = demo.start(in_background_of_script=True)
    assert "The files of the first start are there already" in demo.said()
    wait_for(
        "ticks after the second start",
        lambda: DagsterUI(url).sensor("orders")["ticks"],
        seconds=60,
    )
    assert_ends_whole(demo, signal.SIGTERM)


def test_a_second_demo_is_refused_and_a_killed_one_leaves_nothing_running(demo: Demo) -> None:
    url = demo.start()
    second = demo.again()
    assert second.returncode == 2
    assert f"started by process {demo.pid}, at {url}." in second.stderr
    processes = demo.processes()
    assert len(processes) >= 6, processes
    assert demo.stop(signal.SIGKILL) == -signal.SIGKILL
    url = demo.start()  # at once, while what is left of the first is being stopped
    of_dagster = [process for process in processes if "dagster" in str(process.info["cmdline"])]
    assert len(of_dagster) >= 4, processes
    assert [process for process in of_dagster if process.is_running()] == []
    wait_for("tick", lambda: DagsterUI(url).sensor("orders")["ticks"], seconds=60)
    processes = demo.processes()
    assert demo.stop(signal.SIGKILL) == -signal.SIGKILL
    _, alive = psutil.wait_procs(processes, timeout=90)
    assert alive == []
    assert demo.processes() == []


def test_a_demo_heeds_no_configuration_but_its_own(demo: Demo) -> None:
    nowhere = "http://127.0.0.1:9"
    (demo.folder / ".pyiceberg.yaml").write_text(
        f"catalog:\n  lake:\n    type: rest\n    uri: {nowhere}\n"
    )
    (demo.folder / ".aws").mkdir()
    (demo.folder / ".aws" / "config").write_text("no configuration")
    demo.start(
        PYICEBERG_CATALOG__LAKE__WAREHOUSE=f"file://{demo.folder}/elsewhere",
        INGEST_POSTGRES_URL="mysql://nobody@nowhere/nothing",
        DAGSTER_HOME=f"{demo.folder}/elsewhere",
        AWS_ENDPOINT_URL_S3=nowhere,
        AWS_PROFILE="nobody",
        HTTP_PROXY=nowhere,
    )
    wait_for(
        "first rows",
        lambda: "SUCCESS" in statuses(demo, "orders").values(),
        seconds=90,
        otherwise=lambda: str(demo.files("orders")),
        every=2,
    )
    assert list((demo.folder / ".ingest/demo/warehouse").rglob("*.parquet"))
    assert not (demo.folder / "elsewhere").exists()
    assert_ends_whole(demo, signal.SIGINT)


def statuses(demo: Demo, name: str) -> dict[str, str]:
    return {key: file["status"] for key, file in demo.files(name).items()}


def are_all_done(demo: Demo) -> bool:
    for name, count in NAMES.items():
        files = demo.files(name).values()
        is_done = all(file["status"] not in ("DISCOVERED", "PROCESSING") for file in files)
        if len(files) < count or not is_done:
            return False
    corrected = demo.table("raw.orders").scan(selected_fields=("_source_file", "status"))
    rows = corrected.to_arrow().to_pylist()
    return {row["status"] for row in rows if "orders-0002" in row["_source_file"]} == {"paid"}


def assert_ledger_is_right(demo: Demo) -> None:
    orders = demo.files("orders")
    assert orders["orders-0005.jsonl.gz"]["status"] == "DEAD_LETTER"
    assert orders["orders-0012.jsonl.gz"]["status"] == "PARKED"
    assert "total_amount" in orders["orders-0012.jsonl.gz"]["error"]
    spoilt = orders["orders-0007.jsonl.gz"]
    assert (spoilt["rows"], spoilt["rescued"], spoilt["rejected"]) == (76, 1, 4)
    empty = orders["orders-0011.jsonl"]
    assert (empty["status"], empty["rows"]) == ("SUCCESS", 0)
    assert orders["orders-0002.jsonl"]["rows"] == 80
    assert sum(file["status"] == "SUCCESS" for file in orders.values()) == 14
    shipments = demo.files("shipments")
    assert shipments["shipments-0010.csv"]["status"] == "PARKED"
    spoilt = shipments["shipments-0008.csv"]
    assert (spoilt["rows"], spoilt["rescued"], spoilt["rejected"]) == (59, 1, 1)
    assert {file["status"] for file in demo.files("events").values()} == {"SUCCESS"}


def assert_tables_are_right(demo: Demo) -> None:
    orders = demo.table("raw.orders").scan().to_arrow()
    assert orders.num_rows == 12 * 80 + 76
    assert set(orders["coupon_code"].to_pylist()) == {None, "AUTUMN10"}
    assert demo.table("raw.orders__rejected").scan().to_arrow().num_rows == 4
    shipments = demo.table("raw.shipments").scan().to_arrow()
    assert all(len(number) == 10 for number in shipments["tracking_number"].to_pylist())
    events = demo.table("raw.events").scan().to_arrow()
    assert set(events["app_version"].to_pylist()) == {None, "4.1.0", "4.1.1"}


def assert_partitions_are_right(ui: DagsterUI) -> None:
    partitions = ui.partitions("orders")
    assert {key.rsplit("/")[-1] for key in partitions["red"]} == {
        "orders-0005.jsonl.gz",
        "orders-0012.jsonl.gz",
    }
    assert len(partitions["green"]) == 14
    checks = ui.checks("orders", "rows_parsed")
    warned = checks["2026/11/20/orders-0007.jsonl.gz"]
    assert (warned["status"], warned["evaluation"]["severity"]) == ("FAILED", "WARN")
    assert [tick["error"] for tick in ui.sensor("orders")["ticks"] if tick["error"]] == []


def assert_ends_whole(demo: Demo, number: signal.Signals) -> None:
    processes = demo.processes()
    assert len(processes) >= 6, processes
    assert demo.stop(number) == 0, demo.said()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []
    assert demo.processes() == []
    assert "Stopped." in demo.said()
