"""`ingest-assets preview`: what would happen, before anything does."""

import json

import click

from ingest_assets.deployment import Deployment
from ingest_assets.engine.preview.made_up import made_up_ingestion
from ingest_assets.engine.preview.preview import preview


@click.command()
@click.argument("name", required=False)
@click.option("--uri")
@click.option("--json", "as_json", is_flag=True)
def command(name: str | None, uri: str | None, as_json: bool) -> None:
    """Show what would happen."""
    deployment = Deployment.from_env()
    if uri:
        found = preview(deployment, made_up_ingestion(uri), is_declared=False, detects_format=True)
    else:
        found = preview(deployment, deployment.ingestion(name or ""))
    click.echo(json.dumps(found.to_json(), indent=2))
