"""`ingest-assets run` and `files`: their words, on a terminal and elsewhere."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest_assets.errors import UnknownFileError
from ingest_assets_tests.cli.conftest import Cli, plain
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import attributes, declare

Put = Callable[[str, bytes], None]


@pytest.fixture
def ingested(working_cli: Cli, put: Put) -> Cli:
    """A good file, a dead one and a parked one have been through a pass."""
    put("a.jsonl", json_lines(orders(1)))
    put("b.jsonl.gz", cut_gzip(orders(100, 400)))
    put("c.jsonl", json_lines(orders(4, amount={"value": 1})))
    assert working_cli("run", "orders").exit_code == 3
    return working_cli


def test_a_pass_with_nothing_to_do_says_so(working_cli: Cli) -> None:
    result = working_cli("run", "orders")
    assert result.exit_code == 0
    assert result.stdout.startswith("orders: no new files; 0 rows, ")
    assert result.stdout.count("\n") == 1


def test_json_is_all_that_stdout_gets(working_cli: Cli, put: Put) -> None:
    put("a.jsonl", json_lines(orders(1)))
    result = working_cli("run", "orders", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["files"] == {"SUCCESS": 1}
    assert result.stderr == ""


def test_a_pass_lists_what_needs_attention(working_cli: Cli, put: Put) -> None:
    put("a.jsonl", json_lines(orders(1)))
    put("[b] *.jsonl.gz", cut_gzip(orders(100, 400)))
    result = working_cli("run", "orders")
    assert result.exit_code == 3
    assert "orders: 1 DEAD_LETTER, 1 SUCCESS; 3 rows" in result.stdout
    assert "[b] *.jsonl.gz" in plain(result)
    assert "a.jsonl " not in plain(result)


def test_a_pass_says_where_rejected_rows_are(working_cli: Cli, put: Put) -> None:
    put("a.jsonl", json_lines(orders(1, 30)) + b"no json\n")
    result = working_cli("run", "orders")
    assert result.exit_code == 0
    assert "1 row rejected: see raw.orders__rejected" in result.stdout


def test_a_hundred_files_show_progress_where_there_is_no_terminal(
    working_cli: Cli, put: Put
) -> None:
    for number in range(120):
        put(f"{number:03d}.jsonl", json_lines(orders(number, 1)))
    result = working_cli("run", "orders")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == ["100 files read"]


def test_files_are_lines_with_tabs_where_there_is_no_terminal(ingested: Cli) -> None:
    printed = ingested("files", "orders").stdout.splitlines()
    header, *lines = [line.split("\t") for line in printed]
    assert header == ["key", "status", "rows", "rescued", "rejected", "attempts", "why"]
    assert [line[:2] for line in lines] == [
        ["a.jsonl", "SUCCESS"],
        ["b.jsonl.gz", "DEAD_LETTER"],
        ["c.jsonl", "PARKED"],
    ]
    assert {len(line) for line in lines} == {7}
    assert lines[0][2:] == ["3", "0", "0", "1", ""]
    assert "amount" in lines[2][-1]


def test_a_file_that_settles_says_until_when(
    working_cli: Cli, put: Put, defs: Path, bucket: str
) -> None:
    declare(defs, attributes(bucket, source={"settle_seconds": 3600}))
    put("a.jsonl", json_lines(orders(1)))
    assert working_cli("run", "orders").exit_code == 0

    def why() -> str:
        return working_cli("files", "orders").stdout.splitlines()[1].split("\t")[-1]

    assert why().startswith("waits for source.settle_seconds, until 20")
    declare(defs, attributes(bucket))
    assert why() == ""


def test_an_object_that_after_success_leaves_says_why(
    working_cli: Cli, put: Put, defs: Path, bucket: str
) -> None:
    declare(defs, attributes(bucket, source={"after_success": {"action": "delete"}}))
    put("a.jsonl", json_lines(orders(1, 20)) + b"{no json\n")
    working_cli("run", "orders")
    assert working_cli("files", "orders").stdout.splitlines()[1].split("\t")[-1] == (
        "source.after_success leaves the object, as rows of it are rejected"
    )


def test_files_are_a_table_on_a_terminal(ingested: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    shown = plain(ingested("files", "orders"))
    assert "orders: 3 files" in shown
    assert "rescued" in shown
    assert "DEAD_LETTER" in shown


@pytest.mark.parametrize("status", ["parked", "PARKED", "Parked"])
def test_files_can_be_asked_by_status_in_any_case(ingested: Cli, status: str) -> None:
    found = json.loads(ingested("files", "orders", "--status", status, "--json").stdout)
    assert [file["key"] for file in found] == ["c.jsonl"]


def test_files_can_be_asked_by_key_or_by_uri(ingested: Cli, bucket: str) -> None:
    for key in ("a.jsonl", f"s3://{bucket}/orders/a.jsonl"):
        [found] = json.loads(ingested("files", "orders", "--key", key, "--json").stdout)
        assert (found["key"], found["status"], found["rows"]) == ("a.jsonl", "SUCCESS", 3)
    other_state = ingested("files", "orders", "--key", "a.jsonl", "--status", "PARKED", "--json")
    assert (other_state.exit_code, json.loads(other_state.stdout)) == (0, [])


def test_a_key_that_no_file_has_is_refused_with_the_reason(
    working_cli: Cli, defs: Path, bucket: str
) -> None:
    def refusal(key: str, *options: str) -> str:
        result = working_cli("files", "orders", "--key", key, *options)
        assert isinstance(result.exception, UnknownFileError)
        assert result.stdout == ""
        return str(result.exception)

    assert f"s3://{bucket}/orders/ has not been listed yet" in refusal("none.jsonl")
    declare(defs, attributes(bucket, source={"pattern": "**/*.jsonl"}))
    working_cli("run", "orders")
    for key in ("none.jsonl", f"s3://{bucket}/orders/none.jsonl"):
        said = refusal(key, "--json")
        assert said.startswith("orders knows no file 'none.jsonl': it was not under s3://")
        assert "at the last listing, 20" in said
        assert "`ingest-assets run orders`" in said
    assert "'a.csv' does not match source.pattern '**/*.jsonl'" in refusal("a.csv")
    declare(defs, attributes(bucket, dead_letter={"uri": f"s3://{bucket}/orders/dead/"}))
    said = refusal("dead/orders/a.jsonl")
    assert said.startswith("'dead/orders/a.jsonl' is in a folder that dead letters are copied to")
    elsewhere = f"s3://{bucket}/returns/a.jsonl"
    assert refusal(elsewhere).startswith(f"{elsewhere} is not under s3://{bucket}/orders/")


def test_a_status_that_there_is_not_is_refused(ingested: Cli) -> None:
    result = ingested("files", "orders", "--status", "lost")
    assert result.exit_code == 2
    assert "'lost' is not one of" in result.output
    assert "dead_letter" in result.output.lower()


def test_a_key_with_a_tab_does_not_part_its_line(working_cli: Cli, put: Put) -> None:
    put("odd name\t.jsonl", json_lines(orders(1)))
    working_cli("run", "orders")
    _, line = working_cli("files", "orders").stdout.splitlines()
    assert line.split("\t")[:2] == ['"odd name\\t.jsonl"', "SUCCESS"]


def test_attempts_are_all_that_was_done_with_one_file(ingested: Cli, put: Put) -> None:
    put("b.jsonl.gz", gzip.compress(json_lines(orders(100))))
    assert ingested("run", "orders").exit_code == 3  # the parked one still waits
    result = ingested("files", "orders", "--key", "b.jsonl.gz", "--attempts", "--json")
    first, second = json.loads(result.stdout)
    assert (first["outcome"], second["outcome"]) == ("DEAD_LETTER", "SUCCESS")
    assert first["error"]
    assert first["etag"] != second["etag"]
    assert (second["rows"], second["is_archived"]) == (3, False)
    lines = ingested("files", "orders", "--key", "b.jsonl.gz", "--attempts").stdout.splitlines()
    assert lines[0].split("\t") == [
        *("started", "seconds", "batch", "outcome", "rows", "etag", "archived", "why")
    ]
    assert [line.split("\t")[3] for line in lines[1:]] == ["DEAD_LETTER", "SUCCESS"]


def test_attempts_without_a_key_are_refused(working_cli: Cli) -> None:
    result = working_cli("files", "orders", "--attempts")
    assert result.exit_code == 2
    assert "--attempts needs --key" in plain(result)
