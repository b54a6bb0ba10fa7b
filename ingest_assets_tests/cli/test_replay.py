"""`ingest-assets replay`: what it shows, when it asks, and what it says it did."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ingest_assets_tests.cli.conftest import Cli
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.terminal import on_terminal

Put = Callable[[str, bytes], None]


@pytest.fixture
def dead(working_cli: Cli, put: Put) -> Cli:
    """Seven dead letters and a good file have been through a pass."""
    for number in range(7):
        put(f"{number}.jsonl.gz", cut_gzip(orders(100, 400)))
    put("good.jsonl", json_lines(orders(1)))
    assert working_cli("run", "orders").exit_code == 3
    return working_cli


def states(cli: Cli) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in json.loads(cli("files", "orders", "--json").stdout):
        found[file["status"]] = found.get(file["status"], 0) + 1
    return found


def test_the_plan_is_shown_and_nothing_is_done_unless_it_is_agreed_to(dead: Cli) -> None:
    before = {"DEAD_LETTER": 7, "SUCCESS": 1}
    shown = dead("replay", "orders", "--key", "*").stdout
    lines = shown.splitlines()
    assert lines[0] == "To be read again for orders (raw.orders):"
    assert lines[1].startswith("  7 files DEAD_LETTER, ")
    assert lines[2] == ("  0.jsonl.gz, 1.jsonl.gz, 2.jsonl.gz, 3.jsonl.gz, 4.jsonl.gz and 2 more")
    assert lines[3].startswith("Left alone, because of their state: 1 SUCCESS. --status names")
    assert lines[4] == "Nothing was changed. To do it, add --yes."
    assert "add --yes" not in dead("replay", "orders", "--all", "--yes", "--dry-run").stdout
    planned = json.loads(dead("replay", "orders", "--all", "--json").stdout)
    assert (planned["files"], planned["replayed"]) == (7, 0)
    assert states(dead) == before


def test_with_yes_it_is_done_and_said(dead: Cli) -> None:
    result = dead("replay", "orders", "--status", "dead_letter", "--key", "[0-3]*", "--yes")
    assert result.stdout.splitlines()[-1] == (
        "Done: 4 files of orders DISCOVERED. To be read again at the next tick of the sensor, or "
        "at once by `ingest-assets run orders`."
    )
    assert states(dead) == {"DEAD_LETTER": 3, "DISCOVERED": 4, "SUCCESS": 1}
    done = json.loads(dead("replay", "orders", "--status", "SUCCESS", "--yes", "--json").stdout)
    assert (done["replayed"], done["by_status"]["SUCCESS"]["files"]) == (1, 1)
    assert (
        "No file of orders is to be read again."
        in dead("replay", "orders", "--error", "no such text", "--yes").stdout
    )


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_on_a_terminal_it_asks_for_reason_and_consent(dead: Cli) -> None:
    replay = ("replay", "orders", "--all")
    code, said = on_terminal(replay, [("Why", "not sure"), (r"Do it\?", "n")])
    assert (code, "Nothing was changed." in said) == (0, True)
    code, said = on_terminal(replay, [("Why", "a fix"), (r"Do it\?", "y")])
    assert (code, "Done: 7 files of orders DISCOVERED." in said) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Which files?"),
        (("--older-than", "soon"), "'soon' is no age; write 90s, 15m, 12h, 2d or 1w"),
        (("--status", "PROCESSING"), "'PROCESSING' is not one of"),
    ],
)
def test_a_choice_that_is_none_is_refused(
    working_cli: Cli, arguments: tuple[str, ...], said: str
) -> None:
    result: Any = working_cli("replay", "orders", *arguments)
    assert result.exit_code != 0
    assert said in f"{result.output} {result.exception}"
