"""Changes of a table's schema that a person asks for by themselves, planned like resolutions."""

from dataclasses import replace

import pyarrow as pa

from ingest_assets.decision_errors import DecisionRefusedError
from ingest_assets.deployment import Deployment
from ingest_assets.engine.decided_columns import Fills
from ingest_assets.engine.decision_plan import Basis, DecisionPlan, basis, planned
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import registry
from ingest_assets.schema.column import Column, Columns
from ingest_assets.schema.promotion import is_promotion
from ingest_assets.schema.types import format_type
from ingest_assets.tables.operations import Constant, Drop, Expression, Operation, Rename
from ingest_assets.tables.reshape_plan import plan_reshape


def plan_add_column(
    deployment: Deployment,
    ingestion: Ingestion,
    name: str,
    type_: pa.DataType,
    *,
    description: str | None = None,
    value: Constant | Expression | None = None,
    table: str | None = None,
) -> DecisionPlan:
    """A new optional column; the rows that are there have `value` in it, or null.

    `table` is one that a shape of the ingestion has for itself, None the declared one.

    Raises:
        DecisionRefusedError, ReshapeRefusedError: it cannot be added.
    """
    found = _basis(deployment, ingestion, table)
    if any(column.name == name for column in found.columns):
        raise DecisionRefusedError(f"{ingestion.name} has a column {name} already.")
    after = (*found.columns, Column(name, type_, description=description))
    fills: Fills = {} if value is None else {name: value}
    return planned(ingestion, "add_column", found, after, fills)


def plan_widen(
    deployment: Deployment,
    ingestion: Ingestion,
    name: str,
    type_: pa.DataType,
    table: str | None = None,
) -> DecisionPlan:
    """The column becomes wider, in place; `table` as of `plan_add_column`.

    Raises:
        DecisionRefusedError: Iceberg has no such promotion.
    """
    found = _basis(deployment, ingestion, table)
    column = _column(ingestion, found, name)
    if not is_promotion(column.type, type_):
        raise DecisionRefusedError(
            f"Iceberg cannot widen {name} from {format_type(column.type)} to {format_type(type_)}: "
            "it widens int to long, float to double, and a decimal to more digits of one scale."
        )
    after = _with(found.columns, replace(column, type=type_))
    return planned(ingestion, "widen", found, after, {})


def plan_rename_column(
    deployment: Deployment,
    ingestion: Ingestion,
    name: str,
    new_name: str,
    table: str | None = None,
) -> DecisionPlan:
    """The column keeps its values and has another name; files spell it that way from now on.

    `table` is as of `plan_add_column`.

    Raises:
        DecisionRefusedError, ReshapeRefusedError: it cannot be renamed.
    """
    found = _basis(deployment, ingestion, table)
    column = _free_column(ingestion, found, name)
    renamed = replace(column, name=new_name, source_name=None)
    after = tuple(renamed if c.name == name else c for c in found.columns)
    return _by(ingestion, "rename_column", found, after, Rename((name,), new_name))


def plan_drop_column(
    deployment: Deployment, ingestion: Ingestion, name: str, table: str | None = None
) -> DecisionPlan:
    """Readers do not see the column any more; what files bring for it is rescued from now on.

    `table` is as of `plan_add_column`.

    Raises:
        DecisionRefusedError, ReshapeRefusedError: it cannot be dropped.
    """
    found = _basis(deployment, ingestion, table)
    _free_column(ingestion, found, name)
    after = tuple(column for column in found.columns if column.name != name)
    return _by(ingestion, "drop_column", found, after, Drop((name,)))


def _basis(deployment: Deployment, ingestion: Ingestion, table: str | None) -> Basis:
    if table in (None, ingestion.table.identifier):
        return basis(deployment, ingestion)
    with deployment.ledger.transaction() as connection:
        routes = registry.routes(connection, ingestion.name)
    if table not in routes:
        known = ", ".join([ingestion.table.identifier, *sorted(filter(None, routes))])
        raise DecisionRefusedError(f"{ingestion.name} has no table {table}; it has {known}.")
    return basis(deployment, ingestion, table)


def _by(
    ingestion: Ingestion, action: str, found: Basis, after: Columns, operation: Operation
) -> DecisionPlan:
    base = found.target.base
    table = None if base is None else plan_reshape(base, (operation,))
    return DecisionPlan(ingestion, action, found, after, (operation,), None, table)


def _column(ingestion: Ingestion, found: Basis, name: str) -> Column:
    for column in found.columns:
        if column.name == name:
            return column
    known = ", ".join(column.name for column in found.columns)
    raise DecisionRefusedError(f"{ingestion.name} has no column {name}; it has {known}.")


def _free_column(ingestion: Ingestion, found: Basis, name: str) -> Column:
    """The column, if rows are not merged by it."""
    column = _column(ingestion, found, name)
    for field, named in ingestion.table.named_columns:
        if named == name:
            raise DecisionRefusedError(
                f"Rows of {ingestion.name} are merged by {name}: table.{field} of the declaration "
                "names it. Nothing was changed. Declare another column there first."
            )
    return column


def _with(columns: Columns, changed: Column) -> Columns:
    return tuple(changed if column.name == changed.name else column for column in columns)
