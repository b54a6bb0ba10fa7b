"""The job that decides about a schema change, launched with the config that the check shows."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest
import yaml

from ingest_assets.deployment import Deployment
from ingest_assets.ledger import registry
from ingest_assets.ledger.reports import FileReport
from ingest_assets.orchestration.check_reporting import check_evaluations
from ingest_assets.orchestration.jobs import RESOLVE_JOB, build_resolve_job, resolve_config
from ingest_assets.orchestration.names import SCHEMA_COMPATIBLE
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop, attributes, declare

Launch = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def workshop(
    tmp_path: Path, fresh_database: str, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    """Two orders in the table, and two parked files whose amount is an object."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    made = Workshop(tmp_path / "home", fresh_database, s3, bucket)
    declare(made.deployment.settings.defs, attributes(bucket))
    made.put("a.jsonl", json_lines(orders(1, 2)))
    made.ingest()
    for first_id, key in ((3, "b.jsonl"), (5, "c.jsonl")):
        made.put(key, json_lines(orders(first_id, 2, amount={"value": first_id})))
    made.ingest()
    assert made.statuses() == {"a.jsonl": "SUCCESS", "b.jsonl": "PARKED", "c.jsonl": "PARKED"}
    yield made
    made.close()


@pytest.fixture
def launch(workshop: Workshop) -> Launch:
    """Each call runs the job; `changes` are made to the config that the check shows.

    Unless they say otherwise, it carries the decision out.
    """

    def run(**changes: Any) -> dg.ExecuteInProcessResult:
        config = yaml.safe_load(config_shown(workshop))
        config["ops"]["resolve"]["config"].update({"plan_only": False} | changes)
        job = build_resolve_job(lambda: workshop.deployment)
        return job.execute_in_process(config, workshop.instance, raise_on_error=False)

    return run


def parked_check(workshop: Workshop, key: str = "b.jsonl") -> dg.AssetCheckEvaluation:
    """The newest evaluation of `schema_compatible` that Dagster has of a file."""
    newest = next(
        execution
        for execution in workshop.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(["raw", "orders"]), SCHEMA_COMPATIBLE), limit=100
        )
        if execution.partition == key
    )
    assert newest.event is not None
    assert newest.event.dagster_event is not None
    return newest.event.dagster_event.asset_check_evaluation_data


def markdown_shown(workshop: Workshop) -> str:
    return str(parked_check(workshop).metadata["decide_in_launchpad"].value)


def config_shown(workshop: Workshop) -> str:
    """The YAML that a person copies."""
    found = re.search(r"```yaml\n(.*?)```", markdown_shown(workshop), re.DOTALL)
    assert found is not None
    return found[1]


def failure_of(result: dg.ExecuteInProcessResult) -> Any:
    [event] = [e for e in result.all_events if e.is_step_failure]
    return event.step_failure_data


def outcome_of(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """The metadata of the op's output, as text."""
    [event] = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    return {name: str(v.value) for name, v in event.step_output_data.metadata.items()}


def version(workshop: Workshop, number: int = 2) -> registry.VersionRow:
    with workshop.deployment.ledger.transaction() as connection:
        return registry.version(connection, "orders", number)


def test_the_check_of_a_parked_file_shows_what_differs_with_samples(workshop: Workshop) -> None:
    check = parked_check(workshop)
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    table = check.metadata["differences"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [column.name for column in table.schema.columns] == [
        "difference",
        "column",
        "before",
        "after",
        "samples",
    ]
    assert [record.data for record in table.records] == [
        {
            "difference": "type changed",
            "column": "amount",
            "before": "double",
            "after": "struct<value: long>",
            "samples": '{"value": 3}',
        }
    ]
    assert check.metadata["schema_version"].value == 2
    command = check.metadata["decide_on_command_line"].value
    assert command == "ingest-assets schema resolve orders 2"


def test_columns_that_come_and_go_say_on_which_side_they_lack(workshop: Workshop) -> None:
    workshop.put("b.jsonl", json_lines(orders(3, 1, amount={"value": 3})))
    file = workshop.ingest().files["b.jsonl"]
    change = {"before": None, "after": None, "is_breaking": False, "renamed_to": None}
    changes = [
        {**change, "kind": "missing", "path": "id", "before": "long", "is_breaking": True},
        {**change, "kind": "missing", "path": "note", "before": "string"},
        {**change, "kind": "added", "path": "key", "after": "long"},
        {**change, "kind": "renamed", "path": "id", "before": "long", "renamed_to": "key"},
        *({**change, "kind": "added", "path": f"c{i}", "after": "long"} for i in range(60)),
    ]
    samples = {"key": ['{"a":"1,2:3","b":[1,2]}', "a,b"]}
    detail = {"differences": {"changes": changes}, "samples": samples}
    rows = differences_of(workshop, replace(file, detail=detail))
    assert [(row["before"], row["after"]) for row in rows[:4]] == [
        ("long, required", "not in the file"),
        ("string, optional", "not in the file"),
        ("not in the table", "long"),
        ("long", "perhaps key"),
    ]
    assert rows[2]["samples"] == '{"a": "1,2:3", "b": [1, 2]} · a,b'
    assert (len(rows), rows[-1]["column"]) == (51, "and 14 more")


def differences_of(workshop: Workshop, file: FileReport) -> list[Any]:
    evaluations = check_evaluations(workshop.ingestion(), [file])
    table = evaluations[0].metadata["differences"]
    assert isinstance(table, dg.TableMetadataValue)
    return [record.data for record in table.records]


def test_the_check_links_to_a_launchpad_with_the_config_it_shows(workshop: Workshop) -> None:
    link = re.search(r"\]\((/\S+)\)", markdown_shown(workshop))
    assert link is not None
    address = urlsplit(link[1])
    assert address.path == f"/locations/ingest_assets/jobs/{RESOLVE_JOB}/playground/setup"
    assert parse_qs(address.query) == {"config": [config_shown(workshop)]}


def test_the_config_of_the_check_resolves_the_change_once_it_is_more_than_a_plan(
    workshop: Workshop, launch: Launch
) -> None:
    result = launch()
    assert result.success
    found = version(workshop)
    assert (found.status, found.resolution, found.note) == ("ACTIVE", "merge", "")
    assert found.resolved_by == f"Dagster run {result.run_id}"
    assert set(workshop.statuses().values()) == {"SUCCESS", "DISCOVERED"}
    workshop.ingest()
    assert set(workshop.statuses().values()) == {"SUCCESS"}
    assert [row["amount"] for row in workshop.rows()] == [
        "1.5",
        "2.5",
        *['{"value":3}'] * 2,
        *['{"value":5}'] * 2,
    ]
    assert parked_check(workshop).passed


def test_who_decides_and_why_stay_with_the_version(workshop: Workshop, launch: Launch) -> None:
    result = launch(by="Ada", note="a mistake", resolution="reject")
    assert result.success
    found = version(workshop)
    assert (found.status, found.resolved_by, found.note) == ("REJECTED", "Ada", "a mistake")
    assert workshop.statuses() == {
        "a.jsonl": "SUCCESS",
        "b.jsonl": "REJECTED",
        "c.jsonl": "REJECTED",
    }
    said = outcome_of(result)["outcome"]
    assert said == "Done: reject of version 2 of orders. REJECTED: 2 parked files."


def test_the_check_of_a_rejected_file_says_so_after_the_next_tick_or_pass(
    workshop: Workshop, launch: Launch
) -> None:
    differences = parked_check(workshop).metadata["differences"]
    launch(by="Ada", note="a mistake", resolution="reject")
    workshop.ingest()
    check = parked_check(workshop)
    assert not check.passed
    assert str(check.description).startswith("Schema version 2 was rejected")
    assert str(check.description).endswith("Rejected by Ada: a mistake")
    assert check.metadata["differences"] == differences
    assert "decide_in_launchpad" not in check.metadata
    materialized = workshop.instance.get_materialized_partitions(dg.AssetKey(["raw", "orders"]))
    assert materialized == {"a.jsonl"}


def test_the_run_has_the_plan_and_the_outcome_and_is_tagged(
    workshop: Workshop, launch: Launch
) -> None:
    result = launch()
    shown = outcome_of(result)
    assert set(shown) == {"plan", "outcome"}
    assert shown["plan"].startswith("merge of schema version 2 for orders (raw.orders)\n")
    assert "```sql\nALTER TABLE raw.orders DROP COLUMN amount\n" in shown["plan"]
    assert "To be read again: 2 parked files of 4 records" in shown["plan"]
    assert shown["outcome"].startswith("Done: merge of version 2 of orders. To be read again: 2 ")
    run = workshop.instance.get_run_by_id(result.run_id)
    assert run is not None
    wanted = {
        "ingest/ingestion": "orders",
        "ingest/lane": "orders",
        "ingest/schema_version": "2",
        "ingest/resolution": "merge",
    }
    assert wanted.items() <= run.tags.items()


def test_the_config_as_the_check_shows_it_shows_the_plan_and_changes_nothing(
    workshop: Workshop,
) -> None:
    before = (version(workshop), workshop.statuses(), workshop.rows())
    job = build_resolve_job(lambda: workshop.deployment)
    config = yaml.safe_load(config_shown(workshop))
    result = job.execute_in_process(config, workshop.instance)
    assert result.success
    shown = outcome_of(result)
    assert shown["outcome"].endswith("launch this again with plan_only: false.")
    assert "ADD COLUMN amount STRING" in shown["plan"]
    assert (version(workshop), workshop.statuses(), workshop.rows()) == before


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"resolution": "accept"}, "no double is a struct<value: long>. Nothing was changed."),
    ({"resolution": "backfill"}, "Version 2 adds no column, so there is nothing to backfill."),
    ({"version": 1}, "Version 1 of orders is ACTIVE; only a PENDING version waits"),
    ({"version": 9}, "orders has no schema version 9"),
    ({"ingestion": "oders"}, "No ingestion is called 'oders'"),
    ({"defaults": {"a": 1}, "expressions": {"a": "1"}}, "a has a value in defaults and in"),
    ({"defaults": {"a": 1}}, "Values for existing rows go with backfill alone."),
]


def test_a_refused_decision_fails_the_run_with_the_reason(
    workshop: Workshop, launch: Launch
) -> None:
    for changes, said in REFUSALS:
        result = launch(**changes)
        assert not result.success
        failure = failure_of(result)
        assert said in str(failure.user_failure_data.description)
        assert failure.error.cause is None
    assert version(workshop).status == "PENDING"
    assert workshop.statuses()["b.jsonl"] == "PARKED"


def test_a_second_decision_is_refused_and_names_the_first(
    workshop: Workshop, launch: Launch
) -> None:
    assert launch(by="Ada").success
    again = launch(by="Bilal")
    failure = failure_of(again).user_failure_data
    assert failure is not None
    assert "Version 2 of orders is ACTIVE (merge by Ada)" in str(failure.description)


def test_a_backfill_takes_values_and_expressions(workshop: Workshop) -> None:
    rows = orders(9, 1, channel="web", source="shop")
    [row] = rows
    del row["customer"]
    workshop.put("d.jsonl", json_lines(rows))
    workshop.ingest()
    assert workshop.files()["d.jsonl"].schema_version == 3
    config: Any = resolve_config("orders", 3)
    config["ops"]["resolve"]["config"] |= {
        "resolution": "backfill",
        "defaults": {"channel": "unknown"},
        "expressions": {"source": "customer || '?'"},
        "plan_only": False,
    }
    job = build_resolve_job(lambda: workshop.deployment)
    assert job.execute_in_process(config, workshop.instance).success
    workshop.ingest()
    assert [(row["channel"], row["source"]) for row in workshop.rows()] == [
        ("unknown", "customer 1?"),
        ("unknown", "customer 2?"),
        ("web", "shop"),
    ]


def test_every_field_of_the_config_is_explained(workshop: Workshop) -> None:
    job = build_resolve_job(lambda: workshop.deployment)
    schema = job.get_node_named("resolve").definition.config_schema.config_type  # type: ignore[union-attr]
    fields = schema.fields  # type: ignore[attr-defined]
    assert [name for name, field in fields.items() if not field.description] == []
    choices = {value.config_value for value in fields["resolution"].config_type.enum_values}
    assert choices == {"accept", "merge", "ignore", "backfill", "new_table", "reject"}


def test_a_service_out_of_reach_fails_the_run_with_its_message(workshop: Workshop) -> None:
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:9/nothing"
    unreachable = Deployment(replace(workshop.deployment.settings, postgres_url=nowhere))
    job = build_resolve_job(lambda: unreachable)
    config: Any = resolve_config("orders", 2)
    result = job.execute_in_process(config, workshop.instance, raise_on_error=False)
    failure = failure_of(result).user_failure_data
    assert failure is not None
    assert "127.0.0.1" in str(failure.description)
