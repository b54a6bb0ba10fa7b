"""A changed declaration of the columns becomes a version: applied, or waiting for a decision."""

from typing import Any

from ingest_assets.deployment import Deployment
from ingest_assets.engine.ingestion_table import open_table
from ingest_assets.engine.schema_state import SchemaState, known_schema, open_state
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import declared_columns, schema_versions
from ingest_assets.ledger.declared_columns import Noted
from ingest_assets.ledger.row_locks import lock_ingestion
from ingest_assets.schema.declared_columns import DeclaredChange, DeclaredColumns, declared_change
from ingest_assets.schema.types import columns_from_json, columns_to_json
from ingest_assets.tables.declared_columns import hold_columns


def apply_declaration(deployment: Deployment, ingestion: Ingestion) -> str | None:
    """The newest version is as declared; or, in one line, what stands against that.

    Looks at the table only when the declaration has changed since it was last applied or refused,
    so that versions that came later stay. Of a change that breaks, nothing is applied: it is a
    PENDING version, and the ingestion goes on as it was. A table that is not there yet gets the
    columns with its first rows.

    Raises:
        CatalogError, LedgerError: a service is out of reach; the next call tries again.
        TableChangedError, TableOwnershipError, ColumnNameError: nothing was changed.
    """
    ledger, name = deployment.ledger, ingestion.name
    rules = ingestion.schema_rules
    declared = DeclaredColumns(rules.declared_columns, frozenset(rules.optional_columns))
    with ledger.transaction() as connection:
        newest = declared_columns.newest(connection, name)
        if newest is None and declared == DeclaredColumns():
            return None
        if newest is not None and newest.declared == _to_json(declared):
            is_open = newest.refused and declared_columns.waits(connection, name, newest.refused)
            return newest.why if is_open else None
    with ledger.transaction() as connection:
        lock_ingestion(connection, name)
        newest = declared_columns.newest(connection, name)
        if newest is not None and newest.declared == _to_json(declared):
            return newest.why  # another process was faster
        if declared_columns.is_changed_by_batch(connection, name):
            return None  # the next call finds the version that the batch makes
        last = declared_columns.newest(connection, name, applied=True)
        before = DeclaredColumns() if last is None else _from_json(last.declared)
        known = known_schema(ledger, name)
        table = open_table(deployment, ingestion, must_exist=False)
        state = open_state(known, table, None)
        change = declared_change(state.columns, before, declared)
        index = _bring(state, change)
        numbers = schema_versions.apply(connection, name, None, state.changes)
        version = state.version if index is None else numbers[index]
        noted = Noted(_to_json(declared))
        if change.causes:
            noted = Noted(noted.declared, version, _why(change, version))
        elif version is not None:
            fields = columns_to_json(change.target)
            schema_versions.describe(connection, name, version, fields)
        if newest is not None and newest.refused and newest.refused != noted.refused:
            declared_columns.withdraw(connection, name, newest.refused)
        declared_columns.note(connection, name, noted)
    return noted.why


def _bring(state: SchemaState, change: DeclaredChange) -> int | None:
    """The index of the change that the declaration makes; None where it makes none."""
    if change.causes:
        required = frozenset(column.name for column in change.wanted if column.is_required)
        return state.park(change.wanted, change.difference, None, required)
    before = {column.name: column for column in state.columns or ()}
    if change.target == tuple(before.values()):
        return state.change_index
    docs = {
        column.name: column.description or column.source_name or ""
        for column in change.target
        if column.name in before and before[column.name].description != column.description
    }
    if state.target.base is not None:
        hold_columns(state.target, change.target, docs)
    return state.declare(change.target, change.difference)


def _why(change: DeclaredChange, version: int | None) -> str:
    causes = "; ".join(cause.explanation("the declaration") for cause in change.causes)
    return (
        f"schema.columns are not applied: {causes}. Files go on by the version before; version "
        f"{version} waits for a decision, or declare the columns as they were"
    )


def _to_json(declared: DeclaredColumns) -> dict[str, Any]:
    return {
        "columns": columns_to_json(declared.columns),
        "optional": sorted(declared.optional),
    }


def _from_json(stored: dict[str, Any]) -> DeclaredColumns:
    return DeclaredColumns(columns_from_json(stored["columns"]), frozenset(stored["optional"]))
