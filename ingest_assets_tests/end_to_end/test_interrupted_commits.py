"""A batch that is stopped around its commit: its data files are neither lost nor doubled."""

import pytest

from ingest_assets.engine import steps
from ingest_assets.engine.steps import Step
from ingest_assets.errors import IngestError, TableChangedError
from ingest_assets.orchestration import one_pass
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

LINES = json_lines(orders(1, 20)) + b"not json\n"


@pytest.fixture(autouse=True)
def _own_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_watchers", [])


def raise_at(step: Step, error: BaseException) -> None:
    """The first batch that reaches the step meets the error there."""

    def watcher(reached: Step, _batch_id: str) -> None:
        if reached == step:
            steps._watchers.clear()
            raise error

    steps.watch(watcher)


def assert_all_is_well(workshop: Workshop) -> None:
    assert workshop.order_ids() == list(range(1, 21))
    assert [row["raw"] for row in workshop.rows("raw.orders__rejected")] == ["not json"]
    assert workshop.statuses() == {"a.jsonl": "SUCCESS"}
    assert workshop.partitions() == {"a.jsonl"}


@pytest.mark.parametrize("step", [Step.LEASE_CHECKED, Step.COMMITTED])
def test_a_fault_around_the_commit_leaves_the_decision_to_recovery(
    workshop: Workshop, step: Step
) -> None:
    workshop.put("a.jsonl", LINES)
    raise_at(step, ValueError("a fault of our own"))
    workshop.ingest()
    assert_all_is_well(workshop)


def test_a_fault_around_every_commit_ends_the_pass(workshop: Workshop) -> None:
    workshop.put("a.jsonl", LINES)
    met = []

    def watcher(reached: Step, batch_id: str) -> None:
        if reached == Step.LEASE_CHECKED:
            met.append(batch_id)
            raise ValueError("a fault of our own")

    steps.watch(watcher)
    with pytest.raises(IngestError, match=r"was not done: .*a fault of our own"):
        workshop.ingest()
    assert len(met) == one_pass.GIVEN_BACK_AT_MOST + 1
    steps._watchers.clear()
    workshop.ingest()
    assert_all_is_well(workshop)


@pytest.mark.parametrize("step", [Step.MARKED, Step.REPORTED])
def test_a_fault_after_the_batch_is_marked_takes_nothing_back(
    workshop: Workshop, step: Step
) -> None:
    workshop.put("a.jsonl", LINES)
    raise_at(step, ValueError("a fault of our own"))
    workshop.ingest()
    assert_all_is_well(workshop)
    workshop.ingest()
    assert_all_is_well(workshop)


@pytest.mark.parametrize("step", [Step.CLAIMED, Step.STAGED, Step.LEASE_CHECKED, Step.COMMITTED])
def test_ctrl_c_around_the_commit_leaves_the_decision_to_recovery(
    workshop: Workshop, step: Step
) -> None:
    workshop.put("a.jsonl", LINES)
    raise_at(step, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        workshop.ingest()
    workshop.let_leases_run_out()
    workshop.ingest()
    assert_all_is_well(workshop)


def test_rejected_rows_that_are_committed_outlive_a_conflict_of_the_main_table(
    workshop: Workshop,
) -> None:
    workshop.put("a.jsonl", LINES)

    def conflict(reached: Step, _batch_id: str) -> None:
        if reached == Step.TABLE_LOADED and workshop.rows("raw.orders__rejected"):
            steps._watchers.clear()
            raise TableChangedError("the table was changed while the batch was read")

    steps.watch(conflict)
    workshop.ingest()
    assert_all_is_well(workshop)
