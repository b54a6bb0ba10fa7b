"""`ingest-assets new`, as a person has it on a terminal and as a script has it."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.ingestion import Ingestion
from ingest_assets.wizard.answers import problem_of
from ingest_assets.wizard.templates import TEMPLATES
from ingest_assets_tests.cli.conftest import Cli
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import attributes, declare
from ingest_assets_tests.terminal import CTRL_C, on_terminal

pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
Dialogue = list[tuple[str, str]]
Put = Callable[[str, bytes], None]
HAS_QUALITY = problem_of("quality", [{"row_count": {"min": 1}}]) is None
EVENT = {
    "eventTime": "2026-11-21T08:00:00Z",
    "eventName": "PutObject",
    "eventID": "7f1c",
    "requestParameters": {"bucketName": "landing"},
}


@pytest.fixture
def new(working_cli: Cli, defs: Path) -> Cli:
    """The command line with services, on an empty folder of declarations."""
    (defs / "orders" / "defs.yaml").unlink()
    (defs / "orders").rmdir()
    return working_cli


def asked(address: str, *changed: tuple[str, str], is_json: bool = True) -> Dialogue:
    """The questions in their order with Enter as the answer, but to those of `changed`."""
    questions = ["Where are the files", "Connection", "Which of them", "Name of", "Format"]
    questions += ["Keys that lead"] if is_json else []
    questions += ["field that the table lacks", "lacks a required", "have another type"]
    questions += ["Table, as", "Partitions", "When are files", "How[?]"]
    answers = {"Where are the files": address, **dict(changed)}
    questions += ["Cron line", "time zone"] if answers.get("When are files") == "cron" else []
    questions += ["Every how many"] if answers.get("When are files") != "cron" else []
    if HAS_QUALITY:
        questions += ["at least one row", "must not be null"]
        questions += [] if "no key" in answers else ["no two rows"]
    questions += ["Write "]
    return [(question, answers.get(question, "")) for question in questions]


def declared(defs: Path, name: str) -> Ingestion:
    found = {one.ingestion.name: one.ingestion for one in load_declarations(defs)}
    return found[name]


def test_enter_on_every_question_gives_a_declaration_that_runs(
    new: Cli, defs: Path, bucket: str, put: Put
) -> None:
    put("2026/a.jsonl", json_lines(orders(1)))
    put("2026/b.jsonl", json_lines(orders(4)))
    code, said = on_terminal(["new"], asked(f"s3://{bucket}/orders/"))
    assert code == 0, said
    assert "It answers: 2 files, 570 bytes; 2026/a.jsonl, 2026/b.jsonl" in said
    assert "2026/a.jsonl looks like json." in said
    assert "ordered_at  timestamptz" in said
    assert "Sample rows" in said
    assert "customer 1" in said
    assert "6 rows of 2 files would be written" in said
    assert "ingest-assets dev  opens the UI; under Automation, switch on orders_sensor" in said
    found = declared(defs, "orders")
    assert found.table.partition_by == ["day(ordered_at)"]
    assert new("check", "--connect").exit_code == 0
    done = new("run", "orders")
    assert (done.exit_code, "2 SUCCESS; 6 rows" in done.stdout) == (0, True), done.output
    text = (defs / "orders" / "defs.yaml").read_text()
    assert "    # Every object below it is a file.\n    uri: s3://" in text


def csv() -> bytes:
    return b"order_id,sold_at,amount\n1,2026-11-20,2.50\n2,2026-11-21,3.75\n"


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2], "name": ["a", None]}), sink)
    return sink.getvalue()


def cloudtrail() -> bytes:
    return gzip.compress(json.dumps({"Records": [EVENT, {**EVENT, "eventID": "8a2d"}]}).encode())


@pytest.mark.parametrize(
    ("template", "key", "body", "expected"),
    [
        ("json-dumps", "dump.json", lambda: b'[{"id": 1}, {"id": 2}]', {"id"}),
        (
            "cloudtrail",
            "AWSLogs/1/CloudTrail/eu-central-1/2026/11/21/a.json.gz",
            cloudtrail,
            {"event_time", "event_name", "event_id", "request_parameters"},
        ),
        ("csv-daily", "export.csv", csv, {"order_id", "sold_at", "amount"}),
        ("parquet-drop", "part-0.parquet", parquet, {"id", "name"}),
    ],
)
def test_each_template_reads_what_it_is_for(
    new: Cli,
    defs: Path,
    bucket: str,
    s3: Any,
    template: str,
    key: str,
    body: Callable[[], bytes],
    expected: set[str],
) -> None:
    s3.put(bucket, f"drop/{key}", body())
    s3.put(bucket, "drop/README.txt", b"not meant")
    uri = f"s3://{bucket}/drop/"
    done = new("new", "drop", "--template", template, "--uri", uri, "--yes")
    assert done.exit_code == 0, done.output
    assert "1 of the 2 files seen match." in done.stdout
    found = declared(defs, "drop")
    assert found.format.type == TEMPLATES[template].answers["format.type"]
    assert (found.schedule is not None) == (template == "csv-daily")
    done = new("run", "drop")
    assert (done.exit_code, "1 SUCCESS; 2 rows" in done.stdout) == (0, True), done.output
    shown = json.loads(new("schema", "show", "drop", "1", "--json").stdout)
    assert {column["name"] for column in shown["fields"]} == expected


def test_a_template_offers_what_is_below_the_first_bucket_there_is(
    new: Cli, defs: Path, s3: Any
) -> None:
    first = s3.client.list_buckets()["Buckets"][0]["Name"]
    code, said = on_terminal(
        ["new", "--template", "cloudtrail"], [("Where are the files.*AWSLogs/", CTRL_C)]
    )
    assert code == 1
    assert f"[s3://{first}/AWSLogs/]" in said
    assert list(defs.iterdir()) == []


def test_a_bad_answer_is_explained_and_asked_again(
    new: Cli, defs: Path, bucket: str, put: Put
) -> None:
    put("a.jsonl", json_lines(orders(1)))
    declare(defs, attributes(bucket, "returns"))
    uri = f"s3://{bucket}/orders/"
    good = asked(uri, ("When are files", "cron"))
    wrong = {
        "Where are the files": [("landing", None), ("s3://there-is-none/", "Connection")],
        "Name of": [("Orders", None), ("returns", "Write over it")],
        "Format": [("jsonl", None)],
        "Table, as": [("orders", None), ("raw.returns", None)],
        "Partitions": [("week(ordered_at)", None), ("day(sold_at)", None)],
        "Cron line": [("99 * * * *", None)],
        "time zone": [("Berlin", None)],
    }
    dialogue: Dialogue = []
    for question, answer in good:
        for bad, then in wrong.get(question, []):
            dialogue.append((question, bad))
            if then == "Connection":
                dialogue += [(then, ""), ("Keep this address", "n")]
            elif then:
                dialogue.append((then, "n"))
        dialogue.append((question, answer))
    code, said = on_terminal(["new"], dialogue)
    assert code == 0, said
    for expected in (
        "'landing' is not an address of files",
        "The bucket does not exist",
        "'Orders' should be lower-case letters",
        "'jsonl' is none of json, csv, parquet, avro, orc, xml; did you mean json?",
        "'orders' should be namespace.table",
        "'raw.returns' is declared by returns/defs.yaml already",
        "'week(ordered_at)' is not a partition",
        "no file that was seen has a column sold_at",
        "'99' is not the minute of a cron line",
        "'Berlin' is not a time zone",
    ):
        assert expected in said, expected
    assert declared(defs, "orders").schedule is not None


@pytest.mark.parametrize("last", [0, 9, -1])
def test_ctrl_c_leaves_nothing_behind(
    new: Cli, defs: Path, bucket: str, put: Put, tmp_path: Path, last: int
) -> None:
    put("a.jsonl", json_lines(orders(1)))
    before = sorted(path for path in tmp_path.rglob("*"))
    dialogue = asked(f"s3://{bucket}/orders/")
    dialogue = [*dialogue[: last % len(dialogue)], (dialogue[last][0], CTRL_C)]
    code, said = on_terminal(["new"], dialogue)
    assert (code, "Aborted!" in said) == (1, True), said
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_declaration_that_there_is_gives_the_defaults_and_keeps_what_is_not_asked(
    new: Cli, defs: Path, bucket: str, put: Put
) -> None:
    put("a.jsonl", json_lines(orders(1)))
    path = declare(
        defs,
        attributes(
            bucket,
            source={"pattern": "*.jsonl", "settle_seconds": 5},
            schema={"on_type_change": "rescue"},
            schedule={"cron": "0 3 * * *"},
            retries={"attempts": 7},
        ),
    )
    before = path.read_bytes()
    refused = new("new", "orders", "--yes")
    assert "orders is declared in orders/defs.yaml already" in str(refused.exception)
    assert path.read_bytes() == before
    dialogue = asked("", ("When are files", ""), ("Partitions", ""))
    dialogue = [item for item in dialogue if item[0] not in ("Name of", "Every how many")]
    dialogue.insert(-1 - 3 * HAS_QUALITY, ("Cron line", ""))
    dialogue.insert(-1 - 3 * HAS_QUALITY, ("time zone", "Europe/Berlin"))
    code, said = on_terminal(["new", "orders"], [("Write over it", "y"), *dialogue])
    assert code == 0, said
    found = declared(defs, "orders")
    assert (found.source.settle_seconds, found.source.pattern) == (5, "*.jsonl")
    assert (found.retries.attempts, found.schema_rules.on_type_change) == (7, "rescue")
    assert found.schedule is not None
    assert (found.schedule.cron, found.schedule.timezone) == ("0 3 * * *", "Europe/Berlin")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "There is no terminal to ask on. Add --yes"),
        (("--yes",), 2, "source.uri has no default. Give --uri."),
        (("--yes", "--uri", "landing"), 2, "--uri: 'landing' is not an address of files"),
        (("--yes", "--uri", "s3://there-is-none/x/"), 1, "The bucket does not exist"),
        (("--yes", "--uri", "s3://b/x/", "--no-connect", "--cron", "soon"), 2, "is not a cron"),
        (("Odd", "--yes", "--uri", "s3://b/x/", "--no-connect"), 2, "NAME: 'Odd' should be"),
        (
            ("--yes", "--uri", "s3://b/x/", "--no-connect", "--discovery", "both"),
            2,
            "discovery.queue_url has no default. Give --queue-url.",
        ),
        (
            ("--yes", "--uri", "s3://b/x/", "--no-connect", "--option", "colour=red"),
            2,
            "--option: ",
        ),
        (
            ("x", "--yes", "--uri", "file:///srv/x/", "--no-connect", "--table", "raw.returns"),
            2,
            "'raw.returns' is declared by returns/defs.yaml already",
        ),
    ],
)
def test_what_a_script_gets_wrong_is_named_and_nothing_is_written(
    new: Cli, defs: Path, bucket: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    declare(defs, attributes(bucket, "returns"))
    done = new("new", *arguments)
    assert done.exit_code == code or done.exception is not None
    assert said in f"{done.output} {done.exception}"
    assert [path.name for path in defs.iterdir()] == ["returns"]


def test_a_script_gives_all_answers(new: Cli, defs: Path) -> None:
    queue = "https://sqs.eu-central-1.amazonaws.com/1/landing"
    done = new(
        *("new", "sales", "--yes", "--no-connect", "--uri", "s3://b/sales/", "--format", "csv"),
        *("--option", "delimiter=;", "--pattern", "**/*.csv", "--on-new-column", "review"),
        *("--table", "shop.sales", "--partition-by", "bucket(16, id), region"),
        *("--discovery", "both", "--queue-url", queue, "--interval", "7"),
        *("--description", "Sales: one file an hour # more"),
    )
    assert done.exit_code == 0, done.output
    found = declared(defs, "sales")
    assert found.format.options == {"delimiter": ";"}
    assert found.table.partition_by == ["bucket(16, id)", "region"]
    assert (found.source.discovery.queue_url, found.source.discovery.interval_seconds) == (queue, 7)
    assert found.description == "Sales: one file an hour # more"


def test_what_would_break_the_folder_is_taken_back(new: Cli, defs: Path, bucket: str) -> None:
    """The answers hold, and not beside the others: the queue is another declaration's."""
    queue = "https://sqs.eu-central-1.amazonaws.com/1/landing"
    discovery = {"discovery": {"mode": "both", "queue_url": queue}}
    declare(defs, attributes(bucket, "returns", source=discovery))
    done = new(
        *("new", "sales", "--yes", "--no-connect", "--uri", "s3://b/sales/"),
        *("--discovery", "both", "--queue-url", queue),
    )
    assert "is declared by returns/defs.yaml already" in str(done.exception)
    assert [path.name for path in defs.iterdir()] == ["returns"]
