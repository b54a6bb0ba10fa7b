"""`ingest-assets run` and `files`: their words, on a terminal and elsewhere."""

import json
from collections.abc import Callable

import pytest

from ingest_assets_tests.cli.conftest import Cli, plain
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders

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


def test_a_hundred_files_show_progress_where_there_is_no_terminal(
    working_cli: Cli, put: Put
) -> None:
    for number in range(120):
        put(f"{number:03d}.jsonl", json_lines(orders(number, 1)))
    result = working_cli("run", "orders")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == ["100 files read"]


def test_files_are_lines_with_tabs_where_there_is_no_terminal(ingested: Cli) -> None:
    lines = [line.split("\t") for line in ingested("files", "orders").stdout.splitlines()]
    assert [line[:2] for line in lines] == [
        ["a.jsonl", "SUCCESS"],
        ["b.jsonl.gz", "DEAD_LETTER"],
        ["c.jsonl", "PARKED"],
    ]
    assert {len(line) for line in lines} == {7}
    assert lines[0][2:] == ["3", "0", "0", "1", ""]
    assert "amount" in lines[2][-1]


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


def test_files_can_be_asked_by_key(ingested: Cli) -> None:
    [found] = json.loads(ingested("files", "orders", "--key", "a.jsonl", "--json").stdout)
    assert (found["status"], found["rows"], found["error"]) == ("SUCCESS", 3, None)
    assert json.loads(ingested("files", "orders", "--key", "none", "--json").stdout) == []


def test_a_status_that_there_is_not_is_refused(ingested: Cli) -> None:
    result = ingested("files", "orders", "--status", "lost")
    assert result.exit_code == 2
    assert "'lost' is not one of" in result.output
    assert "dead_letter" in result.output.lower()


def test_a_key_with_a_tab_does_not_part_its_line(working_cli: Cli, put: Put) -> None:
    put("odd name\t.jsonl", json_lines(orders(1)))
    working_cli("run", "orders")
    [line] = working_cli("files", "orders").stdout.splitlines()
    assert line.split("\t")[:2] == ['"odd name\\t.jsonl"', "SUCCESS"]
