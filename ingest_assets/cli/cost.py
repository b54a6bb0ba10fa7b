"""`ingest-assets cost`: what was estimated beside what was really used."""

import json
import sys
from typing import Any

import click

from ingest_assets.cli.listing import print_rows
from ingest_assets.cost.prices import load_prices, prices_path
from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.deployment import Deployment
from ingest_assets.engine.cost_comparison import CostComparison, compared_cost
from ingest_assets.engine.preview.section import counted, money, quantity

_COLUMNS = ("for", "unit", "estimated", "used", "estimated cost", "cost", "used / estimated")


@click.command()
@click.argument("name", required=False)
@click.option("--days", default=30, show_default=True, type=click.IntRange(min=1, max=365))
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object an ingestion.")
def command(name: str | None, days: int, as_json: bool) -> None:
    """Show the cost of the last days of the ingestion NAME, or of all: estimated, and used.

    The estimate is what `preview` says of the files that came in these days, with what it measures
    of the first files now; what was used is counted in runs and ticks. Storage is for one month.
    """
    deployment = Deployment.from_env()
    prices = load_prices(prices_path(deployment.settings.defs))
    if name is not None:
        ingestions = [deployment.ingestion(name)]
    else:
        ingestions = [d.ingestion for d in load_declarations(deployment.settings.defs)]
    told = []
    for ingestion in ingestions:
        compared = compared_cost(deployment, ingestion, prices, days)
        told.append(_as_json(compared))
        if not as_json:
            _print(compared)
    if as_json:
        click.echo(json.dumps(told, indent=2))


def _print(found: CostComparison) -> None:
    rows = [
        [
            line.name,
            line.unit,
            "" if line.estimated is None else quantity(line.estimated.quantity),
            quantity(line.used.quantity),
            "" if line.estimated is None else money(line.estimated.amount, ""),
            money(line.used.amount, ""),
            "" if line.ratio is None else f"{line.ratio:.2f}",
        ]
        for line in found.lines
    ]
    title = (
        f"{found.ingestion}: {counted(found.batches, 'batch', 'batches')}, "
        f"{counted(found.files, 'file')} in {counted(found.days, 'day')}; "
        f"{money(found.used_amount, found.currency)}"
    )
    if found.estimated_amount is not None:
        title += f", estimated {money(found.estimated_amount, found.currency)}"
    if not sys.stdout.isatty():
        click.echo(title)
    print_rows(_COLUMNS, rows, title)
    for note in found.notes:
        click.echo(note, err=True)


def _as_json(found: CostComparison) -> dict[str, Any]:
    return {
        "ingestion": found.ingestion,
        "days": found.days,
        "batches": found.batches,
        "files": found.files,
        "currency": found.currency,
        "used_amount": found.used_amount,
        "estimated_amount": found.estimated_amount,
        "notes": list(found.notes),
        "lines": [
            {
                "name": line.name,
                "unit": line.unit,
                "used": line.used.quantity,
                "used_amount": line.used.amount,
                "estimated": None if line.estimated is None else line.estimated.quantity,
                "estimated_amount": None if line.estimated is None else line.estimated.amount,
                "ratio": line.ratio,
            }
            for line in found.lines
        ],
    }
