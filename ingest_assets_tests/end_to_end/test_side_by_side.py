"""Which runs go on at the same time, under a real daemon and its queue."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets_tests.conftest import S3Server, database
from ingest_assets_tests.end_to_end.dagster_dev import DagsterDev
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.waiting import wait_for

pytestmark = pytest.mark.slow
WAIT_SECONDS = 180
FILES = {"single": 2, "double": 2}

Span = tuple[float, float]
_MARKS = {dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_SUCCESS}


@pytest.fixture(scope="module")
def spans(
    tmp_path_factory: pytest.TempPathFactory, s3: S3Server, postgres_url: str
) -> Iterator[dict[str, list[Span]]]:
    """When the runs of each ingestion left the queue and ended; all files were there at once."""
    with database(postgres_url) as url:
        yield _observed(tmp_path_factory.mktemp("side"), s3, url)


def _observed(folder: Path, s3: S3Server, postgres_url: str) -> dict[str, list[Span]]:
    product = Product(folder / "user", s3, s3.make_bucket(), INGEST_POSTGRES_URL=postgres_url)
    for name, batch in {
        "single": {"max_files": 1},
        "double": {"max_files": 1, "max_concurrent_runs": 2},
    }.items():
        product.declare(name, source={"discovery": {"interval_seconds": 2}}, batch=batch)
        # Of two first runs one makes the table, and the other one fails and is done again.
        product.put("first.jsonl", json_lines(orders(1000)), name)
        assert product("run", name).returncode == 0
        for number in range(FILES[name]):
            product.put(f"{number}.jsonl", json_lines(orders(number * 3)), name)
    with DagsterDev(folder, product.env) as dev, dev.instance() as instance:
        for name in FILES:
            dev.ui.start_sensor(name)
        for name, count in FILES.items():
            wait_for(
                f"green partitions of {name}",
                lambda name=name, count=count: len(dev.ui.partitions(name)["green"]) == count + 1,
                seconds=WAIT_SECONDS,
                otherwise=dev.last_words,
                every=1,
            )
        for name in FILES:
            dev.ui.stop_sensor(name)
        wait_for(
            "end of all runs",
            lambda: all(run["status"] == "SUCCESS" for run in dev.ui.runs()),
            seconds=60,
            otherwise=lambda: f"{[run['status'] for run in dev.ui.runs()]}\n{dev.last_words()}",
        )
        return {name: _spans(dev, instance, name) for name in FILES}


def _spans(dev: DagsterDev, instance: dg.DagsterInstance, name: str) -> list[Span]:
    found = []
    for run in dev.ui.runs(tags=[{"key": "ingest/ingestion", "value": name}]):
        times = sorted(entry.timestamp for entry in instance.all_logs(run["id"], of_type=_MARKS))
        found.append((times[0], times[-1]))
    return sorted(found)


def _overlap(one: Span, other: Span) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def test_two_runs_of_one_ingestion_go_side_by_side_only_when_it_declares_so(
    spans: dict[str, list[Span]],
) -> None:
    first, second = spans["single"][-2:]
    assert not _overlap(first, second)
    first, second = spans["double"][-2:]
    assert _overlap(first, second)


def test_runs_of_two_ingestions_go_side_by_side(spans: dict[str, list[Span]]) -> None:
    assert any(_overlap(one, other) for one in spans["single"] for other in spans["double"])
