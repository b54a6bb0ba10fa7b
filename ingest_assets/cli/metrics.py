"""`ingest-assets metrics`: the ledger's metrics for Prometheus, over HTTP."""

import threading

import click

from ingest_assets.deployment import Deployment
from ingest_assets.interrupts import until_interrupted
from ingest_assets.metrics.exporter import serve


@click.command()
@click.option("--port", default=9309, show_default=True, help="That Prometheus scrapes.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def command(port: int, host: str) -> None:
    """Serve metrics of all declared ingestions until Ctrl-C.

    One process a ledger is enough: whatever did the work, the ledger knows. While Postgres is out
    of reach the answer is `ingest_up 0` alone, and the metrics come back by themselves.
    """
    with until_interrupted():
        serve(Deployment.from_env(), host, port)
        click.echo(f"Metrics are at http://{host}:{port}/metrics; Ctrl-C stops it")
        threading.Event().wait()
