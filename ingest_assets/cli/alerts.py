"""`ingest-assets alerts`: what happened to an ingestion and whom it was told, or a test message."""

import json
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from ingest_assets.alerts.alerts_file import channel_of
from ingest_assets.alerts.message import Message, clipped, in_utc, printable
from ingest_assets.alerts.sending import send
from ingest_assets.cli.listing import print_rows
from ingest_assets.deployment import Deployment
from ingest_assets.ledger import alert_lookup
from ingest_assets.ledger.alert_lookup import AlertRow

_COLUMNS = ("since", "kind", "about", "channel", "state", "attempts", "why")


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object an event & channel.")
@click.option("--limit", default=1000, show_default=True, help="So many events, the newest.")
@click.option("--test", "channel", metavar="CHANNEL", help="Send a test message over CHANNEL.")
def command(name: str | None, as_json: bool, limit: int, channel: str | None) -> None:
    """Show the alerts of the ingestion NAME, and what became of each on its channels.

    With --test, send a message over one channel of alerts.yaml and say whether it came through.
    """
    if (name is None) == (channel is None):
        raise click.UsageError("Name an ingestion, or a channel with --test.")
    deployment = Deployment.from_env()
    if channel is not None:
        _test(deployment, channel)
        return
    ingestion = deployment.ingestion(str(name))
    with deployment.ledger.transaction() as connection:
        rows = alert_lookup.alerts(connection, ingestion.name, at_most=limit)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2, default=_as_text))
    else:
        _print(ingestion.name, rows)


def _test(deployment: Deployment, name: str) -> None:
    channel = channel_of(deployment.alerts, name)
    message = Message(
        kind="test",
        title="a test of this channel",
        what=f"Somebody asked whether {name} works. It does.",
        ingestion="none",
        table="none",
        since=in_utc(datetime.now(UTC)),
        count=1,
        link=deployment.alerts.ui_url or deployment.settings.ui_url or "/",
        next_step="Nothing.",
    )
    send(name, channel, message, uuid.uuid4().hex, deployment.connections)
    click.echo(f"{name} ({channel.type}) has taken the message.")


def _as_text(value: Any) -> str:
    return in_utc(value) if isinstance(value, datetime) else str(value)


def _print(name: str, rows: list[AlertRow]) -> None:
    """A table on a terminal; elsewhere a line a row below the header, fields parted by tabs."""
    print_rows(_COLUMNS, [_line(row) for row in rows], f"{name}: the newest alerts")


def _line(row: AlertRow) -> list[str]:
    why = clipped(row.error)
    if row.next_attempt_at is not None:
        why = f"{why} (tried again after {in_utc(row.next_attempt_at)})".strip()
    return [
        in_utc(row.since),
        row.kind,
        _about(row.detail),
        row.channel or "",
        row.state or ("WAITING" if row.channel else "not told"),
        "" if row.attempts is None else str(row.attempts),
        why,
    ]


def _about(detail: dict[str, Any]) -> str:
    """The file, version, run or batch that the event is about."""
    for field in ("key", "version", "run_id", "batch_id"):
        if field in detail:
            return printable(str(detail[field]))
    return ""
