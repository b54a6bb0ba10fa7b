"""A real `dagster dev` with its daemon, watched and worked through GraphQL as its UI does it."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets_tests.conftest import S3Server
from ingest_assets_tests.end_to_end.dagster_dev import DagsterDev
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.waiting import wait_for

pytestmark = pytest.mark.slow
WAIT_SECONDS = 120


class Running:
    """The product under one `dagster dev`, with an ingestion for each test."""

    def __init__(self, product: Product, dev: DagsterDev) -> None:
        self.product = product
        self.ui = dev.ui
        self.queue_held = dev.queue_held
        self._dev = dev

    def wait_for(self, what: str, look: Any) -> Any:
        """As `waiting.wait_for`, with what Dagster and the ledger show otherwise."""
        return wait_for(what, look, seconds=WAIT_SECONDS, otherwise=self._shown, every=1)

    def wait_for_green(self, name: str, keys: set[str]) -> None:
        self.wait_for(f"green {keys}", lambda: self.ui.partitions(name)["green"] >= keys)

    def wait_for_run(self, run_id: str) -> str:
        """Its status at its end."""
        ended = ("SUCCESS", "FAILURE", "CANCELED")

        def status() -> str | None:
            found: str = self.ui.runs(runIds=[run_id])[0]["status"]
            return found if found in ended else None

        return str(self.wait_for(f"end of run {run_id}", status))

    def statuses(self, name: str) -> dict[str, str]:
        return {file["key"]: file["status"] for file in self.product.json("files", name)}

    def _shown(self) -> str:
        runs = [(run["id"], run["status"], run["tags"]) for run in self.ui.runs()]
        return f"runs: {runs}\nlog:\n{self._dev.last_words()}"


NAMES = ("colours", "again", "paused", "cancelled", "reshaped")


@pytest.fixture(scope="module")
def own_postgres(service_folder: Path) -> Iterator[str]:
    with EmbeddedPostgres(service_folder / "dagster_dev") as server:
        yield server.url


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, s3: S3Server, own_postgres: str
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("dev")
    product = Product(folder / "user", s3, s3.make_bucket(), INGEST_POSTGRES_URL=own_postgres)
    for name in NAMES:
        product.declare(
            name,
            source={"discovery": {"interval_seconds": 2}},
            retries={"attempts": 3, "backoff_minutes": [0]},
        )
    with DagsterDev(folder, product.env) as dev:
        product.env["DAGSTER_HOME"] = str(dev.home)
        yield Running(product, dev)


def test_partitions_are_green_and_red_as_they_truly_are(running: Running) -> None:
    ui, product = running.ui, running.product
    assert ui.sensor("colours")["status"] == "STOPPED"
    ui.start_sensor("colours")
    product.put("a.jsonl", json_lines(orders(1)), "colours")
    running.wait_for_green("colours", {"a.jsonl"})
    product.put("b.jsonl", json_lines(orders(4, 20)) + b"no json\n", "colours")
    product.put("c.jsonl.gz", cut_gzip(orders(100, 400)), "colours")
    product.put("d.jsonl", json_lines(orders(30, amount={"value": 1})), "colours")
    product.put("e.jsonl", b"", "colours")
    green, red = {"a.jsonl", "b.jsonl", "e.jsonl"}, {"c.jsonl.gz", "d.jsonl"}
    running.wait_for_green("colours", green)
    running.wait_for("red", lambda: ui.partitions("colours")["red"] >= red)
    running.wait_for("end", lambda: not ui.partitions("colours")["running"])
    assert ui.partitions("colours") == {
        "green": green,
        "red": red,
        "grey": red,
        "running": set(),
    }
    check_evaluations_of_colours(ui)
    [metadata] = ui.materializations("colours", "b.jsonl")
    assert (metadata["rows"], metadata["rescued"], metadata["rejected"]) == (20, 0, 1)
    assert metadata["source_uri"] == f"s3://{product.bucket}/colours/b.jsonl"
    assert {"bytes", "seconds", "etag", "schema_version", "snapshot_id"} <= set(metadata)
    assert product.table_rows("raw.colours") == 23
    ui.stop_sensor("colours")


def check_evaluations_of_colours(ui: Any) -> None:
    parsed, compatible = (
        ui.checks("colours", "rows_parsed"),
        ui.checks("colours", "schema_compatible"),
    )
    outcomes = {
        key: (execution["status"], execution["evaluation"]["severity"])
        for key, execution in parsed.items()
    }
    assert outcomes["b.jsonl"] == ("FAILED", "WARN")
    assert outcomes["c.jsonl.gz"] == ("FAILED", "ERROR")
    assert {outcomes[key][0] for key in ("a.jsonl", "d.jsonl", "e.jsonl")} == {"SUCCEEDED"}
    parked = compatible["d.jsonl"]
    assert (parked["status"], parked["evaluation"]["severity"]) == ("FAILED", "ERROR")
    assert "amount" in parked["evaluation"]["description"]
    assert compatible["b.jsonl"]["status"] == "SUCCEEDED"


def test_materializing_and_backfilling_replace_the_rows_of_their_files(running: Running) -> None:
    ui, product = running.ui, running.product
    keys = [f"{number}.jsonl" for number in range(5)]
    for number, key in enumerate(keys):
        product.put(key, json_lines(orders(1 + number * 3)), "again")
    ui.start_sensor("again")
    running.wait_for_green("again", set(keys))
    ui.stop_sensor("again")
    first = ui.materializations("again", "2.jsonl")
    assert running.wait_for_run(ui.materialize("again", "2.jsonl")) == "SUCCESS"
    second = ui.materializations("again", "2.jsonl")
    assert len(second) == len(first) + 1
    assert second[0]["snapshot_id"] != first[0]["snapshot_id"]
    assert len(ui.materializations("again", "1.jsonl")) == 1
    assert product.table_rows("raw.again") == 15

    backfill = ui.backfill("again", ["0.jsonl", "1.jsonl", "4.jsonl"])
    running.wait_for("backfill", lambda: ui.backfill_status(backfill) == "COMPLETED_SUCCESS")
    assert [len(ui.materializations("again", key)) for key in keys] == [2, 2, 2, 1, 2]
    assert ui.partitions("again")["green"] == set(keys)
    assert product.table_rows("raw.again") == 15


def test_a_changed_file_is_read_again_by_the_sensor(running: Running) -> None:
    ui, product = running.ui, running.product
    product.put("2.jsonl", json_lines(orders(500, 10)), "again")
    ui.start_sensor("again")
    running.wait_for(
        "replacement",
        lambda: {run["rows"] for run in ui.materializations("again", "2.jsonl")[:1]} == {10},
    )
    ui.stop_sensor("again")
    errors = [tick["error"] for tick in ui.sensor("again")["ticks"] if tick["error"]]
    assert errors == []
    assert ui.partitions("again")["green"] == {f"{number}.jsonl" for number in range(5)}
    assert product.table_rows("raw.again") == 22


def _is_ticking(sensor: dict[str, Any]) -> bool:
    return any(tick["status"] == "STARTED" for tick in sensor["ticks"])


def test_a_sensor_that_is_off_pauses_its_ingestion(running: Running) -> None:
    ui, product = running.ui, running.product
    ui.start_sensor("paused")
    running.wait_for("tick", lambda: ui.sensor("paused")["ticks"])
    ui.stop_sensor("paused")
    # A tick that was under way ends. Others' ticks show that the daemon has gone round since.
    ui.start_sensor("cancelled")
    running.wait_for("ticks of others", lambda: len(ui.sensor("cancelled")["ticks"]) >= 2)
    running.wait_for("the last tick", lambda: not _is_ticking(ui.sensor("paused")))
    ticks = len(ui.sensor("paused")["ticks"])
    product.put("a.jsonl", json_lines(orders(1)), "paused")
    # A check that nothing happens can only wait.
    running.wait_for("ticks of others", lambda: len(ui.sensor("cancelled")["ticks"]) >= 5)
    ui.stop_sensor("cancelled")
    assert len(ui.sensor("paused")["ticks"]) == ticks
    assert running.statuses("paused") == {}
    ui.start_sensor("paused")
    running.wait_for_green("paused", {"a.jsonl"})
    ui.stop_sensor("paused")


def test_a_run_that_is_cancelled_while_it_is_queued_frees_its_files(running: Running) -> None:
    ui, product = running.ui, running.product
    for number in range(3):
        product.put(f"{number}.jsonl", json_lines(orders(1 + number * 3)), "cancelled")
    with running.queue_held("cancelled"):
        ui.start_sensor("cancelled")
        [run, *_] = running.wait_for("run", lambda: ui.runs(tags=[TAG], statuses=["QUEUED"]))
        ui.cancel(run["id"])
        running.wait_for("another run", lambda: len(ui.runs(tags=[TAG])) > 1)
        assert ui.runs(runIds=[run["id"]])[0]["status"] == "CANCELED"
    running.wait_for_green("cancelled", {"0.jsonl", "1.jsonl", "2.jsonl"})
    ui.stop_sensor("cancelled")
    assert product.table_rows("raw.cancelled") == 9


def test_a_parked_file_is_decided_about_with_what_its_check_shows(running: Running) -> None:
    ui, product = running.ui, running.product
    product.put("a.jsonl", json_lines(orders(1)), "reshaped")
    ui.start_sensor("reshaped")
    running.wait_for_green("reshaped", {"a.jsonl"})
    product.put("b.jsonl", json_lines(orders(4, 2, amount={"value": 1})), "reshaped")
    running.wait_for("red", lambda: "b.jsonl" in ui.partitions("reshaped")["red"])
    check = ui.checks("reshaped", "schema_compatible")["b.jsonl"]
    shown = {entry["label"]: entry for entry in check["evaluation"]["metadataEntries"]}
    [difference] = shown["differences"]["table"]["records"]
    assert "struct<value: long>" in difference
    assert shown["decide_on_command_line"]["text"] == "ingest-assets schema resolve reshaped 2"
    config = re.search(r"```yaml\n(.*?)```", shown["decide_in_launchpad"]["mdStr"], re.DOTALL)
    assert config is not None

    decided = config[1].replace("plan_only: true", "plan_only: false")
    accepted = ui.launch("resolve_schema_change", decided.replace("merge", "accept"))
    assert running.wait_for_run(accepted) == "FAILURE"
    [refusal] = ui.failures(accepted)
    assert "no double is a struct<value: long>. Nothing was changed." in refusal
    merged = ui.launch("resolve_schema_change", decided)
    assert running.wait_for_run(merged) == "SUCCESS"
    assert ui.runs(runIds=[merged])[0]["tags"]["ingest/ingestion"] == "reshaped"
    running.wait_for_green("reshaped", {"a.jsonl", "b.jsonl"})
    running.wait_for(
        "passed check",
        lambda: ui.checks("reshaped", "schema_compatible")["b.jsonl"]["status"] == "SUCCEEDED",
    )
    ui.stop_sensor("reshaped")
    assert product.table_rows("raw.reshaped") == 5
    _, decided = product.json("schema", "list", "reshaped")
    assert (decided["resolution"], decided["resolved_by"]) == ("merge", f"Dagster run {merged}")


TAG = {"key": "ingest/ingestion", "value": "cancelled"}


def test_runs_of_one_ingestion_never_overlap(running: Running) -> None:
    for name in NAMES:
        runs = running.ui.runs(tags=[{"key": "ingest/ingestion", "value": name}])
        spans = sorted(
            (run["startTime"], run["endTime"]) for run in runs if run["startTime"] is not None
        )
        assert spans, name
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end is not None
            assert start >= end, (name, spans)
