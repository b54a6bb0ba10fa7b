"""`ingest-assets setup-notifications`: the bucket's events come to a queue."""

import json
from typing import get_args

import click

from ingest_assets.deployment import Deployment
from ingest_assets.files.notifications import policies
from ingest_assets.files.notifications.policies import Through
from ingest_assets.files.notifications.setup import Setup


@click.command()
@click.argument("name")
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without this it only looks.")
@click.option(
    "--through",
    type=click.Choice(get_args(Through)),
    default="sqs",
    show_default=True,
    help="What stands between bucket and queue.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(name: str, is_applied: bool, through: Through, as_json: bool) -> None:
    """Print, or do, what it takes for the ingestion NAME to be told of its files.

    That is the queue and its policy, what stands between, the bucket's notification configuration
    (entries of others stay), and the least policy for the ingestion itself, which you attach.
    """
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    setup = Setup(ingestion, deployment.connection(ingestion, ingestion.source.connection), through)
    done = setup.apply() if is_applied else []
    steps = setup.steps()
    documents = {step.what: step.document for step in steps if step.document is not None}
    documents["IAM policy of the ingestion"] = policies.ingestion_policy(setup.route)
    missing = [step.what for step in steps if not step.is_done]
    url = setup.route.queue_url
    if as_json:
        found = {"queue_url": url, "done": done, "missing": missing, "documents": documents}
        click.echo(json.dumps(found, indent=2))
        return
    for what, document in documents.items():
        click.echo(f"{what}:\n{json.dumps(document, indent=2)}\n")
    for what in done:
        click.echo(f"Done: {what}")
    for what in missing:
        click.echo(f"Not so yet: {what}")
    if missing and not is_applied:
        click.echo("Nothing was changed. Do it with --apply, or by your own means.")
    elif not missing and not done:
        click.echo("All of it is so already.")
    if ingestion.source.discovery.queue_url is None:
        click.echo(f"Then declare:\n  source:\n    discovery: {{mode: both, queue_url: {url}}}")
