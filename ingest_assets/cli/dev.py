"""`ingest-assets dev`: the Dagster UI and daemon on one's own ingestions."""

from pathlib import Path

import click

from ingest_assets.cli.dagster_process import DagsterProcess, free_port
from ingest_assets.cli.home_lock import HomeLock
from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.deployment import Deployment
from ingest_assets.interrupts import until_interrupted


@click.command()
@click.option("--port", type=int, help="Of the UI; by default 3000, or the next that is free.")
def command(port: int | None) -> None:
    """Run the Dagster UI and daemon on the ingestions of INGEST_DEFS until Ctrl-C.

    Whatever services the environment names are used; Postgres and the catalog are embedded where it
    names none. Sensors are off until you turn them on in the UI.
    """
    deployment = Deployment.from_env()
    settings = deployment.settings
    count = len(load_declarations(settings.defs))
    with until_interrupted(), HomeLock(settings.home) as lock:
        deployment.ledger.ledger_id()  # says so now if Postgres is out of reach
        counted = "1 ingestion" if count == 1 else f"{count} ingestions"
        click.echo(f"{counted} in {settings.defs}")
        with DagsterProcess(settings, port or free_port(), Path.cwd(), {}) as dagster:
            lock.announce(dagster.url)
            dagster.wait_until_ready()
            click.echo(f"Dagster is at {dagster.url} (log: {dagster.log}); Ctrl-C stops it")
            dagster.wait()
