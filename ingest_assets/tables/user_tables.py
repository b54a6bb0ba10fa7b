"""Tables of ordinary assets: read with a filter, and replaced in one snapshot."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.table import Table

from ingest_assets.errors import TableMissingError, TableOwnershipError, UnsupportedTypeError
from ingest_assets.schema.column import Column
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.iceberg_types import arrow_file_schema, iceberg_form, to_arrow
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import INGESTION_PROPERTY
from ingest_assets.tables.live_rows import live_rows
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.replacement import is_in
from ingest_assets.tables.target import Target, open_target


@dataclass(frozen=True)
class _Asset(Owner):
    """An asset of a user: its table has no mark of it, and no ingestion's either."""

    ingestion: str = ""
    ledger_id: str = ""

    def properties(self) -> dict[str, str]:
        """None."""
        return {}

    def check(self, identifier: str, table: Table) -> None:
        """No ingestion writes the table."""
        if INGESTION_PROPERTY in table.properties:
            raise TableOwnershipError(
                f"{identifier} is written by the ingestion "
                f"{table.properties[INGESTION_PROPERTY]!r}; give the asset another key."
            )


def read(
    catalog: Catalog, identifier: str, *, column: str | None, values: Sequence[Any]
) -> pa.RecordBatchReader:
    """The rows of the table whose `column` is one of `values`; all rows without a column.

    They are read as the reader is, so what it raises then may be pyarrow's own.

    Raises:
        TableMissingError: there is no such table yet.
        CatalogError: the catalog is out of reach.
    """
    with reachable(identifier):
        table = _existing(catalog, identifier)
        condition = AlwaysTrue() if column is None else is_in(column, values)
        tasks = list(table.scan(row_filter=condition).plan_files())
    schema = table.schema()
    wanted = None
    if column is not None:
        wanted = pa.array(sorted(values)).cast(to_arrow(schema.find_field(column).field_type))

    def batches() -> Iterator[pa.RecordBatch]:
        for task in tasks:
            for rows in live_rows(table, task, schema):
                kept = rows if wanted is None else rows.filter(pc.is_in(rows[column], wanted))
                yield from kept.to_batches()

    return pa.RecordBatchReader.from_batches(arrow_file_schema(schema), batches())


def ingestion_of(catalog: Catalog, identifier: str) -> str | None:
    """The name of the ingestion that writes the table; None for a table of an ordinary asset.

    Raises:
        TableMissingError, CatalogError: as `read`.
    """
    with reachable(identifier):
        return _existing(catalog, identifier).properties.get(INGESTION_PROPERTY)


def replace(
    catalog: Catalog,
    identifier: str,
    rows: pa.Table,
    *,
    column: str | None,
    values: Sequence[Any],
) -> int | None:
    """The rows with `values` in `column` (all rows without a column) are exactly `rows` now.

    One snapshot, whose id is returned, None if there was nothing to do. New columns are added to
    the table, and columns of it that are required become optional.

    Raises:
        TableOwnershipError: the table belongs to an ingestion.
        UnsupportedTypeError: a column has a type that Iceberg, or the column, cannot take.
        ValueError: a row has none of `values` in `column`: the next run would not replace it.
        CommitConflictError: others were faster too often; the table is unchanged.
        CatalogError, CommitUnknownError: as for a batch; writing again is safe.
    """
    target = open_target(catalog, identifier, TableLayout(), _Asset(), must_exist=False)
    target.lineage = ()
    try:
        columns = tuple(Column(field.name, iceberg_form(field.type)) for field in rows.schema)
        target.evolve(columns)
    except UnsupportedTypeError as error:
        raise UnsupportedTypeError(
            f"{identifier} cannot take these rows: {error} Nothing was written."
        ) from error
    if column is not None:
        _check_partition(target, rows, column, values)
    name = uuid.uuid4().hex
    writer = DataFileWriter(target, name)
    writer.write(rows)
    return commit(Prepared(name, target, writer.finish(), column, values), lambda: True).snapshot_id


def _check_partition(target: Target, rows: pa.Table, column: str, values: Sequence[Any]) -> None:
    if column not in rows.column_names:
        raise ValueError(
            f"The rows for {target.identifier} lack its partition column {column}; they have "
            f"{', '.join(rows.column_names)}. Nothing was written."
        )
    wanted = pa.array(sorted(values)).cast(
        to_arrow(target.metadata.schema().find_field(column).field_type)
    )
    others = rows.filter(pc.invert(pc.is_in(rows[column].cast(wanted.type), wanted)))
    if others.num_rows:
        raise ValueError(
            f"{others.num_rows} rows for {target.identifier} are not of the partition that was "
            f"asked for ({column} is {others[column][0].as_py()!r}, for one); nothing was written. "
            "Return the rows of the partition only."
        )


def _existing(catalog: Catalog, identifier: str) -> Table:
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError as error:
        raise TableMissingError(
            f"There is no table {identifier} yet, so there is nothing to read. Materialize its "
            "asset first."
        ) from error
