"""Declarations: what is accepted, and every problem of every file named with its field."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from pydantic import BaseModel

from ingest_assets.declaration.declarations import load_declarations, read_declarations
from ingest_assets.declaration.quality import KINDS, QualityRule
from ingest_assets.declaration.schedule import Schedule
from ingest_assets.deployment import Deployment
from ingest_assets.errors import (
    ConnectionsFileError,
    DeclarationError,
    UnknownIngestionError,
)
from ingest_assets.files.connections import Connection, load_connections
from ingest_assets.ingestion import Ingestion, problems_of
from ingest_assets.settings import Settings

EVERY_FIELD = """
type: ingest_assets.components.S3ToIceberg
attributes:
  name: orders
  description: null
  owners: []
  source:
    uri: s3://landing/orders/
    connection: default
    pattern: "**/*"
    discovery: {mode: listing, interval_seconds: 30, queue_url: null, listing_hours: 6}
    start: {include_existing: true, modified_after: null}
    settle_seconds: 0
    on_changed_file: replace
    max_file_bytes: 5368709120
    after_success: {action: keep, after_days: 0, to: null}
  format: {type: json, options: {}}
  max_rejected_ratio: 0.1
  schema:
    columns: null
    on_new_column: merge
    on_missing_column: review
    on_type_change: review
    optional_columns: []
  table:
    identifier: raw.orders
    write_mode: append
    primary_key: []
    order_by: null
    delete_when: null
    overwrite_scope: table
    overwrite_by: file
    partition_by: []
    sort_by: []
    properties: {}
  transform: null
  quality: []
  batch: {max_files: 1000, max_bytes: 1073741824, max_concurrent_runs: 1}
  engine: local
  schedule: null
  maintenance:
    schedule: null
    target_file_bytes: 134217728
    min_files: 5
    keep_snapshots: 10
    snapshot_age: 5d
    orphan_age: 3d
  retries: {attempts: 3, backoff_minutes: [1, 5, 15]}
  dead_letter: {uri: null, connection: default}
  retain_partitions_days: 90
  max_live_partitions: 50000
  alerts: []
"""
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/landing"
REQUIRED: dict[str, Any] = {
    "name": "orders",
    "source": {"uri": "s3://landing/orders/"},
    "format": {"type": "json"},
    "table": {"identifier": "raw.orders"},
}


def _with(path: str, value: Any) -> dict[str, Any]:
    """The required fields, and one more."""
    attributes = copy.deepcopy(REQUIRED)
    *parents, last = path.split(".")
    place = attributes
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    return attributes


def _without(path: str) -> dict[str, Any]:
    attributes = copy.deepcopy(REQUIRED)
    *parents, last = path.split(".")
    place = attributes
    for parent in parents:
        place = place[parent]
    del place[last]
    return attributes


def _problems(attributes: dict[str, Any]) -> list[str]:
    ingestion, problems = problems_of("orders/defs.yaml", attributes)
    assert (ingestion is None) == bool(problems)
    assert all(len(problem.splitlines()) == 1 for problem in problems)
    return problems


def _declared(folder: Path, name: str, attributes: object) -> Path:
    path = folder / name / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"type": "ingest_assets.components.S3ToIceberg", "attributes": attributes}
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def _leaves(model: BaseModel, path: str = "") -> Iterator[str]:
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        field = f"{path}{info.alias or name}"
        yield from _leaves(value, f"{field}.") if isinstance(value, BaseModel) else [field]


def test_every_field_may_be_written_with_its_default(tmp_path: Path) -> None:
    (tmp_path / "defs.yaml").write_text(EVERY_FIELD)
    (declaration,) = load_declarations(tmp_path)
    assert declaration.ingestion == Ingestion.model_validate(REQUIRED)


def test_no_field_is_missing_from_what_is_documented() -> None:
    written = yaml.safe_load(EVERY_FIELD)["attributes"]

    def paths(value: dict[str, Any], path: str = "") -> Iterator[str]:
        for name, part in value.items():
            field = f"{path}{name}"
            yield from (paths(part, f"{field}.") if isinstance(part, dict) and part else [field])

    assert set(_leaves(Ingestion.model_validate(REQUIRED))) == set(paths(written))


def _column(name: str, type_: str = "long", **more: object) -> dict[str, object]:
    return {"name": name, "type": type_, **more}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", "Orders as the shop exports them, one file an hour."),
        ("owners", ["team:shop", "ada@example.com"]),
        ("source.uri", "s3://bucket"),
        ("source.uri", "gs://bucket/a b/"),
        ("source.uri", "az://container/x"),
        ("source.uri", "file:///srv/landing/"),
        ("source.pattern", "2026/**/*.{json,jsonl}"),
        ("source.discovery.interval_seconds", 5),
        ("source.discovery", {"mode": "notifications", "queue_url": QUEUE}),
        ("source.discovery", {"mode": "both", "queue_url": QUEUE, "listing_hours": 0.5}),
        ("source.discovery", {"mode": "both", "queue_url": "http://127.0.0.1:9324/1/landing"}),
        ("source.start", {"include_existing": False, "modified_after": "2026-01-31T00:00:00Z"}),
        ("source.max_file_bytes", 1),
        ("maintenance", {"schedule": {"cron": "30 3 * * *"}, "min_files": 2}),
        ("maintenance.orphan_age", "1d"),
        ("maintenance.snapshot_age", "0s"),
        ("format", {"type": "parquet"}),
        ("max_rejected_ratio", 0),
        ("max_rejected_ratio", 1),
        ("table.partition_by", ["day(at)", "bucket(16, id)", "truncate(4, sku)", "region"]),
        ("table.sort_by", ["customer_id", "ordered_at desc"]),
        ("schema.columns", [{"name": "order_id", "type": "long", "required": True}]),
        ("schema.columns", [{"name": "a", "type": "struct<b: list<decimal(10,2)>>"}]),
        ("schema.columns", [{"name": "a", "type": "date", "description": "When it was sold."}]),
        ("schema.columns", []),
        ("schema.on_new_column", "review"),
        ("schema.on_new_column", "rescue"),
        ("schema.on_new_column", "ignore"),
        ("schema.on_missing_column", "allow"),
        ("schema.on_type_change", "rescue"),
        ("schema.optional_columns", ["note", "that_may_come_later"]),
        ("table.properties", {"write.target-file-size-bytes": "134217728"}),
        ("table.identifier", "lake.raw.orders_2"),
        ("batch", {"max_files": 1, "max_bytes": 1, "max_concurrent_runs": 2}),
        ("schedule", {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}),
        ("schedule", {"cron": "*/15 8-18,20 1 JAN-mar mon"}),
        ("retries", {"attempts": 1, "backoff_minutes": [0.5]}),
    ],
)
def test_what_works_today_is_accepted(field: str, value: object) -> None:
    assert _problems(_with(field, value)) == []


def test_the_engine_is_one_that_there_is() -> None:
    assert _problems(_with("engine", "spark")) == []
    (problem,) = _problems(_with("engine", {"spark": {}}))
    assert problem.startswith("orders/defs.yaml: attributes.engine: ")


def test_spark_is_refused_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    (problem,) = _problems(_with("engine", "spark"))
    assert problem.startswith("orders/defs.yaml: attributes.engine: ")
    assert "ingest_assets[spark]" in problem


@pytest.mark.parametrize(
    "field", ["name", "source", "source.uri", "format", "format.type", "table", "table.identifier"]
)
def test_what_is_required_and_missing_is_named(field: str) -> None:
    problems = _problems(_without(field))
    assert problems == [f"orders/defs.yaml: attributes.{field}: is required and missing"]


@pytest.mark.parametrize(
    ("field", "advice"),
    [
        ("sources", "did you mean source?"),
        ("source.patern", "did you mean pattern?"),
        ("source.start.modified_befor", "did you mean modified_after?"),
        ("source.discovery.queue", "did you mean queue_url?"),
        ("schema.column", "did you mean columns?"),
        ("schema_rules", "did you mean "),
        ("table.partition", "did you mean partition_by?"),
        ("TABLE", "did you mean table?"),
        ("batch.files", "did you mean max_files?"),
        ("schedule.time_zone", "did you mean timezone?"),
        ("source.prefix", "the fields are uri, connection, pattern, discovery, "),
        ("retries.max", "the fields are attempts, backoff_minutes"),
        ("format.delimiter", "the fields are type, options"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest_or_all_there_are(
    field: str, advice: str
) -> None:
    problems = _problems(_with(field, "x"))
    wrong = f"orders/defs.yaml: attributes.{field}: is not a field here; {advice}"
    assert [text for text in problems if text.startswith(wrong)], problems


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("name", "Orders", "should be lower-case letters, digits and _"),
        ("name", "1orders", "beginning with a letter"),
        ("name", "orders\n", "should be lower-case"),
        ("name", 7, "input should be a valid string, not 7"),
        ("name", None, "input should be a valid string, not None"),
        ("owners", ["ada"], "'ada' should be an e-mail address or team:name"),
        ("owners", "ada@example.com", "input should be a valid list"),
        ("source", "s3://landing/", "input should be a valid dictionary"),
        ("source.uri", "landing/orders", "is not an address of files"),
        ("source.uri", "http://landing/orders", "is not an address of files"),
        ("source.uri", "s3:///orders", "names no bucket; write s3://bucket/prefix/"),
        ("source.uri", "file://srv/landing", "write file:///srv/landing"),
        ("source.uri", "file:///", "names no folder"),
        ("source.pattern", "/orders/*", "must be a glob on the key below the prefix"),
        ("source.pattern", "", "must be a glob"),
        ("source.pattern", "{1..99999}.json", "stands for too many patterns"),
        ("source.discovery.interval_seconds", 0, "greater than 0, not 0"),
        ("source.discovery.interval_seconds", "soon", "a valid integer"),
        ("source.discovery.mode", "polling", "'listing', 'notifications' or 'both'"),
        ("source.discovery", {"mode": "both"}, "mode: both needs the queue_url"),
        ("source.discovery", {"mode": "notifications"}, "needs the queue_url"),
        ("source.discovery", {"queue_url": QUEUE}, "queue_url goes with mode: notifications"),
        ("source.discovery.queue_url", "landing", "'landing' is not the address of a queue"),
        (
            "source.discovery",
            {"mode": "notifications", "queue_url": QUEUE, "listing_hours": 3},
            "listing_hours goes with mode: both",
        ),
        (
            "source",
            {"uri": "gs://b/x/", "discovery": {"mode": "both", "queue_url": QUEUE}},
            "reads the events of S3, and uri is 'gs://b/x/'",
        ),
        ("source.start.include_existing", "perhaps", "a valid boolean"),
        ("source.start.modified_after", "2026-01-31T00:00:00", "timezone"),
        ("source.start.modified_after", "yesterday", "a valid datetime"),
        ("source.max_file_bytes", -1, "greater than 0"),
        ("format.type", "jsonl", "'json', 'csv', 'parquet'"),
        ("format.type", "jsonl", "not 'jsonl'; did you mean json?"),
        ("format.type", "Parquet", "did you mean parquet?"),
        ("format.type", "log", "'orc' or 'xml', not 'log'"),
        ("format.type", 7, "'orc' or 'xml', not 7"),
        ("max_rejected_ratio", 1.5, "less than or equal to 1"),
        ("max_rejected_ratio", float("nan"), "not nan"),
        ("table.identifier", "orders", "should be namespace.table"),
        ("table.identifier", "raw.Orders", "should be namespace.table"),
        ("table.identifier", "raw.orders\n", "should be namespace.table"),
        ("table.identifier", "raw.orders__rejected", "kept for the rejected rows"),
        ("table.partition_by", ["week(at)"], "'week(at)' is not a partition"),
        ("table.partition_by", ["region", "region"], "'region' twice"),
        ("table.sort_by", ["at downwards"], "'at downwards' is not a sort term"),
        ("table.properties", {"commit.retry.num-retries": "4"}, "is set by the ingestion itself"),
        ("schema.on_new_column", "merg", "not 'merg'; did you mean merge?"),
        ("schema.on_new_column", "drop", "'merge', 'review', 'rescue' or 'ignore', not 'drop'"),
        ("schema.on_missing_column", "allowed", "did you mean allow?"),
        ("schema.on_type_change", "merge", "'review' or 'rescue', not 'merge'"),
        ("schema.optional_columns", "note", "a valid list"),
        (
            "schema.optional_columns",
            ["Note"],
            "a field 'Note' of the files becomes the column note",
        ),
        ("schema.columns", {"order_id": "long"}, "a valid list"),
        ("schema.columns", [{"name": "id"}], "columns.0.type: is required and missing"),
        ("schema.columns", [_column("id", requird=True)], "did you mean required?"),
        (
            "schema.columns",
            [_column("OrderID")],
            "'OrderID' of the files becomes the column order_id",
        ),
        (
            "schema.columns",
            [_column("_file_id")],
            "names that begin with _ are the ingestion's own",
        ),
        ("schema.columns", [_column("a"), _column("a")], "has 'a' twice; leave one out"),
        (
            "schema.columns",
            [_column("a", "integer")],
            "columns.0.type: 'integer': 'integer' is no type",
        ),
        ("schema.columns", [_column("a", "decimal(39,0)")], "expected a number from 1 to 38"),
        ("schema.columns", [_column("a", "decimal(10")], "needs quotes around a type with a comma"),
        ("schema.columns", [_column("a", "struct<Zip: long>")], "the field Zip should be zip"),
        ("schema.columns", [_column("a", "list<struct<_x: int>>")], "should be source_x"),
        ("schema.columns", [_column("a", "struct<b: int, b: int>")], "has the field b twice"),
        (
            "schema.columns",
            [_column("a", "map<list<int>, int>")],
            "the keys of a map cannot be list<int>",
        ),
        ("batch.max_concurrent_runs", 0, "greater than 0"),
        ("batch.max_files", 0, "greater than 0"),
        ("batch.max_files", "many", "a valid integer"),
        ("schedule.cron", "0 2 * *", "is not a cron line of five fields, as in 0 2 * * *"),
        ("schedule.cron", "61 2 * * *", "'61' is not"),
        ("schedule.cron", "0 2 * * someday", "'someday' is not"),
        ("maintenance.orphan_age", "23h", "is less than 1d"),
        ("maintenance.snapshot_age", "long", "is no age; write 90s"),
        ("maintenance.min_files", 1, "greater than or equal to 2"),
        ("retries.attempts", 0, "greater than 0"),
        ("retries.backoff_minutes", [], "at least 1 item"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(
    field: str, value: object, problem: str
) -> None:
    problems = _problems(_with(field, value))
    about = [text for text in problems if text.startswith(f"orders/defs.yaml: attributes.{field}")]
    assert len(about) == 1, problems
    assert problem in about[0]


def test_a_column_is_not_required_and_optional_at_once() -> None:
    (problem,) = _problems(
        _with("schema", {"columns": [_column("id", required=True)], "optional_columns": ["id"]})
    )
    assert problem.startswith("orders/defs.yaml: attributes.schema: the column id is required")


def test_a_csv_file_holds_no_nested_columns() -> None:
    declared = {**_with("schema.columns", [_column("a", "list<int>")]), "format": {"type": "csv"}}
    (problem,) = _problems(declared)
    assert "schema.columns: csv files cannot hold a, a list<int>; declare it as string" in problem


@pytest.mark.parametrize(
    "line",
    ["* * * * *", "*/15 8-18,20 1 jan-mar mon", "05 00 1-31/2 12 0,7", "0-59/7 */6 * DEC Sun-Sat"],
)
def test_a_cron_line_that_is_accepted_is_one_for_dagster(line: str) -> None:
    assert _problems(_with("schedule", {"cron": line})) == []
    dg.ScheduleDefinition(name="orders", cron_schedule=line, job_name="orders")


def test_a_time_zone_that_there_is_not_is_named() -> None:
    attributes = _with("schedule", {"cron": "0 2 * * *", "timezone": "Europe/Atlantis"})
    assert _problems(attributes) == [
        "orders/defs.yaml: attributes.schedule.timezone: 'Europe/Atlantis' is not a time zone; "
        "write a name such as Europe/Berlin"
    ]


def test_the_options_of_a_format_are_checked() -> None:
    (problem,) = _problems(_with("format.options", {"delimiterr": ";"}))
    assert "attributes.format" in problem
    assert "delimiterr" in problem


def test_every_problem_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    _declared(tmp_path, "one", {**REQUIRED, "name": "Upper", "batch": {"max_files": 0}})
    _declared(tmp_path, "two/deeper", {**REQUIRED, "format": {"type": "yaml"}, "extra": 1})
    _declared(tmp_path, "good", {**REQUIRED, "name": "good", "table": {"identifier": "raw.good"}})
    declarations, problems = read_declarations(tmp_path)
    assert [declaration.ingestion.name for declaration in declarations] == ["good"]
    assert declarations[0].path == "good/defs.yaml"
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["one/defs.yaml", "attributes.name"],
        ["one/defs.yaml", "attributes.batch.max_files"],
        ["two/deeper/defs.yaml", "attributes.format.type"],
        ["two/deeper/defs.yaml", "attributes.extra"],
    ]
    with pytest.raises(DeclarationError) as caught:
        load_declarations(tmp_path)
    assert caught.value.problems == problems
    assert str(caught.value) == "\n".join(problems)


def test_two_declarations_cannot_have_one_name_or_one_table(tmp_path: Path) -> None:
    _declared(tmp_path, "a", REQUIRED)
    _declared(tmp_path, "b", {**REQUIRED, "table": {"identifier": "raw.others"}})
    _declared(tmp_path, "c", {**REQUIRED, "name": "others"})
    _, problems = read_declarations(tmp_path)
    assert problems == [
        "b/defs.yaml: attributes.name: 'orders' is declared by a/defs.yaml already",
        "c/defs.yaml: attributes.table.identifier: 'raw.orders' is declared by a/defs.yaml already",
    ]


def test_several_declarations_may_stand_in_one_file(tmp_path: Path) -> None:
    other = EVERY_FIELD.replace("orders", "others")
    (tmp_path / "defs.yaml").write_text(f"{EVERY_FIELD}\n---\n{other}")
    assert [found.ingestion.name for found in load_declarations(tmp_path)] == ["orders", "others"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"type: [", "defs.yaml: is not YAML: "),
        (b"type: x\n\tattributes: {}", "defs.yaml: is not YAML: "),
        (b"name: \xff\xfe", "defs.yaml: is not YAML: "),
        (b"attributes: !!python/object:os.system {}", "defs.yaml: is not YAML: "),
        (b"", "defs.yaml: is empty"),
        (b"# only a comment\n", "defs.yaml: is empty"),
        (b"- a\n- b\n", "defs.yaml: should have `type: ingest_assets.components.S3ToIceberg`"),
        (b"attributes: {}", "defs.yaml: type: is None and should be ingest_assets.components"),
        (b"type: dagster.Other\n", "defs.yaml: type: is 'dagster.Other' and should be"),
        (b"type: ingest_assets.components.S3ToIceberg", "defs.yaml: attributes: is missing"),
        (
            b"type: ingest_assets.components.S3ToIceberg\nname: x\nattributes: {}",
            "defs.yaml: name: is not known here; put it under attributes",
        ),
        (
            b"type: ingest_assets.components.S3ToIceberg\natributes: {}",
            "defs.yaml: atributes: is not known here; did you mean attributes?",
        ),
        (
            b"type: ingest_assets.components.S3ToIceberg\nattributes:\n  name: a\n  name: b\n",
            "defs.yaml: is not YAML: 'name' is written twice",
        ),
    ],
)
def test_a_file_that_is_no_declaration_is_named(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "defs.yaml").write_bytes(content)
    declarations, problems = read_declarations(tmp_path)
    assert declarations == []
    assert len(problems) == 1
    assert problems[0].startswith(problem)
    assert len(problems[0].splitlines()) == 1


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="is not a folder; INGEST_DEFS should name"):
        load_declarations(tmp_path / "nowhere")


def test_a_folder_without_declarations_has_none(tmp_path: Path) -> None:
    assert load_declarations(tmp_path) == []


def test_an_unknown_connection_is_named_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "connections.yaml").write_text("partner: {region: eu-central-1}\nvendor:\n")
    _declared(tmp_path, "a", _with("source.connection", "partnr"))
    _declared(
        tmp_path,
        "b",
        {**_with("source.connection", "partner"), "name": "b", "table": {"identifier": "raw.b"}},
    )
    _, problems = read_declarations(tmp_path)
    assert problems == [
        "a/defs.yaml: attributes.source.connection: 'partnr' is not in connections.yaml, "
        "which has default, partner, vendor"
    ]


@pytest.mark.parametrize(
    ("uri", "other", "is_refused"),
    [
        ("s3://landing/returns/dead/", {}, True),
        ("s3://dead/", {}, False),
        (
            "s3://landing/returns/dead",
            {"dead_letter": {"uri": "s3://landing/returns/dead/"}},
            False,
        ),
        ("s3://landing/returns/dead", {"dead_letter": {"uri": "s3://landing/returns/x/"}}, True),
        ("s3://landing/returns/", {"source": {"uri": "s3://landing/returns/orders"}}, True),
    ],
)
def test_dead_letters_in_the_source_of_another_ingestion_are_refused(
    tmp_path: Path, uri: str, other: dict[str, Any], is_refused: bool
) -> None:
    returns = {**REQUIRED, "name": "returns", "table": {"identifier": "raw.returns"}}
    returns["source"] = {"uri": "s3://landing/returns/"}
    _declared(tmp_path, "orders", {**REQUIRED, "dead_letter": {"uri": uri}})
    _declared(tmp_path, "returns", {**returns, **other})
    _, problems = read_declarations(tmp_path)
    said = "orders/defs.yaml: attributes.dead_letter.uri: "
    assert [problem.startswith(said) for problem in problems] == [True] * is_refused
    assert all("lies in the source of returns (returns/defs.yaml)" in p for p in problems)


@pytest.mark.parametrize(
    ("dead_letter", "said"),
    [
        ({"uri": "dead/"}, "'dead/' is not an address of files"),
        ({"uri": "s3://dead/a/../b"}, "should be a plain prefix"),
        ({"uri": "s3://dead/%2E"}, "should be a plain prefix"),
        ({"uri": "s3://landing/../dead"}, "should be a plain prefix"),
        ({"url": "s3://dead/"}, "is not a field here; did you mean uri?"),
    ],
)
def test_a_place_of_dead_letters_that_is_none_is_refused(
    dead_letter: dict[str, Any], said: str
) -> None:
    (problem,) = _problems(_with("dead_letter", dead_letter))
    assert said in problem


def test_a_source_among_its_own_dead_letters_is_refused() -> None:
    inside = _with("source.uri", "s3://dead/orders/again/")
    (problem,) = _problems({**inside, "dead_letter": {"uri": "s3://dead/"}})
    assert "source.uri lies in s3://dead/orders/, where the dead letters of orders go" in problem


def test_a_connection_of_dead_letters_that_there_is_not_is_named(tmp_path: Path) -> None:
    _declared(tmp_path, "orders", {**REQUIRED, "dead_letter": {"connection": "vendor"}})
    _, problems = read_declarations(tmp_path)
    assert problems == [
        "orders/defs.yaml: attributes.dead_letter.connection: 'vendor' is not in "
        "connections.yaml, which has default"
    ]


def test_connections_are_read_with_the_default_among_them(tmp_path: Path) -> None:
    assert load_connections(tmp_path) == {"default": Connection()}
    (tmp_path / "connections.yaml").write_text(
        "vendor: {region: eu-central-1, endpoint_url: 'https://storage.example'}\n"
        "partner: {access_key_id_env: K, secret_access_key_env: S}\n"
    )
    connections = load_connections(tmp_path)
    assert set(connections) == {"default", "vendor", "partner"}
    assert connections["vendor"].endpoint_url == "https://storage.example"
    env = {"K": "key", "S": "secret"}
    assert connections["partner"].static_keys(env) == {
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
    }
    assert connections["vendor"].static_keys(env) is None
    with pytest.raises(ConnectionsFileError, match="takes keys from K and S, and they are not set"):
        connections["partner"].static_keys({})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: [", "connections.yaml: is not YAML"),
        ("- a", "should be a mapping from names to connections"),
        ("a: x", "connections.yaml: a: "),
        ("a: []", "connections.yaml: a: "),
        ("a: {secret_access_key: abc}", "did you mean secret_access_key_env?"),
        ("a: {password: abc}", "a.password: is not a field here; the fields are region, "),
        ("a: abc", "a: input should be a valid dictionary"),
        ("a: {access_key_id_env: K}", "access_key_id_env and secret_access_key_env go together"),
        ("a: {external_id: x}", "external_id goes with role_arn"),
        ("a: {endpoint_url: 'localhost:9000'}", "a.endpoint_url: 'localhost:9000' should begin"),
        ("a: {region: 7}", "a.region: input should be a valid string"),
    ],
)
def test_connections_that_do_not_hold_are_named(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "connections.yaml").write_text(content)
    with pytest.raises(ConnectionsFileError) as caught:
        load_connections(tmp_path)
    assert problem in str(caught.value)
    assert "abc" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    _, problems = read_declarations(tmp_path)
    assert problems == [str(caught.value)]


@pytest.fixture
def deployment(tmp_path: Path) -> Callable[[], Deployment]:
    """A deployment on declarations in a folder; its services are never reached."""
    settings = Settings.from_env({"INGEST_HOME": str(tmp_path), "INGEST_DEFS": str(tmp_path)})
    return lambda: Deployment(settings)


def test_an_ingestion_is_found_by_its_name(
    tmp_path: Path, deployment: Callable[[], Deployment]
) -> None:
    with pytest.raises(
        UnknownIngestionError, match=r"declared are: none at all\. `ingest-assets new` declares one"
    ):
        deployment().ingestion("orders")
    _declared(tmp_path, "a", REQUIRED)
    assert deployment().ingestion("orders").table.identifier == "raw.orders"
    with pytest.raises(UnknownIngestionError, match=r"'order'.*declared are: orders"):
        deployment().ingestion("order")


def test_a_connection_that_there_is_not_opens_no_store(
    tmp_path: Path, deployment: Callable[[], Deployment]
) -> None:
    ingestion = Ingestion.model_validate(_with("source.connection", "partner"))
    with pytest.raises(
        ConnectionsFileError, match=r"which connections\.yaml lacks; it has default"
    ):
        deployment().store(ingestion)
    (tmp_path / "connections.yaml").write_text("partner: {}")
    deployment().store(ingestion)


def test_a_declaration_cannot_be_changed_afterwards() -> None:
    ingestion = Ingestion.model_validate(REQUIRED)
    with pytest.raises(ValueError, match="frozen"):
        ingestion.name = "others"  # type: ignore[misc]


DOCUMENTED = (Path(__file__).parents[2] / "docs/declaration.md").read_text()


def test_the_documented_declaration_and_its_columns_hold(tmp_path: Path) -> None:
    shown = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCUMENTED, re.S)]
    [whole] = [block for block in shown if block.get("type")]
    [declared] = [block["schema"] for block in shown if block.keys() == {"schema"}]
    whole["attributes"]["schema"] |= declared
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "defs.yaml").write_text(yaml.safe_dump(whole))
    assert read_declarations(tmp_path)[1] == []


def test_a_queue_is_read_more_often_than_a_prefix_unless_declared() -> None:
    read = {"mode": "both", "queue_url": QUEUE}
    for discovery, seconds in (({}, 30), (read, 2), ({**read, "interval_seconds": 60}, 60)):
        declared = Ingestion.model_validate(_with("source.discovery", discovery))
        assert declared.source.discovery.interval_seconds == seconds


def test_a_queue_has_one_reader(tmp_path: Path) -> None:
    for name in ("orders", "returns"):
        attributes = _with("source.discovery", {"mode": "both", "queue_url": QUEUE})
        _declared(
            tmp_path, name, {**attributes, "name": name, "table": {"identifier": f"raw.{name}"}}
        )
    with pytest.raises(DeclarationError) as refused:
        load_declarations(tmp_path)
    assert refused.value.problems == [
        f"returns/defs.yaml: attributes.source.discovery.queue_url: {QUEUE!r} is declared by "
        "orders/defs.yaml already"
    ]


@pytest.mark.parametrize(
    "other",
    [
        "https://sqs.eu-central-1.amazonaws.com/123456789012/landing/",
        "https://SQS.eu-central-1.amazonaws.com/123456789012/landing",
        "https://sqs.eu-central-1.amazonaws.com:443/123456789012/landing",
        "https://eu-central-1.queue.amazonaws.com/123456789012/landing",
        "https://sqs-fips.eu-central-1.amazonaws.com/123456789012/landing",
        "https://sqs.eu-central-1.api.aws/123456789012/landing",
        "https://vpce-1-2.sqs.eu-central-1.vpce.amazonaws.com/123456789012/landing",
    ],
)
def test_a_queue_has_one_reader_however_its_address_is_written(tmp_path: Path, other: str) -> None:
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/landing"
    assert _queue_problems(tmp_path, url, other) == [
        f"returns/defs.yaml: attributes.source.discovery.queue_url: {other!r} is declared by "
        "orders/defs.yaml already"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-central-1.amazonaws.com/1/q"),
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com/2/q"),
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com/1/Q"),
        ("http://127.0.0.1:9324/1/q", "http://127.0.0.1:9325/1/q"),
    ],
)
def test_two_queues_have_two_readers(tmp_path: Path, one: str, other: str) -> None:
    assert _queue_problems(tmp_path, one, other) == []


def test_the_oldest_address_of_a_queue_is_known(tmp_path: Path) -> None:
    urls = "https://queue.amazonaws.com/1/q", "https://sqs.us-east-1.amazonaws.com/1/q"
    assert len(_queue_problems(tmp_path, *urls)) == 1


def _queue_problems(folder: Path, *urls: str) -> list[str]:
    for name, url in zip(("orders", "returns"), urls, strict=True):
        attributes = _with("source.discovery", {"mode": "both", "queue_url": url})
        _declared(
            folder, name, {**attributes, "name": name, "table": {"identifier": f"raw.{name}"}}
        )
    return read_declarations(folder)[1]


RULES: list[dict[str, Any]] = [
    {"not_null": ["order_id"], "blocking": True},
    {"unique": ["order_id"]},
    {"unique": {"columns": ["a", "b"], "scope": "table"}, "on_fail": "reject_rows"},
    {"accepted": {"column": "status", "values": ["new", 1, True]}, "on_fail": "reject_rows"},
    {"range": {"column": "at", "min": "2026-01-01", "max": 7}, "severity": "error"},
    {"pattern": {"column": "mail", "regex": ".+@.+"}, "blocking": True, "on_fail": "fail_file"},
    {"foreign_key": {"columns": ["customer"], "references": "raw.customers", "to": ["id"]}},
    {"sql": "amount >= 0"},
    {"sql": "amount >= 1", "name": "amounts"},
    {"row_count": {"min": 1}, "on_fail": "fail_file"},
    {"row_count_change": {"max_ratio": 0.5, "last": 10}},
    {"null_ratio": {"column": "note", "max": 0.1}},
    {"freshness": {"max_age": "2h"}},
    {"volume": {"min_rows": 1, "hours": 24}, "severity": "error"},
]


def test_every_rule_of_quality_has_a_check_and_a_consequence() -> None:
    assert _problems(_with("quality", RULES)) == []
    rules = Ingestion.model_validate(_with("quality", RULES)).quality
    assert [(rule.check_name, rule.action, rule.shown_severity) for rule in rules] == [
        ("not_null_order_id", "fail_file", "error"),
        ("unique_order_id", "warn", "warn"),
        ("unique_in_table_a_b", "reject_rows", "warn"),
        ("accepted_status", "reject_rows", "warn"),
        ("range_at", "warn", "error"),
        ("pattern_mail", "fail_file", "error"),
        ("foreign_key_customer", "warn", "warn"),
        ("sql_amount_0", "warn", "warn"),
        ("amounts", "warn", "warn"),
        ("row_count", "fail_file", "error"),
        ("row_count_change", "warn", "warn"),
        ("null_ratio_note", "warn", "warn"),
        ("freshness", "warn", "warn"),
        ("volume", "warn", "error"),
    ]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"blocking": True}, "quality.0: names no rule; each item is one rule of not_null, "),
        ({"not_null": ["a"], "sql": "a"}, "quality.0: has not_null and sql; each item is one"),
        ({"not_nul": ["a"]}, "quality.0.not_nul: is not a field here; did you mean not_null?"),
        ({"not_null": []}, "at least 1 item"),
        ({"not_null": ["A"]}, "'A' of the files becomes the column a"),
        ({"not_null": ["_file_id"]}, "names that begin with _ are the ingestion's own"),
        ({"unique": ["a", "a"]}, "has 'a' twice"),
        ({"unique": {"columns": ["a"], "scope": "all"}}, "'file' or 'table', not 'all'"),
        ({"accepted": {"column": "a", "values": [None]}}, "None is not a single value"),
        ({"range": {"column": "a"}}, "names no end; give it min, max, or both"),
        ({"range": {"column": "a", "min": float("nan")}}, "nan"),
        ({"pattern": {"column": "a", "regex": "(?=x)"}}, "is not a regular expression of RE2"),
        ({"row_count": {"min": 2, "max": 1}}, "min 2 is above max 1"),
        ({"null_ratio": {"column": "a", "max": 2}}, "less than or equal to 1"),
        ({"freshness": {"max_age": "2 weeks"}}, "is no age; write 90s, 15m, 12h, 2d or 1w"),
        ({"volume": {"hours": 1}}, "names no limit; give it min_rows"),
        (
            {"foreign_key": {"columns": ["a", "b"], "references": "x.y", "to": ["c"]}},
            "columns names 2 and to names 1",
        ),
        ({"foreign_key": {"columns": ["a"], "references": "y"}}, "should be namespace.table"),
        ({"row_count": {"min": 1}, "on_fail": "reject_rows"}, "has no rows to reject"),
        ({"freshness": {"max_age": "1d"}, "blocking": True}, "can keep no file out"),
        ({"sql": "a", "blocking": True, "on_fail": "warn"}, "on_fail: warn lets it in"),
        ({"sql": "a", "blocking": False, "on_fail": "fail_file"}, "leave blocking out"),
        ({"sql": "a", "blocking": True, "severity": "warn"}, "is kept out is an error"),
        ({"sql": "a", "name": "rows_parsed"}, "is a check that every ingestion has"),
        ({"sql": "a", "name": "A b"}, "should be lower-case letters, digits and _"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named_with_its_place(
    rule: dict[str, Any], problem: str
) -> None:
    problems = _problems(_with("quality", [rule]))
    assert len(problems) == 1
    assert problems[0].startswith("orders/defs.yaml: attributes.quality.0")
    assert problem in problems[0]


def test_two_rules_are_two_checks() -> None:
    (problem,) = _problems(_with("quality", [{"sql": "a > 0"}, {"sql": "a < 0"}]))
    assert "two rules would be the check sql_a_0; give one of them a name" in problem


def test_keys_of_the_table_are_compared_by_one_batch_at_a_time() -> None:
    whole = _with("quality", [{"unique": {"columns": ["a"], "scope": "table"}}])
    (problem,) = _problems({**whole, "batch": {"max_concurrent_runs": 2}})
    assert "batches that go on at a time do not see each other's rows" in problem


def test_a_rule_on_a_column_that_is_not_declared_or_of_another_type_is_found(
    tmp_path: Path,
) -> None:
    rules: list[dict[str, Any]] = [
        {"freshness": {"max_age": "2h"}},
        {"not_null": ["id", "ordr_id"]},
        {"pattern": {"column": "id", "regex": "x"}},
        {"sql": "ordr_id > 1"},
        {"range": {"column": "id", "min": 1}},
    ]
    columns = {"columns": [_column("id")]}
    _declared(tmp_path, "one", {**REQUIRED, "quality": rules, "schema": columns})
    _, problems = read_declarations(tmp_path)
    assert [problem.split("; ")[0] for problem in problems] == [
        "one/defs.yaml: attributes.quality.1: there is no column ordr_id",
        "one/defs.yaml: attributes.quality.2: id is long, and a pattern is for text",
        'one/defs.yaml: attributes.quality.3: Binder Error: Table does not contain column "ordr_id"'
        " referenced in check constraint",
    ]
    _declared(tmp_path, "one", {**REQUIRED, "quality": rules})
    assert read_declarations(tmp_path)[1] == []


def test_a_rule_whose_sql_does_not_parse_is_found_without_declared_columns(tmp_path: Path) -> None:
    rules = [{"sql": "ordr_id > 1 and"}, {"sql": "a > 1) ; select (2"}, {"sql": "a > 1 -- one"}]
    _declared(tmp_path, "one", {**REQUIRED, "quality": rules})
    _, problems = read_declarations(tmp_path)
    assert problems == [
        'one/defs.yaml: attributes.quality.0.sql: Parser Error: syntax error at or near ")"; write '
        "an expression that is true of a good row, as in amount >= 0",
        "one/defs.yaml: attributes.quality.1.sql: it is more than one expression; write an "
        "expression that is true of a good row, as in amount >= 0",
    ]


def test_every_rule_stands_in_the_documentation_and_every_example_there_holds() -> None:
    docs = Path(__file__).parents[2] / "docs"
    examples = re.findall(r"^\| `(\{.+\})` \|", (docs / "quality.md").read_text(), re.MULTILINE)
    rules = [QualityRule.model_validate(yaml.safe_load(example)) for example in examples]
    assert {rule.kind for rule in rules} == set(KINDS)
    for page in ("quality.md", "declaration.md"):
        blocks = re.findall(r"```yaml\n  quality:\n(.+?)```", (docs / page).read_text(), re.DOTALL)
        (declared,) = [yaml.safe_load(block) for block in blocks]
        assert _problems(_with("quality", declared)) == []


@pytest.mark.parametrize(
    ("cron", "a_day"),
    [
        ("0 2 * * *", 1),
        ("*/15,0 8-18 * * *", 44),
        ("30 6 * * mon-fri", 1045 / 1461),
        ("0 0 1 * *", 48 / 1461),
        ("0 0 1 * mon", 248 / 1461),
        ("0 0 29 feb 0", 17 / 1461),
        ("0 0 * jan 7", 17 / 1461),
    ],
)
def test_a_cron_line_starts_so_much_a_day(cron: str, a_day: float) -> None:
    assert Schedule(cron=cron).firings_a_day == pytest.approx(a_day)
