"""`ingest-assets resume`: an ingestion that was paused or deleted goes on."""

import click

from ingest_assets.cli.schema_act import by_option
from ingest_assets.deployment import Deployment
from ingest_assets.orchestration import standing_changes
from ingest_assets.orchestration.instance import open_instance


@click.command()
@click.argument("name")
@by_option
@click.option("--note", default="", help="Why; it stays in the audit.")
def command(name: str, by: str, note: str) -> None:
    """Let the ingestion NAME, which was paused or deleted, go on.

    One that was deleted and whose table was kept goes on where it was: no file is read twice. One
    whose table was dropped begins anew, with a new table.
    """
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    with open_instance(deployment.settings) as instance:
        done = standing_changes.resume(deployment, ingestion, instance, by, note)
    if done is None:
        click.echo(f"{name} is neither paused nor deleted. Nothing was changed.")
    else:
        click.echo(
            f"{done}: at the next tick of its sensor or schedule, or at once by `ingest-assets run "
            f"{name}`."
        )
