"""The window of live partitions: what leaves Dagster's dynamic set, what stays, what comes back."""

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from ingest_assets.ledger import archive
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.deadline import Deadline
from ingest_assets.orchestration.named_partitions import PARTITION_TAG
from ingest_assets.orchestration.names import RANGE_END_TAG, RANGE_START_TAG
from ingest_assets.orchestration.retention import archive_attempts, retire_partitions
from ingest_assets_tests.end_to_end.workshop import Workshop
from ingest_assets_tests.orchestration.conftest import OURS

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")

KEYS = [f"{letter}.json" for letter in "abcdef"]
ASSET = dg.AssetKey(["raw", "orders"])


def line(number: int) -> bytes:
    return json.dumps({"order_id": number}).encode()


def live(workshop: Workshop) -> list[str]:
    return list(workshop.instance.get_dynamic_partitions("orders"))


def retire(workshop: Workshop, *, seconds: float = 60, **changes: int) -> str | None:
    deadline = Deadline(timedelta(seconds=seconds))
    ingestion = workshop.ingestion(**changes)
    return retire_partitions(workshop.deployment, ingestion, workshop.instance, deadline)


def let_days_pass(workshop: Workshop, days: int, keys: Sequence[str] = KEYS) -> None:
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE ingest.files SET ingested_at = ingested_at - %s * interval '1 day' "
            "WHERE key = ANY(%s)",
            (days, list(keys)),
        )
        connection.exec_driver_sql(
            "UPDATE ingest.batches SET finished_at = finished_at - %s * interval '1 day'", (days,)
        )


@pytest.fixture
def ingested(workshop: Workshop) -> Workshop:
    """Six files in the order of their keys, on an instance that deletes one key at a time."""
    for number, key in enumerate(KEYS):
        workshop.put(key, line(number))
    workshop.ingest(batch={"max_files": 2})
    assert live(workshop) == KEYS
    return workshop


@pytest.fixture
def in_bulk(
    workshop: Workshop, tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    """The same on the product's own storages."""
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    config = {
        part: {"module": module, "class": kind, "config": {"postgres_url": fresh_database}}
        for part, (module, kind) in OURS.items()
    }
    home = tmp_path / "instance"
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(config | {"telemetry": {"enabled": False}}))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        workshop.instance.dispose()
        workshop.instance = instance
        for number, key in enumerate(KEYS):
            workshop.put(key, line(number))
        workshop.ingest()
        yield workshop
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)


def test_old_partitions_leave_and_the_others_keep_their_order(ingested: Workshop) -> None:
    let_days_pass(ingested, 91, ["b.json", "d.json"])
    assert retire(ingested) == "2 partitions left the window of live ones"
    assert live(ingested) == ["a.json", "c.json", "e.json", "f.json"]
    assert ingested.statuses() == dict.fromkeys(KEYS, "SUCCESS")
    assert ingested.order_ids() == [0, 1, 2, 3, 4, 5]
    assert retire(ingested) is None
    # what Dagster knows of them stays, and no tick adds them again
    assert ingested.partitions() == set(KEYS)
    ingested.ingest()
    assert live(ingested) == ["a.json", "c.json", "e.json", "f.json"]


def test_the_oldest_beyond_the_size_of_the_window_leave(in_bulk: Workshop) -> None:
    let_days_pass(in_bulk, 1, ["c.json", "e.json"])
    assert retire(in_bulk, max_live_partitions=4) == "2 partitions left the window of live ones"
    assert live(in_bulk) == ["a.json", "b.json", "d.json", "f.json"]
    assert retire(in_bulk, max_live_partitions=4) is None


def test_a_file_that_is_not_in_the_table_never_leaves_and_takes_its_place(
    ingested: Workshop,
) -> None:
    ingested.put("bad.json", b"{no json")
    ingested.ingest()
    let_days_pass(ingested, 91, ["bad.json"])
    assert retire(ingested, max_live_partitions=2) == "5 partitions left the window of live ones"
    assert live(ingested) == ["f.json", "bad.json"]


def test_a_changed_file_comes_back_and_stays_when_it_is_young(ingested: Workshop) -> None:
    let_days_pass(ingested, 91)
    retire(ingested)
    assert live(ingested) == []
    assert ingested.files()["b.json"].retired_at is not None
    ingested.put("b.json", line(7))
    ingested.ingest()
    assert live(ingested) == ["b.json"]
    assert ingested.files()["b.json"].retired_at is None
    assert retire(ingested) is None
    assert ingested.order_ids() == [0, 2, 3, 4, 5, 7]


def test_what_an_open_run_names_stays_until_it_has_ended(ingested: Workshop) -> None:
    let_days_pass(ingested, 91)
    runs = [
        dg.DagsterRun(
            job_name="held",
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags={RANGE_START_TAG: "b.json", RANGE_END_TAG: "d.json"},
        ),
        dg.DagsterRun(
            job_name="held", status=dg.DagsterRunStatus.STARTED, tags={PARTITION_TAG: "f.json"}
        ),
    ]
    for run in runs:
        ingested.instance.add_run(run)
    retire(ingested)
    assert live(ingested) == ["b.json", "c.json", "d.json", "f.json"]
    for run in runs:
        ingested.instance.report_run_canceled(run)
    retire(ingested)
    assert live(ingested) == []


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")
def test_what_an_open_backfill_names_stays_until_it_has_ended(ingested: Workshop) -> None:
    let_days_pass(ingested, 91)
    asset = build_asset(ingested.ingestion(), lambda: ingested.deployment)
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id="asked",
        asset_graph=AssetGraph.from_assets([asset]),
        partition_names=["a.json", "e.json"],
        asset_selection=[ASSET],
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=ingested.instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    ingested.instance.add_backfill(backfill)
    retire(ingested)
    assert live(ingested) == ["a.json", "e.json"]
    done = backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS)
    ingested.instance.update_backfill(done)
    retire(ingested)
    assert live(ingested) == []


def test_a_file_that_a_batch_is_planned_for_stays(ingested: Workshop) -> None:
    let_days_pass(ingested, 91)
    with ingested.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE ingest.files SET batch_id = committed_batch_id WHERE key = 'c.json'"
        )
    retire(ingested)
    assert live(ingested) == ["c.json"]


class _OverAfterTheFirstLook(Deadline):
    def __init__(self) -> None:
        self._looks = itertools.count()

    @property
    def is_over(self) -> bool:
        return next(self._looks) > 0


def test_one_by_one_the_deadline_ends_it_and_the_next_time_goes_on(ingested: Workshop) -> None:
    let_days_pass(ingested, 91)
    declared, deadline = ingested.ingestion(), _OverAfterTheFirstLook()
    retire_partitions(ingested.deployment, declared, ingested.instance, deadline)
    assert live(ingested) == KEYS[1:]
    assert [key for key, row in ingested.files().items() if row.retired_at] == KEYS[:1]
    retire(ingested)
    assert live(ingested) == []


def test_a_crash_after_dagster_and_before_the_ledger_is_made_good(
    in_bulk: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_days_pass(in_bulk, 91, ["a.json", "b.json"])
    with monkeypatch.context() as crash:
        crash.setattr("ingest_assets.ledger.window.retire", _crash)
        with pytest.raises(RuntimeError, match="power cut"):
            retire(in_bulk)
    assert in_bulk.files()["a.json"].retired_at is None
    assert retire(in_bulk) == "2 partitions left the window of live ones"
    assert live(in_bulk) == KEYS[2:]
    assert in_bulk.files()["a.json"].retired_at is not None


def _crash(*_: object) -> None:
    raise RuntimeError("power cut")


def test_old_attempts_are_archived_and_still_found_beside_the_new(ingested: Workshop) -> None:
    for number in (7, 8):
        ingested.put("b.json", line(number))
        ingested.ingest()
    let_days_pass(ingested, 91)
    deadline = Deadline(timedelta(seconds=60))
    said = archive_attempts(ingested.deployment, ingested.ingestion(), ingested.instance, deadline)
    assert said == "2 attempts went to the archive"
    with ingested.deployment.ledger.transaction() as connection:
        found = archive.attempts_of(connection, "orders", ["b.json"])
    assert [attempt.is_archived for attempt in found] == [True, True, False]
    assert [attempt.outcome for attempt in found] == ["SUCCESS"] * 3
    assert len({attempt.etag for attempt in found}) == 3
    assert (
        archive_attempts(ingested.deployment, ingested.ingestion(), ingested.instance, deadline)
        is None
    )
