"""The job that has files read again: the plan first, then the same as the command line does."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from ingest_assets.orchestration.replay_job import REPLAY_JOB, REPLAY_OP, build_replay_job
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop, attributes, declare

Launch = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def workshop(
    tmp_path: Path, fresh_database: str, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    """A dead letter and a good file."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    made = Workshop(tmp_path / "home", fresh_database, s3, bucket)
    declare(made.deployment.settings.defs, attributes(bucket))
    made.put("bad.jsonl.gz", cut_gzip(orders(100, 400)))
    made.put("good.jsonl", json_lines(orders(1)))
    made.ingest()
    yield made
    made.close()


@pytest.fixture
def launch(workshop: Workshop) -> Launch:
    """Each call runs the job with such a config."""

    def run(**config: Any) -> dg.ExecuteInProcessResult:
        job = build_replay_job(lambda: workshop.deployment)
        wanted = {"ops": {REPLAY_OP: {"config": {"ingestion": "orders", **config}}}}
        return job.execute_in_process(wanted, workshop.instance, raise_on_error=False)

    return run


def outcome_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = [event for event in result.all_events if event.is_successful_output]
    return {name: value.value for name, value in event.step_output_data.metadata.items()}


def test_the_plan_comes_first_and_then_the_files_come_back(
    workshop: Workshop, launch: Launch
) -> None:
    result = launch(statuses=["DEAD_LETTER"], key="*.gz")
    assert result.success
    shown = outcome_of(result)
    assert shown["files"] == 1
    assert "- 1 file DEAD_LETTER" in shown["plan"]
    assert shown["outcome"].endswith("launch this again with plan_only: false.")
    assert workshop.statuses()["bad.jsonl.gz"] == "DEAD_LETTER"

    done = launch(statuses=["DEAD_LETTER"], key="*.gz", plan_only=False, note="mended")
    assert outcome_of(done)["outcome"].startswith("Done: 1 file of orders DISCOVERED.")
    assert workshop.statuses() == {"bad.jsonl.gz": "DISCOVERED", "good.jsonl": "SUCCESS"}
    with workshop.deployment.ledger.transaction() as connection:
        found = text("SELECT actor, detail->>'note' FROM ingest.audit WHERE action = 'replay'")
        assert connection.execute(found).all() == [(f"Dagster run {done.run_id}", "mended")]


def test_what_is_refused_fails_the_run_with_the_reason(launch: Launch) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "Which files?"),
        ({"statuses": ["PROCESSING"]}, "statuses has PROCESSING; files are read again that are"),
        ({"older_than": "soon"}, "'soon' is no age"),
        ({"ingestion": "oders", "all_files": True}, "No ingestion is called 'oders'"),
    ]
    for config, said in refused:
        result = launch(**config)
        assert not result.success
        [event] = [event for event in result.all_events if event.is_step_failure]
        failure = event.step_failure_data.user_failure_data
        assert failure is not None
        assert said in str(failure.description)


def test_the_code_location_has_the_job_and_explains_each_field() -> None:
    job = build_replay_job()
    assert job.name == REPLAY_JOB == "replay_files"
    schema: Any = job.get_node_named(REPLAY_OP).definition.config_schema
    fields = schema.config_type.fields
    assert [name for name, field in fields.items() if not field.description] == []
    assert fields["plan_only"].default_value is True
