"""`ingest-assets demo`: the whole product on this machine, with files that keep arriving."""

import os
import re
import sys
import threading
import time
from pathlib import Path

import click

from ingest_assets.cli.dagster_process import DagsterProcess, free_port
from ingest_assets.cli.home_lock import HomeLock
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.demo.sample_files import SURPRISES, arrivals
from ingest_assets.interrupts import until_interrupted
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.settings import SENSORS_ON_VARIABLE, Settings, postgres_url

_DEFS = Path(__file__).parent.parent / "demo" / "defs"
_OTHERS = re.compile(
    r"(AWS|INGEST(?!_LOG_FORMAT)|PYICEBERG)_|DAGSTER_HOME$|.*_PROXY$", re.IGNORECASE
)
"""The caller's variables that say which services to use, and how to reach them."""


@click.command()
@click.option("--port", type=int, help="Of the UI; by default 3000, or the next that is free.")
def command(port: int | None) -> None:
    """Run Postgres, an S3 server with sample files, and the Dagster UI with its sensors on.

    Everything lives under INGEST_HOME/demo and is stopped by Ctrl-C. Files keep arriving for a
    minute, among them what goes wrong in practice.
    """
    home = Settings.from_env({"INGEST_HOME": os.environ.get("INGEST_HOME", "")}).home / "demo"
    with until_interrupted(), HomeLock(home) as lock:
        is_first = not (home / "s3").exists()
        click.echo(f"Starting Postgres, an S3 server and Dagster under {home}")
        with DemoObjectStore(home / "s3") as store:
            _shut_out_others(home, store)
            settings = Settings.from_env()
            Ledger(postgres_url(settings)).migrate()
            with DagsterProcess(
                settings, port or free_port(), home, {SENSORS_ON_VARIABLE: "1"}
            ) as dagster:
                lock.announce(dagster.url)
                _upload(store)
                dagster.wait_until_ready()
                _explain(dagster.url, home, is_first=is_first)
                dagster.wait()
    click.echo("Stopped. Your next `ingest-assets demo` goes on where this one ended.")


def _shut_out_others(home: Path, store: DemoObjectStore) -> None:
    """This process and its children know of the demo's services only, not of the caller's."""
    for name in list(os.environ):
        if _OTHERS.match(name):
            os.environ.pop(name)
    # PyIceberg looks for this file in PYICEBERG_HOME first, and no further where there is one.
    (home / ".pyiceberg.yaml").write_text("catalog:\n  lake:\n    pool_pre_ping: true\n")
    os.environ.update(
        store.env(),
        INGEST_HOME=str(home),
        INGEST_DEFS=str(_DEFS),
        PYICEBERG_HOME=str(home),
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )


def _explain(url: str, home: Path, *, is_first: bool) -> None:
    """Where to look and what there is to see."""
    click.echo(f"\nDagster is at {url}\n")
    click.echo("Each file that lands in S3 is a partition of an asset: green when its rows are in")
    click.echo("the Iceberg table, red when they are not, and then a check says why. Look at")
    for name in ("orders", "shipments", "events"):
        click.echo(f"  {url}/assets/raw/{name}?view=partitions")
    if is_first:
        click.echo("\nFiles arrive for a minute. Among them, in s3://landing/:")
        width = max(map(len, SURPRISES))
        for key, what in SURPRISES.items():
            click.echo(f"  {key:{width}}  {what}")
    else:
        click.echo("\nThe files of the first start are there already; one is uploaded again. To")
        click.echo(f"begin anew, stop the demo and delete {home}")
    click.echo("\nWhere each file is and why, from another terminal:")
    click.echo(f"  INGEST_HOME={home} INGEST_DEFS={_DEFS} INGEST_POSTGRES_URL= \\")
    click.echo(f"    {Path(sys.argv[0]).absolute()} files orders")
    click.echo("\nCtrl-C stops everything.")


def _upload(store: DemoObjectStore) -> None:
    """The uploads go on in the background for as long as the demo runs."""

    def upload() -> None:
        for arrival in arrivals():
            time.sleep(arrival.delay_seconds)
            store.put(arrival.bucket, arrival.key, arrival.body)

    threading.Thread(target=upload, name="uploads", daemon=True).start()
