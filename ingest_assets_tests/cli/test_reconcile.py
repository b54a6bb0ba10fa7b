"""`ingest-assets reconcile` as programs and people read it; what it finds is tested end to end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyiceberg.expressions import EqualTo

from ingest_assets.deployment import Deployment
from ingest_assets.ledger import lookup
from ingest_assets_tests.cli.conftest import Cli, plain
from ingest_assets_tests.end_to_end.workshop import attributes, declare

Put = Callable[[str, bytes], None]


@pytest.fixture
def damaged(working_cli: Cli, put: Put) -> Cli:
    """Four files of one row each, of which another writer deleted the rows of two."""
    for number in range(4):
        put(f"{number}.json", b'{"id": %d}\n' % number)
    assert working_cli("run", "orders").exit_code == 0
    for number in (1, 2):
        Deployment.from_env().catalog.load_table("raw.orders").delete(EqualTo("id", number))
    return working_cli


def test_without_apply_it_says_what_disagrees_and_changes_nothing(damaged: Cli) -> None:
    result = damaged("reconcile", "orders", "--sample", "1")
    assert result.exit_code == 3
    assert plain(result).splitlines()[:5] == [
        "orders: 4 files, 2 rows, 4 objects compared; 2 disagreements",
        "",
        "rows_missing, 2: readers do not see rows of a file that is called SUCCESS.",
        plain(result).splitlines()[3],
        "  and 1 more",
    ]
    assert plain(result).splitlines()[3].startswith("  1.json: none of its 1 rows is in the table")
    asked = damaged("reconcile", "orders", "--apply")
    assert asked.exit_code == 3
    assert "Nothing was changed. To mend, add --yes." in asked.output
    assert statuses() == {"SUCCESS": 4}


def test_what_is_mended_is_read_by_the_next_pass_and_then_all_agree(damaged: Cli) -> None:
    result = damaged("reconcile", "--all", "--apply", "--yes", "--json", "--by", "ada")
    assert result.exit_code == 0, result.output
    [told] = json.loads(result.stdout)
    assert (told["ingestion"], told["files"], told["rows"], told["objects"]) == ("orders", 4, 2, 4)
    assert [(d["kind"], d["key"], d["remedy"], d["is_mended"]) for d in told["disagreements"]] == [
        ("rows_missing", "1.json", "read_again", True),
        ("rows_missing", "2.json", "read_again", True),
    ]
    assert damaged("run", "orders").exit_code == 0
    result = damaged("reconcile", "orders")
    assert result.exit_code == 0
    assert plain(result) == "orders: 4 files, 4 rows, 4 objects compared; all agree\n"


def test_an_ingestion_whose_bucket_is_gone_holds_up_no_other(damaged: Cli, defs: Path) -> None:
    declare(defs, attributes("no-such-bucket", "broken"))
    result = damaged("reconcile", "--all", "--json")
    assert result.exit_code == 1
    broken, orders = json.loads(result.stdout)
    assert (broken["ingestion"], "no-such-bucket" in broken["error"]) == ("broken", True)
    assert (orders["ingestion"], len(orders["disagreements"])) == ("orders", 2)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "Name an ingestion, or say --all."),
        (("orders", "--all"), "Name an ingestion, or say --all."),
        (("orders", "--json", "--apply"), "with --apply it needs --yes"),
        (("orderz",), "No ingestion is called 'orderz'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    working_cli: Cli, arguments: tuple[str, ...], why: str
) -> None:
    result = working_cli("reconcile", *arguments)
    assert result.exit_code in (1, 2)
    assert why in f"{result.output}{result.exception}"


def statuses() -> dict[str, int]:
    with Deployment.from_env().ledger.transaction() as connection:
        return lookup.counts(connection, "orders")
