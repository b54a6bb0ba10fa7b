"""Texts by templates are the very texts that Dagster itself writes."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.definitions.dependency import NodeHandle
from dagster._core.events import StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.handle import StepHandle
from dagster._serdes import serialize_value

from ingest_assets.orchestration import event_texts
from ingest_assets.orchestration.event_texts import EventTexts

KEY = dg.AssetKey(["raw", "orders"])
METADATA: list[dict[str, Any]] = [
    {},
    {"rows": 1, "seconds": 0.25, "etag": "a"},
    {"rows": 2, "seconds": float("nan"), "etag": '"\x01" é 9202611220079'},
    {"rows": None, "detected": {"format": "csv", "delimiter": ","}, "ok": True},
    {"etag": "a", "rows": 1},
    {"rows": "1", "etag": 5},
    {"columns": dg.TableSchema([dg.TableColumn("a", "string")])},
    {"9202611220079": 1, "\x01": "\x01"},
]


def _entry(data: Any, number: int = 0, message: str = "said") -> EventLogEntry:
    is_check = isinstance(data, dg.AssetCheckEvaluation)
    kind = "ASSET_CHECK_EVALUATION" if is_check else "ASSET_MATERIALIZATION"
    event = dg.DagsterEvent(
        event_type_value=kind,
        job_name="job",
        step_handle=StepHandle(NodeHandle("report", None), "report"),
        node_handle=NodeHandle("report", None),
        step_kind_value="COMPUTE",
        logging_tags={"run_id": "r"},
        event_specific_data=data,
        message=message,
        pid=5,
    )
    return EventLogEntry(
        error_info=None,
        level=10,
        user_message=message,
        run_id="r",
        timestamp=1_800_000_000.125 + number,
        step_key="report",
        job_name="job",
        dagster_event=event,
    )


def _materialized(partition: str | None, metadata: dict[str, Any], **more: Any) -> Any:
    told = dg.AssetMaterialization(KEY, partition=partition, metadata=metadata, **more)
    return StepMaterializationData(told)


def _evaluated(partition: str | None, metadata: dict[str, Any], **more: Any) -> Any:
    target = AssetCheckEvaluationTargetMaterializationData(
        storage_id=len(metadata), run_id="r", timestamp=1.5
    )
    told = {"passed": True, "target_materialization_data": target} | more
    return dg.AssetCheckEvaluation(
        asset_key=KEY, check_name="rows_parsed", metadata=metadata, partition=partition, **told
    )


EVENTS = [
    _entry(make(partition, metadata, **more), number)
    for make, others in (
        (_materialized, ({}, {"description": "d"}, {"tags": {"a": "b"}})),
        (
            _evaluated,
            (
                {},
                {"passed": False, "severity": dg.AssetCheckSeverity.WARN, "description": "why"},
                {"target_materialization_data": None},
            ),
        ),
    )
    for more in others
    for number, metadata in enumerate([*METADATA, *METADATA])
    for partition in ("a.csv", "\x01", 'é"/b', None)
]


def test_each_event_has_the_text_that_dagster_gives_it() -> None:
    texts = EventTexts()
    for event in EVENTS:
        assert texts.text(event) == serialize_value(event)


def test_events_of_one_kind_are_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = []
    monkeypatch.setattr(
        event_texts, "serialize_value", lambda value: packed.append(value) or serialize_value(value)
    )
    texts = EventTexts()
    for number in range(50):
        texts.text(_entry(_materialized(f"{number}.csv", {"rows": number}), number))
    assert sum(isinstance(value, EventLogEntry) for value in packed) == 2


def test_messages_of_their_own_make_no_endless_templates() -> None:
    texts = EventTexts()
    for number in range(100):
        event = _entry(_materialized("a.csv", {"rows": 1}), message=f"said {number}")
        assert texts.text(event) == serialize_value(event)
    assert len(texts._templates) == event_texts._KINDS_AT_MOST
