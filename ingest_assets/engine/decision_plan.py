"""What a person decides about the schema of an ingestion's table, planned before anything is done.

The files that wait for the decision are read again at the next tick or pass, by the new schema.
"""

import itertools
from dataclasses import dataclass

from ingest_assets.decision_errors import DecisionRefusedError, ReshapeRefusedError
from ingest_assets.deployment import Deployment
from ingest_assets.engine.active_columns import effective_columns
from ingest_assets.engine.decided_columns import Fills, accepted_columns, columns_after
from ingest_assets.engine.ingestion_table import open_table
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import registry, schema_versions
from ingest_assets.ledger.decisions import SchemaDecision
from ingest_assets.ledger.registry import VersionRow
from ingest_assets.schema.column import Columns
from ingest_assets.schema.difference import difference
from ingest_assets.schema.resolution import Resolution
from ingest_assets.schema.types import columns_from_json, columns_to_json
from ingest_assets.tables.catalog import table_exists
from ingest_assets.tables.operations import Fill, Operation
from ingest_assets.tables.reshape_plan import ReshapePlan, plan_reshape
from ingest_assets.tables.target import Target
from ingest_assets.tables.wanted_columns import operations_to_hold


@dataclass(frozen=True)
class Basis:
    """What a decision is made on: the active version's number, and the columns as they are."""

    version: int | None
    columns: Columns
    target: Target
    route: str = ""


@dataclass(frozen=True)
class DecisionPlan:
    """What would happen; nothing of it has.

    `pending` is the version that the decision is about, None for a change asked for by itself.
    `after` are the columns afterwards. `table` is what becomes of the Iceberg table, None if it
    stays as it is. `new_table` is the one that the files get for themselves.
    """

    ingestion: Ingestion
    action: str
    basis: Basis
    after: Columns
    operations: tuple[Operation, ...] = ()
    pending: VersionRow | None = None
    table: ReshapePlan | None = None
    new_table: str | None = None

    def decision(self, actor: str, note: str) -> SchemaDecision:
        """The decision as the ledger keeps it."""
        found = difference(self.basis.columns, self._decided_on())
        fields = columns_to_json(self.after)
        # Not the columns themselves: types are equal whatever their fields' metadata says.
        is_new = fields != columns_to_json(self.basis.columns)
        return SchemaDecision(
            action=self.action,
            actor=actor,
            note=note,
            version=self.pending.version if self.pending else None,
            base_version=self.basis.version,
            fields=fields if is_new or self.new_table else None,
            verdict=found.verdict.value,
            compatibility=found.compatibility.value,
            diff=found.to_json(),
            detail={"ddl": list(self.table.ddl)} if self.table else None,
            route=self.basis.route,
            new_route=self.new_table,
        )

    def _decided_on(self) -> Columns:
        """What the diff of the decision leads to: for an ignored one, what the files have."""
        if self.action == Resolution.IGNORE and self.pending is not None:
            return columns_from_json(self.pending.fields)
        return self.after


def basis(deployment: Deployment, ingestion: Ingestion, route: str = "") -> Basis:
    """The schema that the next batch of the table would compare its files with.

    Raises:
        DecisionRefusedError: there is none before the first file.
        TableMissingError, TableOwnershipError, CatalogError, LedgerError
    """
    deployment.ledger.register(ingestion.name, ingestion.table.identifier)
    with deployment.ledger.transaction() as connection:
        active = schema_versions.active(connection, ingestion.name, route)
        is_written = schema_versions.was_ever_written(connection, ingestion.name, route)
        common = registry.common_columns(connection, ingestion.name, route)
    known = None if active is None else columns_from_json(active.fields)
    ingestion = ingestion.for_table(route, common)
    target = open_table(deployment, ingestion, must_exist=is_written, route=route)
    columns = effective_columns(known, target.columns)
    if columns is None:
        raise DecisionRefusedError(
            f"{ingestion.name} has no table yet, so there is no schema to decide about. Ingest a "
            "file first."
        )
    return Basis(active.version if active else None, columns, target, route)


def plan_resolution(
    deployment: Deployment,
    ingestion: Ingestion,
    version: int,
    resolution: Resolution,
    fills: Fills | None = None,
) -> DecisionPlan:
    """What the resolution of a PENDING version would do.

    Raises:
        UnknownVersionError: there is no such version.
        DecisionRefusedError, ReshapeRefusedError: it cannot be done; says what can.
    """
    pending = pending_version(deployment, ingestion, version)
    found = basis(deployment, ingestion, pending.route)
    if resolution is Resolution.NEW_TABLE:
        return _new_table(deployment, ingestion, found, pending)
    after = columns_after(found.columns, pending, resolution, fills or {})
    try:
        return planned(ingestion, resolution.value, found, after, fills or {}, pending)
    except ReshapeRefusedError as error:
        if resolution is Resolution.ACCEPT and _can_merge(ingestion, found, pending):
            said = f"{error} Or merge: it makes {error.column} text, and both shapes fit."
            raise ReshapeRefusedError(said, error.column) from None
        raise


def pending_version(deployment: Deployment, ingestion: Ingestion, version: int) -> VersionRow:
    """The version, which waits for a decision.

    Raises:
        UnknownVersionError: there is no such version.
        DecisionRefusedError: it does not wait; says what became of it.
    """
    with deployment.ledger.transaction() as connection:
        row = registry.version(connection, ingestion.name, version)
    if row.status == "PENDING":
        return row
    decided = f" ({row.resolution} by {row.resolved_by})" if row.resolution else ""
    raise DecisionRefusedError(
        f"Version {row.version} of {ingestion.name} is {row.status}{decided}; only a PENDING "
        "version waits for a decision."
    )


def _can_merge(ingestion: Ingestion, found: Basis, pending: VersionRow) -> bool:
    after = columns_after(found.columns, pending, Resolution.MERGE, {})
    try:
        planned(ingestion, Resolution.MERGE.value, found, after, {}, pending)
    except ReshapeRefusedError:
        return False
    return True


def _new_table(
    deployment: Deployment, ingestion: Ingestion, found: Basis, pending: VersionRow
) -> DecisionPlan:
    """The files go on in `<table>_v2`, or the next number that is free."""
    if pending.file_count == 0:
        raise DecisionRefusedError(
            f"Version {pending.version} was brought by the declaration and by no file, so there is "
            "nothing for a table of its own."
        )
    numbers = (f"{ingestion.table.identifier}_v{number}" for number in itertools.count(2))
    with deployment.ledger.transaction() as connection:
        known = registry.tables_of_all(connection)
    catalog = deployment.catalog
    identifier = next(n for n in numbers if n not in known and not table_exists(catalog, n))
    after = accepted_columns((), pending)
    return DecisionPlan(
        ingestion, Resolution.NEW_TABLE.value, found, after, (), pending, None, identifier
    )


def planned(
    ingestion: Ingestion,
    action: str,
    found: Basis,
    after: Columns,
    fills: Fills,
    pending: VersionRow | None = None,
) -> DecisionPlan:
    """The plan after which the table holds `after`, with values for the rows there are."""
    operations = operations_to_hold(found.columns, after)
    operations += tuple(Fill(column, value) for column, value in fills.items())
    if not operations or found.target.base is None:
        return DecisionPlan(ingestion, action, found, after, (), pending)
    table = plan_reshape(found.target.base, operations)
    return DecisionPlan(ingestion, action, found, after, operations, pending, table)
