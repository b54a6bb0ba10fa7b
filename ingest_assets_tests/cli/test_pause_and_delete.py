"""`ingest-assets pause`, `resume` and `delete`: what they show, ask and say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest_assets.deployment import Deployment
from ingest_assets_tests.cli.conftest import Cli, plain
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import COMPONENT_TYPE, attributes, declare
from ingest_assets_tests.terminal import CTRL_C, on_terminal

Put = Callable[[str, bytes], None]


@pytest.fixture
def loaded(working_cli: Cli, put: Put) -> Cli:
    """Three rows of one file are in the table."""
    put("a.jsonl", json_lines(orders(1)))
    assert working_cli("run", "orders").exit_code == 0
    return working_cli


def state(cli: Cli) -> dict[str, Any]:
    [found] = json.loads(cli("status", "--json").stdout)
    assert isinstance(found, dict)
    return found


def said(cli: Cli, *arguments: str) -> str:
    """What a command printed, its error included."""
    done = cli(*arguments)
    return f"{plain(done)} {done.exception or ''}"


def test_a_pause_is_shown_wherever_one_looks_and_run_refuses(loaded: Cli, put: Put) -> None:
    done = loaded("pause", "orders", "--by", "Ada", "--note", "the shop moves")
    assert done.stdout.startswith("orders is paused since ")
    assert "by Ada (the shop moves); `ingest-assets resume orders` lets it go on" in done.stdout
    assert "Nothing was changed." in loaded("pause", "orders", "--by", "Bob").stdout
    assert state(loaded)["paused_by"] == "Ada"
    assert "\tpaused\t" in loaded("status").stdout
    put("b.jsonl", json_lines(orders(4)))
    refused = loaded("run", "orders")
    assert type(refused.exception).__name__ == "PausedError"
    assert "Nothing was discovered or read." in str(refused.exception)
    assert "Warning: orders is paused since" in loaded("check", "--connect").stderr
    assert "orders goes on where it was" in loaded("resume", "orders").stdout
    assert "neither paused nor deleted" in loaded("resume", "orders").stdout
    assert "1 SUCCESS; 3 rows" in loaded("run", "orders").stdout


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_the_plan_of_a_deletion_is_shown_and_not_done_without_consent(
    loaded: Cli, defs: Path
) -> None:
    shown = loaded("delete", "orders", "--drop-table").stdout
    for expected in (
        "-> raw.orders)",
        "files known: 1 SUCCESS; 3 rows of them in tables",
        "table raw.orders, 3 rows: is dropped",
        "can be registered again from file://",
        "stays: the ledger's history",
        f"declaration: {defs / 'orders' / 'defs.yaml'} stays; remove it, or add",
        "Nothing was changed. To do it, add --yes.",
    ):
        assert expected in shown, expected
    code, terminal = on_terminal(["delete", "orders"], [("Why", "old"), (r"Do it\?", "n")])
    assert (code, "Nothing was changed." in terminal) == (0, True)
    code, terminal = on_terminal(["delete", "orders"], [("Why", CTRL_C)])
    assert code == 1
    assert state(loaded)["deleted_at"] is None


def test_a_deleted_ingestion_leaves_a_history_that_can_be_asked(loaded: Cli, defs: Path) -> None:
    done = loaded("delete", "orders", "--yes", "--by", "Ada", "--note", "old")
    assert "Done: orders is deleted." in done.stdout
    assert f"Remove {defs / 'orders' / 'defs.yaml'} and reload" in done.stdout
    assert "\tdeleted\t" in loaded("status").stdout
    assert "was deleted at" in said(loaded, "run", "orders")
    assert "was deleted at" in said(loaded, "pause", "orders")
    assert "was deleted at" in said(loaded, "replay", "orders", "--all")
    assert "Nothing is left to be done." in loaded("delete", "orders", "--yes").stdout
    (defs / "orders" / "defs.yaml").unlink()
    [file] = json.loads(loaded("files", "orders", "--json").stdout)
    assert (file["key"], file["status"], file["rows"]) == ("a.jsonl", "SUCCESS", 3)
    assert "by Ada (old), and its table kept" in loaded("files", "orders").stderr
    assert state(loaded)["is_declared"] is False
    dropped = loaded("delete", "orders", "--yes", "--drop-table", "--purge").stdout
    assert "table raw.orders, 3 rows: is dropped, with its data files" in dropped
    assert not Deployment.from_env().catalog.table_exists("raw.orders")


def test_a_declaration_is_removed_and_its_name_begins_anew(
    loaded: Cli, defs: Path, bucket: str
) -> None:
    remove = ("delete", "orders", "--drop-table", "--remove-declaration", "--yes")
    assert "is removed" in loaded(*remove).stdout
    assert list(defs.iterdir()) == []
    assert "No ingestion is called 'orders'" in said(loaded, "resume", "orders")
    declare(defs, attributes(bucket))
    assert "after `ingest-assets resume orders` it begins anew" in said(loaded, "run", "orders")
    assert "What was known of it is orders~1" in loaded("resume", "orders").stdout
    assert "1 SUCCESS; 3 rows" in loaded("run", "orders").stdout
    assert "orders~1" in loaded("files", "orders").stderr
    [file] = json.loads(loaded("files", "orders~1", "--json").stdout)
    assert file["rows"] == 3
    assert "its table dropped" in loaded("files", "orders~1").stderr
    assert "orders~1" not in loaded("status").stdout
    assert state_of(loaded, "orders~1")["table_dropped_at"]


def test_what_cannot_be_deleted_is_refused(loaded: Cli, defs: Path, bucket: str) -> None:
    assert "--purge goes with --drop-table" in said(loaded, "delete", "orders", "--purge")
    assert "No ingestion is called 'nobody'" in said(loaded, "delete", "nobody", "--yes")
    path = declare(defs, attributes(bucket, "returns"))
    assert "no tick or run has met it yet" in said(loaded, "delete", "returns", "--yes")
    (defs / "orders" / "defs.yaml").unlink()
    both = [
        {"type": COMPONENT_TYPE, "attributes": attributes(bucket, name)}
        for name in ("orders", "returns")
    ]
    path.write_text(yaml.safe_dump_all(both))
    remove = ("delete", "orders", "--remove-declaration", "--yes")
    assert "has 2 declarations, so it is not removed" in said(loaded, *remove)
    assert state_of(loaded, "orders")["deleted_at"] is None
    assert "Take the declaration of orders out of" in loaded("delete", "orders", "--yes").stdout


def state_of(cli: Cli, name: str) -> dict[str, Any]:
    found = {one["ingestion"]: one for one in json.loads(cli("status", "--json").stdout)}
    return dict(found[name])


def test_a_changed_declaration_is_said_and_one_that_needs_a_new_table_refused(
    loaded: Cli, defs: Path, bucket: str, put: Put
) -> None:
    declare(defs, attributes(bucket, batch={"max_files": 5}, max_rejected_ratio=0.5))
    line = "max_rejected_ratio (in place, for files read from now on), batch (in place, at once)"
    assert f"orders: the declaration changed: {line}" in loaded("check", "--connect").stderr
    assert f"The declaration changed: {line}." in loaded("run", "orders").stdout
    assert "declaration changed" not in loaded("run", "orders").stdout
    declare(defs, attributes(bucket, table={"sort_by": ["order_id"]}))
    put("b.jsonl", json_lines(orders(4)))
    for arguments in (("check", "--connect"), ("run", "orders")):
        refused = said(loaded, *arguments)
        assert "table.sort_by was [] when raw.orders was made and is [order_id] now" in refused
        assert "Put table.sort_by back, or declare another ingestion" in refused
    assert len(json.loads(loaded("files", "orders", "--json").stdout)) == 1
    declare(defs, attributes(bucket, source={"uri": f"s3://{bucket}/"}))
    refused = said(loaded, "check", "--connect")
    assert "orders/defs.yaml: attributes: source.uri of orders is" in refused
    declare(defs, attributes(bucket))
    assert "1 SUCCESS; 3 rows" in loaded("run", "orders").stdout
