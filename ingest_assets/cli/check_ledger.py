"""What `ingest-assets check --connect` asks the ledger."""

import click

from ingest_assets.declaration.declared_changes import changes_line
from ingest_assets.deployment import Deployment
from ingest_assets.engine.applied_declaration import changes_since, refuse
from ingest_assets.errors import ConfigurationError
from ingest_assets.ingestion import Declaration
from ingest_assets.ledger import source_address
from ingest_assets.ledger.standing import standing
from ingest_assets.settings import Settings


def changed(settings: Settings, declarations: list[Declaration]) -> list[str]:
    """What the ledger has that the declarations do not go with; what changes in place is said.

    Nothing where there is no ledger yet: none is made to be asked.
    """
    if settings.postgres_url is None and not settings.postgres_folder.exists():
        return []
    deployment, problems = Deployment(settings), []
    for declaration in declarations:
        ingestion = declaration.ingestion
        place = f"{declaration.path}: attributes"
        try:
            found = changes_since(deployment, ingestion)
            refuse(ingestion, found)
            with deployment.ledger.transaction() as connection:
                address = ingestion.source.address
                source_address.refuse_other_keys(connection, ingestion.name, address)
                resting = standing(connection, ingestion.name)
        except ConfigurationError as error:
            problems.append(f"{place}: {error}")
            continue
        if found:
            click.echo(f"{ingestion.name}: {changes_line(found)}", err=True)
        if not resting.is_at_work:
            click.echo(f"Warning: {resting.sentence(ingestion.name)}.", err=True)
    return problems
