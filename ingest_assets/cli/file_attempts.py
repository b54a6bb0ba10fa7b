"""The output of `ingest-assets files --attempts`: what batches did with one file, and when."""

import json
from dataclasses import asdict
from datetime import datetime

import click

from ingest_assets.cli.listing import print_rows
from ingest_assets.ledger.archive import Attempt

_COLUMNS = ("started", "seconds", "batch", "outcome", "rows", "etag", "archived", "why")


def print_attempts(key: str, attempts: list[Attempt], *, as_json: bool) -> None:
    """Every attempt on a line, oldest first; a table on a terminal, elsewhere parted by tabs."""
    if as_json:
        listed = [asdict(attempt) for attempt in attempts]
        click.echo(json.dumps(listed, indent=2, default=datetime.isoformat))
        return
    lines = [_line(attempt) for attempt in attempts]
    print_rows(_COLUMNS, lines, f"{key}: {len(attempts)} attempts")


def _line(attempt: Attempt) -> list[str]:
    return [
        f"{attempt.started_at:%Y-%m-%d %H:%M:%S %Z}",
        "" if attempt.seconds is None else f"{attempt.seconds:.3f}",
        attempt.batch_id,
        _outcome(attempt),
        "" if attempt.rows is None else str(attempt.rows),
        attempt.etag,
        "yes" if attempt.is_archived else "",
        "; ".join((attempt.error or attempt.note or "").splitlines()),
    ]


def _outcome(attempt: Attempt) -> str:
    """What became of the file; the batch's own state where that is all there is."""
    if attempt.batch_status == "COMMITTED" and attempt.outcome is not None:
        return attempt.outcome
    return attempt.batch_status
