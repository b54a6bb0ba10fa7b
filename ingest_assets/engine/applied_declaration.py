"""A declaration that changed is taken up, or refused where the table would have to be another."""

from ingest_assets.declaration.declared_changes import (
    FieldChange,
    as_applied,
    changes,
    kept,
    refusal,
)
from ingest_assets.deployment import Deployment
from ingest_assets.engine.ingestion_table import open_table
from ingest_assets.errors import TableOwnershipError, UnknownIngestionError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import applied_declaration, schema_versions
from ingest_assets.tables.catalog import table_exists


def follow_declaration(deployment: Deployment, ingestion: Ingestion) -> list[FieldChange]:
    """The ledger keeps the declaration as it is now; what changed since it last did.

    Raises:
        NewTableNeededError: a field changed that the table was made by; the ledger keeps the
            declaration of before.
    """
    name, declared = ingestion.name, as_applied(ingestion)
    with deployment.ledger.transaction() as connection:
        before = applied_declaration.applied(connection, name)
    if before == kept(before, declared):
        return []
    found = changes_since(deployment, ingestion)
    refuse(ingestion, found)
    with deployment.ledger.transaction() as connection:
        changed = {c.rule.field: {"from": c.before, "to": c.after} for c in found}
        applied_declaration.note(connection, name, kept(before, declared), changed)
    return found


def refuse(ingestion: Ingestion, found: list[FieldChange]) -> None:
    """Nothing, unless one of the changes needs a new table.

    Raises:
        NewTableNeededError: one does; names all of them.
    """
    refused = [change for change in found if change.is_refused]
    if refused:
        raise refusal(ingestion.name, ingestion.table.identifier, refused)


def changes_since(deployment: Deployment, ingestion: Ingestion) -> list[FieldChange]:
    """What changed since the declaration was last applied; nothing is noted.

    Changes that need a new table are not among them while there is none to differ from.
    """
    with deployment.ledger.transaction() as connection:
        before = applied_declaration.applied(connection, ingestion.name)
        is_written = schema_versions.was_ever_written(connection, ingestion.name)
    if before is None:
        return []
    found = changes(before, as_applied(ingestion))
    if not any(change.is_refused for change in found):
        return found
    if not is_written or not table_exists(deployment.catalog, ingestion.table.identifier):
        return [change for change in found if not change.is_refused]
    return [change for change in found if not _says_what_is(deployment, ingestion, change)]


def _says_what_is(deployment: Deployment, ingestion: Ingestion, change: FieldChange) -> bool:
    """What was left to the table is declared now, and is what the table has."""
    if change.rule.field != "table.partition_by" or change.before:
        return False
    try:
        open_table(deployment, ingestion, must_exist=False)
    except TableOwnershipError:
        return False
    return True


def known_ingestion(deployment: Deployment, name: str) -> Ingestion:
    """The declared ingestion of that name; else as the ledger has it since its last tick.

    Raises:
        UnknownIngestionError: neither has one.
        DeclarationError: the declarations do not hold.
    """
    try:
        return deployment.ingestion(name)
    except UnknownIngestionError:
        with deployment.ledger.transaction() as connection:
            before = applied_declaration.applied(connection, name)
            known = applied_declaration.known_as(connection, name)
        if known is None:
            raise
        table, address = known
        declared = before or {
            "source": {"uri": address or "file:///unknown/"},
            "format": {"type": "json"},
            "table": {"identifier": table},
        }
        plain = name.partition("~")[0]  # of a former one: see `ledger.former`
        found = Ingestion.model_validate({**declared, "name": plain})
        return found.model_copy(update={"name": name})
