"""The table of an ingestion as a first batch would find it, for changes that are never made."""

from dataclasses import dataclass

from ingest_assets.engine.ingestion_table import open_table
from ingest_assets.engine.preview.services import Services
from ingest_assets.engine.schema_state import KnownSchema, SchemaState, known_schema, open_state
from ingest_assets.engine.source_state import open_source
from ingest_assets.errors import ConfigurationError, FileContentError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import declared_columns
from ingest_assets.schema.column import Columns
from ingest_assets.schema.declared_columns import DeclaredColumns, declared_change
from ingest_assets.schema.types import columns_from_json
from ingest_assets.tables.layout import layout_of
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.scratch import (
    ScratchTarget,
    new_scratch,
    rejected_scratch,
    scratch_of,
)
from ingest_assets.transforms.errors import TransformDeclarationError

_NOTHING_KNOWN = KnownSchema(None, "", (), (), None, was_ever_written=False)
_NEW_LEDGER = "a ledger that is not made yet"


@dataclass(frozen=True)
class OpenedTable:
    """`state`: what the first file is compared with. `before`: the table's columns as they are.

    `exists`: None where nobody could be asked. `refusal`: why the declaration may not write to it;
    then the state is that of a new table.
    """

    state: SchemaState
    target: ScratchTarget
    rejected: ScratchTarget
    before: Columns | None
    exists: bool | None
    version: int | None
    refusal: str | None = None
    note: str | None = None


def opened_table(services: Services, ingestion: Ingestion) -> OpenedTable:
    """The table with the columns that the declaration asks for, staged on nothing.

    Raises:
        CatalogError, LedgerError: a service that answered before does not.
    """
    known, owner = _NOTHING_KNOWN, Owner(ingestion.name, _NEW_LEDGER)
    if services.has_ledger:
        known = known_schema(services.deployment.ledger, ingestion.name)
        owner = services.deployment.owner(ingestion)
    target, refusal = _target(services, ingestion, owner, known)
    state = open_state(known, target, None)
    exists = target.base is not None if services.has_catalog else None
    if services.has_no_table:
        exists = False
    before, version = (state.columns if exists else None), state.version
    note = None
    try:
        note = _declare(services, ingestion, state)
        open_source(ingestion, known.source, state)
    except (FileContentError, TransformDeclarationError) as error:
        refusal = refusal or str(error)
    return OpenedTable(
        state,
        target,
        rejected_scratch(ingestion.table.identifier, owner),
        before,
        exists,
        version,
        refusal,
        note,
    )


def _target(
    services: Services, ingestion: Ingestion, owner: Owner, known: KnownSchema
) -> tuple[ScratchTarget, str | None]:
    refusal = None
    if services.has_catalog:
        try:
            must_exist = known.was_ever_written
            found = open_table(services.deployment, ingestion, owner=owner, must_exist=must_exist)
            return scratch_of(found), None
        except ConfigurationError as error:
            refusal = str(error)
    return new_scratch(ingestion.table.identifier, layout_of(ingestion.table), owner), refusal


def _declare(services: Services, ingestion: Ingestion, state: SchemaState) -> str | None:
    """Staged: the table has the declared columns, as the next tick would have it; or why not."""
    rules = ingestion.schema_rules
    declared = DeclaredColumns(rules.declared_columns, frozenset(rules.optional_columns))
    last = DeclaredColumns()
    if services.has_ledger:
        with services.deployment.ledger.transaction() as connection:
            noted = declared_columns.newest(connection, ingestion.name, applied=True)
        if noted is not None:
            fields, optional = noted.declared["columns"], noted.declared["optional"]
            last = DeclaredColumns(columns_from_json(fields), frozenset(optional))
    if declared == last:
        return None
    change = declared_change(state.columns, last, declared)
    if change.causes:
        causes = "; ".join(cause.explanation("the declaration") for cause in change.causes)
        return f"schema.columns would not be applied, and wait for a decision: {causes}."
    if change.target and change.target != state.columns:
        if state.target.base is not None:
            state.target.evolve(change.target)
        state.declare(change.target, change.difference)
    return None
