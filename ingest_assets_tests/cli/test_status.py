"""`ingest-assets status`: all ingestions at a glance."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from ingest_assets_tests.cli.conftest import Cli
from ingest_assets_tests.end_to_end.workshop import attributes, declare

Put = Callable[[str, bytes], None]


def _found(result: Result) -> dict[str, dict[str, Any]]:
    return {one["ingestion"]: one for one in json.loads(result.stdout)}


def test_an_ingestion_without_anything_yet_is_there_too(working_cli: Cli) -> None:
    result = working_cli("status", "--json")
    assert result.exit_code == 0
    (found,) = json.loads(result.stdout)
    assert (found["ingestion"], found["table_identifier"]) == ("orders", "raw.orders")
    assert (found["trigger"], found["is_declared"]) == ("no instance", True)
    assert (found["last_arrival_at"], found["lag_seconds"]) == (None, 0)
    header, line = working_cli("status").stdout.splitlines()
    assert header.split("\t")[:4] == ["ingestion", "trigger", "last look", "last file"]
    assert line.split("\t") == ["orders", "no instance", "never", "never", "", "", *"000000"]


def test_what_needs_attention_is_counted_and_told_by_the_exit_code(
    working_cli: Cli, put: Put
) -> None:
    put("a.jsonl", b'{"order_id": 1}\n')
    assert working_cli("run", "orders").exit_code == 0
    result = working_cli("status", "--json")
    assert result.exit_code == 0
    found = _found(result)["orders"]
    assert (found["trigger"], found["success_rate_24h"], found["rows_24h"]) == ("off", 1, 1)
    assert found["last_success_at"].endswith("+00:00")
    put("b.jsonl", b'{"order_id": {"now": "a struct"}}\n')
    assert working_cli("run", "orders").exit_code == 3
    result = working_cli("status")
    assert result.exit_code == 3
    cells = dict(zip(*(line.split("\t") for line in result.stdout.splitlines()), strict=True))
    assert (cells["success 24 h"], cells["parked"], cells["decisions"]) == ("50%", "1", "1")
    assert cells["last file"].endswith("s ago")


def test_an_ingestion_that_is_not_declared_any_more_is_marked_and_no_reason_to_act(
    working_cli: Cli, defs: Path, bucket: str, put: Put
) -> None:
    put("bad.jsonl.gz", b"\x1f\x8bnothing that can be read")
    assert working_cli("run", "orders").exit_code == 3
    (defs / "orders" / "defs.yaml").unlink()
    declare(defs, attributes(bucket, "events"))
    result = working_cli("status", "--json")
    assert result.exit_code == 0
    found = _found(result)
    assert (found["orders"]["is_declared"], found["orders"]["trigger"]) == (False, None)
    assert found["orders"]["files_dead_letter"] == 1
    assert found["events"]["trigger"] == "off"
    assert "orders\tnot declared\t" in working_cli("status").stdout
