"""`ingest-assets pause`: nothing is begun for an ingestion until it is resumed."""

import click

from ingest_assets.cli.schema_act import by_option
from ingest_assets.deployment import Deployment
from ingest_assets.ledger.standing import standing
from ingest_assets.orchestration import standing_changes
from ingest_assets.orchestration.instance import open_instance


@click.command()
@click.argument("name")
@by_option
@click.option("--note", default="", help="Why; it is shown as long as the pause lasts.")
def command(name: str, by: str, note: str) -> None:
    """Let the ingestion NAME begin nothing: no tick, schedule or `run` looks for files or reads.

    What is being read comes to its end. A partition that somebody materializes in Dagster is
    read all the same. Nothing is lost: `ingest-assets resume NAME` finds what came meanwhile.
    """
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    with open_instance(deployment.settings) as instance:
        is_new = standing_changes.pause(deployment, ingestion, instance, by, note)
    with deployment.ledger.transaction() as connection:
        said = standing(connection, name).sentence(name)
    click.echo(f"{said}." if is_new else f"{said}. Nothing was changed.")
