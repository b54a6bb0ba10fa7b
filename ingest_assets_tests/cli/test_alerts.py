"""`ingest-assets alerts`: what people were told, and whether a channel works."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ingest_assets.alerts.errors import AlertsFileError, ChannelError
from ingest_assets_tests.alerts.receivers import HttpReceiver
from ingest_assets_tests.cli.conftest import Cli
from ingest_assets_tests.end_to_end.workshop import attributes, declare

Put = Callable[[str, bytes], None]


def declare_channel(defs: Path, url: str) -> None:
    channels = {"ops": {"type": "webhook", "url": url}}
    (defs / "alerts.yaml").write_text(yaml.safe_dump({"channels": channels}))


def test_events_and_their_messages_are_listed(
    working_cli: Cli, defs: Path, bucket: str, put: Put
) -> None:
    with HttpReceiver() as web:
        declare_channel(defs, web.url)
        declare(defs, attributes(bucket, alerts=["ops"]))
        assert working_cli("alerts", "orders", "--json").stdout == "[]\n"
        put("a.jsonl.gz", b"\x1f\x8bnothing that can be read")
        assert working_cli("run", "orders").exit_code == 3
        (row,) = json.loads(working_cli("alerts", "orders", "--json").stdout)
    assert (row["kind"], row["channel"], row["state"]) == ("dead_letter", "ops", "SENT")
    assert row["detail"]["key"] == "a.jsonl.gz"
    assert row["sent_at"].endswith("+00:00")
    header, line = working_cli("alerts", "orders").stdout.splitlines()
    assert header.split("\t")[:3] == ["since", "kind", "about"]
    assert line.split("\t")[1:6] == ["dead_letter", "a.jsonl.gz", "ops", "SENT", "1"]


def test_a_channel_is_tried(run_cli: Cli, defs: Path) -> None:
    with HttpReceiver() as web:
        declare_channel(defs, web.url)
        result = run_cli("alerts", "--test", "ops")
        assert (result.exit_code, result.stdout) == (0, "ops (webhook) has taken the message.\n")
        (content,) = web.contents
        assert (content["kind"], content["title"]) == ("test", "a test of this channel")
        web.status = 500
        result = run_cli("alerts", "--test", "ops")
        assert isinstance(result.exception, ChannelError)
        assert str(result.exception) == "ops (webhook): it answered with HTTP 500"
    result = run_cli("alerts", "--test", "opps")
    assert isinstance(result.exception, AlertsFileError)
    assert "did you mean ops?" in str(result.exception)


@pytest.mark.parametrize("arguments", [[], ["orders", "--test", "ops"]])
def test_it_is_one_or_the_other(run_cli: Cli, arguments: list[str]) -> None:
    result = run_cli("alerts", *arguments)
    assert result.exit_code == 2
    assert "Name an ingestion, or a channel with --test." in result.output
