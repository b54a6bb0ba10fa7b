"""`ingest-assets config`: what the environment comes to."""

import json

import click

from ingest_assets.settings import Settings, public_properties, public_url
from ingest_assets.tables.catalog import catalog_properties


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(as_json: bool) -> None:
    """Show the resolved settings, without secrets.

    With the catalog's name and properties any Iceberg reader can open the tables.
    """
    settings = Settings.from_env()
    resolved = {
        "home": str(settings.home),
        "defs": str(settings.defs),
        "dagster_home": str(settings.dagster_home),
        "postgres_url": public_url(settings.postgres_url) if settings.postgres_url else None,
        "catalog": {
            "name": settings.catalog_name,
            "properties": public_properties(catalog_properties(settings)),
        },
    }
    if as_json:
        click.echo(json.dumps(resolved, indent=2))
        return
    for name in ("home", "defs", "dagster_home"):
        click.echo(f"{name}: {resolved[name]}")
    click.echo(f"postgres_url: {resolved['postgres_url'] or 'the embedded server of the home'}")
    click.echo(f"catalog: {settings.catalog_name}")
    for name, value in public_properties(catalog_properties(settings)).items():
        click.echo(f"  {name}: {value}")
