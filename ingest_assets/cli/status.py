"""`ingest-assets status`: how all ingestions are, at a glance."""

import json
import math
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click

from ingest_assets.alerts.message import in_utc
from ingest_assets.cli.listing import print_rows
from ingest_assets.cli.main import EXIT_FILES_NEED_ATTENTION
from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.deployment import Deployment
from ingest_assets.ledger import health, table_health
from ingest_assets.ledger.former import is_former
from ingest_assets.ledger.health import Health
from ingest_assets.ledger.standing import Standing, standings
from ingest_assets.ledger.table_health import NotedHealth
from ingest_assets.orchestration.triggers import TriggerState, trigger_states

_COLUMNS = (
    "ingestion",
    "trigger",
    "last look",
    "last file",
    "lag",
    "success 24 h",
    "rows 24 h",
    "waiting",
    "failed",
    "dead-letter",
    "parked",
    "decisions",
)
_SPANS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class _Line:
    """One ingestion. `trigger` is None for one that is not declared any more."""

    health: Health
    trigger: TriggerState | None
    standing: Standing
    tables: tuple[NotedHealth, ...] = ()

    @property
    def needs_attention(self) -> bool:
        is_meant = self.trigger is not None and not self.standing.is_deleted
        return is_meant and self.health.needs_attention

    @property
    def state(self) -> str:
        """What a person has to know of it first."""
        if self.standing.is_deleted:
            return "deleted"
        if self.trigger is None:
            return "not declared"
        return "paused" if self.standing.is_paused else self.trigger


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object an ingestion.")
def command(as_json: bool) -> None:
    """Show all ingestions: last file, lag, success rate, what waits, what people have to decide.

    Those that are declared, and those that the ledger knows though they are not declared any more.
    Exit code 0: all well; 3: files of a declared ingestion are failed, dead-lettered or parked, or
    a schema version waits for a decision. A lag alone is no reason. With --json each ingestion has
    the health of its `tables` too, as its last maintenance left them.
    """
    lines = _lines(Deployment.from_env())
    if as_json:
        click.echo(json.dumps([_as_json(line) for line in lines], indent=2, default=in_utc))
    else:
        _print(lines)
    if any(line.needs_attention for line in lines):
        sys.exit(EXIT_FILES_NEED_ATTENTION)


def _lines(deployment: Deployment) -> list[_Line]:
    declared = [one.ingestion for one in load_declarations(deployment.settings.defs)]
    with deployment.ledger.transaction() as connection:
        known = {found.ingestion: found for found in health.health(connection)}
        found = standings(connection)
        noted = table_health.noted(connection)
    triggers = trigger_states(deployment.settings, declared)
    unseen = {
        one.name: Health(ingestion=one.name, table_identifier=one.table.identifier)
        for one in declared
    }
    both = {**unseen, **known}
    tables = {name: tuple(one for one in noted if one.ingestion == name) for name in both}
    return [
        _Line(both[name], triggers.get(name), found.get(name, Standing()), tables[name])
        for name in sorted(both)
    ]


def _as_json(line: _Line) -> dict[str, Any]:
    is_declared = line.trigger is not None
    return {
        **asdict(line.health),
        **asdict(line.standing),
        "is_declared": is_declared,
        "trigger": line.trigger,
        "tables": [
            {"table": one.table_identifier, "measured_at": one.measured_at, **one.numbers}
            for one in line.tables
        ],
    }


def _print(lines: list[_Line]) -> None:
    """A table on a terminal; elsewhere a line a row below the header, fields parted by tabs.

    Without former ingestions, whose names are another's by now.
    """
    lines = [line for line in lines if not is_former(line.health.ingestion)]
    styles = ["bold red" if line.needs_attention else "" for line in lines]
    print_rows(_COLUMNS, [_cells(line) for line in lines], f"{len(lines)} ingestions", styles)


def _cells(line: _Line) -> list[str]:
    found = line.health
    counts = (
        found.rows_24h,
        found.files_waiting + found.files_processing,
        found.files_failed,
        found.files_dead_letter,
        found.files_parked,
        found.pending_versions,
    )
    return [
        found.ingestion,
        line.state,
        _ago(found.last_looked_at),
        _ago(found.last_arrival_at),
        _span(found.lag_seconds) if found.lag_seconds else "",
        _percent(found.success_rate_24h),
        *map(str, counts),
    ]


def _percent(share: float | None) -> str:
    """Rounded down: 100% is all."""
    return "" if share is None else f"{math.floor(share * 1000) / 10:g}%"


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return "never"
    return f"{_span((datetime.now(UTC) - moment).total_seconds())} ago"


def _span(seconds: float) -> str:
    """In the largest unit of which there are two at least, as people say it."""
    size, unit = next(((s, u) for s, u in _SPANS if seconds >= 2 * s), _SPANS[-1])
    return f"{seconds / size:.0f} {unit}"
