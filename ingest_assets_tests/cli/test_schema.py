"""`ingest-assets schema`: what it shows, what it asks, and what it leaves alone."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.cli import main as program
from ingest_assets.ledger.states import FileStatus
from ingest_assets_tests.cli.conftest import Cli, plain
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import attributes, declare
from ingest_assets_tests.terminal import on_terminal

Put = Callable[[str, bytes], None]


@pytest.fixture
def parked(working_cli: Cli, put: Put) -> Cli:
    """Version 1 is of three orders; version 2, whose amount is an object, waits with one file."""
    put("a.jsonl", json_lines(orders(1)))
    working_cli("run", "orders")
    put("b.jsonl", json_lines(orders(4, 2, amount={"value": 1})))
    assert working_cli("run", "orders").exit_code == 3
    return working_cli


def shown(run: Cli, version: int = 2) -> Any:
    return json.loads(run("schema", "show", "orders", str(version), "--json").stdout)


def statuses(run: Cli) -> dict[str, FileStatus]:
    files = json.loads(run("files", "orders", "--json").stdout)
    return {file["key"]: file["status"] for file in files}


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[Any, str]:
    """Exit code and error of the program as a user starts it."""
    monkeypatch.setattr(sys, "argv", ["ingest-assets", *arguments])
    with pytest.raises(SystemExit) as ended:
        program.main()
    return ended.value.code, capsys.readouterr().err


def test_the_list_has_every_version_with_its_changes_and_files(parked: Cli) -> None:
    first, second = json.loads(parked("schema", "list", "orders", "--json").stdout)
    fields = {
        *("version", "status", "verdict", "compatibility", "fields", "diff", "files"),
        *("file_count", "parked_files", "created_at", "last_written_at", "resolution"),
        *("resolved_by", "resolved_at", "note", "table", "samples"),
    }
    assert set(first) == set(second) == fields
    assert (first["version"], first["status"], first["verdict"]) == (1, "ACTIVE", "INITIAL")
    assert first["files"] == ["a.jsonl"]
    assert (second["status"], second["verdict"]) == ("PENDING", "BREAKING")
    assert (second["files"], second["parked_files"]) == (["b.jsonl"], 1)
    assert second["diff"]["type_changed"] == [
        {"path": "amount", "before": "double", "after": "struct<value: long>", "breaking": True}
    ]
    assert second["resolution"] is None


def test_the_list_is_lines_with_tabs_where_there_is_no_terminal(parked: Cli) -> None:
    result = parked("schema", "list", "orders")
    header, first, second = [line.split("\t") for line in result.stdout.splitlines()]
    assert header[:3] == ["version", "status", "verdict"]
    assert first[4] == "4 columns"
    assert second[4] == "`amount`: was double, the file has struct<value: long>"
    assert result.stderr == (
        "Version 2 waits for a decision, with 1 file: ingest-assets schema show orders 2\n"
    )


def test_a_version_whose_files_were_mended_is_said_to_hold_up_none(parked: Cli, put: Put) -> None:
    put("b.jsonl", json_lines(orders(4, 2)))
    assert parked("run", "orders").exit_code == 0
    assert parked("schema", "list", "orders").stderr == (
        "Version 2 is PENDING, but no file waits for it: leave it, or reject it.\n"
    )


def test_a_refused_change_of_the_declaration_is_listed_as_one_that_waits(
    working_cli: Cli, put: Put, defs: Path, bucket: str
) -> None:
    put("a.jsonl", json_lines(orders(1)))
    working_cli("run", "orders")
    narrower = {"columns": [{"name": "order_id", "type": "int"}]}
    declare(defs, attributes(bucket, schema=narrower))
    working_cli("run", "orders")
    assert working_cli("schema", "list", "orders").stderr == (
        "Version 2, a change of the declaration, waits for a decision: "
        "ingest-assets schema show orders 2\n"
    )


def test_a_terminal_of_80_columns_shows_whole_words(
    parked: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    table = plain(parked("schema", "list", "orders"))
    assert "orders: 2 schema versions" in table
    for word in ("PENDING", "BREAKING", "NONE", "`amount`:", "decided"):
        assert word in table
    assert max(len(line) for line in table.splitlines() if "│" in line) <= 80


def test_a_version_shows_its_columns_differences_files_and_choices(parked: Cli) -> None:
    said = parked("schema", "show", "orders", "2").stdout
    assert said.startswith("orders, schema version 2: PENDING, BREAKING, compatibility NONE\n")
    assert "\namount\tstruct<value: long>\trequired\n" in said
    assert '\ntype_changed\tamount\tdouble\tstruct<value: long>\t{"value":' in said
    assert "Brought by 1 file, of which 1 parked:\n  b.jsonl\n" in said
    assert "ingest-assets schema resolve orders 2 --as\n  accept " in said


def test_two_versions_can_be_compared_in_both_directions(parked: Cli) -> None:
    said = parked("schema", "diff", "orders", "1", "2").stdout
    assert said.startswith("orders, version 1 to 2: BREAKING, compatibility NONE\n")
    back = json.loads(parked("schema", "diff", "orders", "2", "1", "--json").stdout)
    assert set(back) == {"verdict", "compatibility", "diff"}
    [change] = back["diff"]["type_changed"]
    assert (change["before"], change["after"]) == ("struct<value: long>", "double")


def test_columns_that_a_file_lacks_are_required_or_optional(working_cli: Cli, put: Put) -> None:
    put("a.jsonl", json_lines(orders(1)))
    working_cli("run", "orders")
    [row] = orders(4, 1)
    del row["customer"]
    put("b.jsonl", json_lines([row]))
    working_cli("run", "orders")
    said = working_cli("schema", "show", "orders", "2").stdout
    assert "\nmissing\tcustomer\tstring, required\n" in said


def test_without_a_terminal_the_choice_must_be_an_option(parked: Cli) -> None:
    result = parked("schema", "resolve", "orders", "2")
    assert result.exit_code == 2
    assert (
        "Say --as and one of: accept, merge, ignore, backfill, new_table, reject" in result.output
    )
    assert shown(parked)["status"] == "PENDING"


def test_without_yes_the_plan_is_shown_and_nothing_changes(parked: Cli) -> None:
    result = parked("schema", "resolve", "orders", "2", "--as", "merge")
    assert result.exit_code == 0
    assert result.stdout.startswith("merge of schema version 2 for orders (raw.orders)\n")
    assert "  ALTER TABLE raw.orders ADD COLUMN amount STRING" in result.stdout
    assert "To be read again: 1 parked file of 2 records, " in result.stdout
    assert result.stdout.endswith("Nothing was changed. To do it, add --yes.\n")
    assert shown(parked)["status"] == "PENDING"
    assert statuses(parked) == {"a.jsonl": "SUCCESS", "b.jsonl": "PARKED"}


def test_with_yes_it_is_done_and_the_next_pass_reads_the_file(parked: Cli) -> None:
    options = ("--as", "merge", "--yes", "--by", "Ada", "--note", "two shops")
    result = parked("schema", "resolve", "orders", "2", *options)
    assert result.exit_code == 0
    assert result.stdout.endswith(
        "Done: merge of version 2 of orders. To be read again: 1 parked file, at the next tick of "
        "the sensor, or at once by `ingest-assets run orders`.\n"
    )
    found = shown(parked)
    assert (found["status"], found["resolution"]) == ("ACTIVE", "merge")
    assert (found["resolved_by"], found["note"]) == ("Ada", "two shops")
    assert parked("run", "orders").exit_code == 0
    assert statuses(parked) == {"a.jsonl": "SUCCESS", "b.jsonl": "SUCCESS"}


def test_refusals_end_with_2_one_line_and_nothing_changed(
    parked: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        (("resolve", "orders", "2", "--as", "accept"), "Or merge: it makes amount text"),
        (("resolve", "orders", "2", "--as", "backfill"), "adds no column"),
        (("resolve", "orders", "1", "--as", "merge"), "Version 1 of orders is ACTIVE"),
        (("resolve", "orders", "9", "--as", "merge"), "it has 1 to 2"),
        (("show", "orders", "9"), "orders has no schema version 9; it has 1 to 2."),
        (("add-column", "orders", "amount", "long"), "has a column amount already"),
        (("add-column", "orders", "n", "long", "--default", "x"), "'x' is no value of n, which is"),
        (("drop-column", "orders", "nope"), "has no column nope"),
        (("rename-column", "orders", "amount", "customer"), "customer is there already"),
        (("widen", "orders", "order_id", "string"), "Iceberg cannot widen order_id from long"),
    ):
        code, error = refusal(monkeypatch, capsys, "schema", *arguments)
        assert code == 2, arguments
        assert said in error
        assert error.count("\n") == 1
    assert shown(parked)["status"] == "PENDING"


def test_a_service_out_of_reach_ends_with_1(
    parked: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:9/nothing"
    with monkeypatch.context() as environment:
        environment.setenv("INGEST_POSTGRES_URL", nowhere)
        code, error = refusal(environment, capsys, "schema", "list", "orders")
    assert code == 1
    assert error.startswith("LedgerError: ")


def test_columns_are_added_renamed_and_dropped_by_hand(parked: Cli) -> None:
    for arguments, action in (
        (("add-column", "orders", "code", "string", "--default", "7"), "add_column"),
        (("rename-column", "orders", "code", "kind"), "rename_column"),
        (("drop-column", "orders", "kind"), "drop_column"),
    ):
        before = json.loads(parked("schema", "list", "orders", "--json").stdout)
        unconfirmed = parked("schema", *arguments)
        assert unconfirmed.stdout.endswith("Nothing was changed. To do it, add --yes.\n")
        assert json.loads(parked("schema", "list", "orders", "--json").stdout) == before
        done = parked("schema", *arguments, "--yes", "--by", "Ada")
        number = len(before) + 1
        assert done.stdout.endswith(f"Done: version {number} of orders is ACTIVE.\n")
        found = shown(parked, number)
        assert (found["resolution"], found["resolved_by"]) == (action, "Ada")


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_on_a_terminal_it_asks_for_choice_reason_and_consent(parked: Cli) -> None:
    resolve = ("schema", "resolve", "orders", "2")
    code, said = on_terminal(resolve, [("Decide", "merge"), ("Why", "not sure"), (r"Do it\?", "n")])
    assert (code, "Nothing was changed." in said) == (0, True)
    assert "struct<value: long>" in said
    assert "ALTER TABLE raw.orders ADD COLUMN amount STRING" in said
    assert shown(parked)["status"] == "PENDING"
    code, said = on_terminal(
        resolve,
        [("Decide", "nonsense"), ("Decide", "ignore"), ("Why", "a test"), (r"Do it\?", "y")],
    )
    assert (code, "Done: ignore of version 2 of orders." in said) == (0, True)
    found = shown(parked)
    assert (found["status"], found["resolution"], found["note"]) == (
        "DEPRECATED",
        "ignore",
        "a test",
    )
    assert "@" in found["resolved_by"]
    code, said = on_terminal(resolve, [])
    assert (code, "Version 2 of orders is DEPRECATED (ignore by " in said) == (2, True)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_on_a_terminal_a_backfill_asks_for_the_value_of_each_column(
    working_cli: Cli, put: Put
) -> None:
    put("a.jsonl", json_lines(orders(1)))
    working_cli("run", "orders")
    [row] = orders(4, 1, channel="web", source="shop")
    del row["customer"]
    put("b.jsonl", json_lines([row]))
    working_cli("run", "orders")
    code, said = on_terminal(
        ("schema", "resolve", "orders", "2", "--as", "backfill", "--note", "a test"),
        [("channel: ", "7"), ("source: ", "sql: customer"), (r"Do it\?", "y")],
    )
    assert code == 0, said
    assert "SET channel = '7' WHERE" in said
    assert "SET source = customer WHERE" in said
    assert shown(working_cli)["resolution"] == "backfill"
