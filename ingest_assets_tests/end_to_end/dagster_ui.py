"""Dagster as its UI sees it: GraphQL over HTTP, on one code location."""

import json
import urllib.request
from collections.abc import Sequence
from typing import Any

REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "ingest_assets"}

_PARTITIONS = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetPartitionStatuses { ... on DefaultPartitionStatuses {
    materializedPartitions failedPartitions unmaterializedPartitions materializingPartitions } }
} } }"""
_CHECKS = """
query($key: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $name, limit: 200) {
    status partition evaluation { success severity description metadataEntries { label
      ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr }
      ... on TableMetadataEntry { table { records } } } } } }"""
_MATERIALIZATIONS = """
query($key: AssetKeyInput!, $partitions: [String!]) { assetOrError(assetKey: $key) { ... on Asset {
  assetMaterializations(partitions: $partitions) { partition runId metadataEntries { label
    ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue }
    ... on TextMetadataEntry { text } } } } } }"""
_RUNS = """
query($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
  id status startTime endTime tags { key value } } } } }"""
_SENSOR = """
query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { id status ticks(limit: 20) {
    status skipReason runIds timestamp error { message } } } } } }"""
_START = """
mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { __typename } }"""
_START_SCHEDULE = """
mutation($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) {
  __typename } }"""
_STOP = "mutation($id: String!) { stopSensor(id: $id) { __typename } }"
_BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_BACKFILL_STATUS = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status } } }"""
_LAUNCH = """
mutation($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { id } } ... on PythonError { message } } }"""
_FAILURES = """
query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { __typename
  ... on ExecutionStepFailureEvent { stepKey failureMetadata { description } } } } } }"""
_TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"


class DagsterUI:
    """The questions and clicks of a person, for the asset `[raw, <name>]` of each ingestion."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, **variables: Any) -> Any:
        """The `data` of the answer, which has no errors."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def partitions(self, name: str) -> dict[str, set[str]]:
        """The keys that are green, red, grey, and running."""
        node = self.ask(_PARTITIONS, key=_key(name))["assetNodeOrError"]
        found = node["assetPartitionStatuses"]
        return {
            "green": set(found["materializedPartitions"]),
            "red": set(found["failedPartitions"]),
            "grey": set(found["unmaterializedPartitions"]),
            "running": set(found["materializingPartitions"]),
        }

    def checks(self, name: str, check: str) -> dict[str, dict[str, Any]]:
        """The newest execution of the check for each partition."""
        found = self.ask(_CHECKS, key=_key(name), name=check)["assetCheckExecutions"]
        return {execution["partition"]: execution for execution in reversed(found)}

    def materializations(self, name: str, partition: str) -> list[dict[str, Any]]:
        """The metadata of the partition's materializations, newest first."""
        asset = self.ask(_MATERIALIZATIONS, key=_key(name), partitions=[partition])["assetOrError"]
        return [
            {
                entry["label"]: entry.get("intValue", entry.get("floatValue", entry.get("text")))
                for entry in found["metadataEntries"]
            }
            for found in asset["assetMaterializations"]
        ]

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """The runs, newest first, each with its tags as a mapping."""
        found = self.ask(_RUNS, filter=filters)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def sensor(self, name: str) -> dict[str, Any]:
        """Whether the ingestion's sensor is on, and its newest ticks."""
        selector = {**REPOSITORY, "sensorName": f"{name}_sensor"}
        state: dict[str, Any] = self.ask(_SENSOR, selector=selector)["sensorOrError"]["sensorState"]
        return state

    def start_sensor(self, name: str) -> None:
        """The sensor is on."""
        selector = {**REPOSITORY, "sensorName": f"{name}_sensor"}
        self.ask(_START, selector=selector)
        assert self.sensor(name)["status"] == "RUNNING"

    def start_schedule(self, name: str) -> None:
        """The ingestion's schedule is on."""
        selector = {**REPOSITORY, "scheduleName": f"{name}_schedule"}
        found = self.ask(_START_SCHEDULE, selector=selector)["startSchedule"]
        assert found["__typename"] == "ScheduleStateResult"

    def stop_sensor(self, name: str) -> None:
        """The sensor is off."""
        self.ask(_STOP, id=self.sensor(name)["id"])
        assert self.sensor(name)["status"] == "STOPPED"

    def backfill(self, name: str, keys: Sequence[str]) -> str:
        """The id of a backfill over the partitions."""
        params = {"assetSelection": [_key(name)], "partitionNames": list(keys)}
        answer = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def backfill_status(self, backfill_id: str) -> str:
        """How far it is."""
        answer = self.ask(_BACKFILL_STATUS, id=backfill_id)
        return str(answer["partitionBackfillOrError"]["status"])

    def materialize(self, name: str, key: str) -> str:
        """The id of a run that the UI's button "Materialize" asks for, on one partition."""
        params = {
            "selector": {
                **REPOSITORY,
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [_key(name)],
                "assetCheckSelection": None,
            },
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": key}]},
        }
        answer = self.ask(_LAUNCH, params=params)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["id"])

    def launch(self, job: str, run_config: str) -> str:
        """The id of a run that the launchpad's button asks for, with the YAML that stands in it."""
        selector = {**REPOSITORY, "pipelineName": job}
        params = {"selector": selector, "mode": "default", "runConfigData": run_config}
        answer = self.ask(_LAUNCH, params=params)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["id"])

    def failures(self, run_id: str) -> list[str]:
        """The messages of the run's failed steps."""
        events = self.ask(_FAILURES, id=run_id)["logsForRun"]["events"]
        return [
            event["failureMetadata"]["description"]
            for event in events
            if event.get("stepKey") and event["__typename"] == "ExecutionStepFailureEvent"
        ]

    def cancel(self, run_id: str) -> None:
        """The run is asked to end."""
        answer = self.ask(_TERMINATE, id=run_id)["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer


def _key(name: str) -> dict[str, list[str]]:
    return {"path": ["raw", name]}
