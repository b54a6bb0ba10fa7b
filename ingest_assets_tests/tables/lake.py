"""A catalog for one test, and the way of a batch through it in few words."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from ingest_assets.declaration.table_terms import PartitionTerm, SortTerm
from ingest_assets.schema.column import Column, Columns
from ingest_assets.tables.commit import Committed, Prepared, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import Target, open_target

OWNER = Owner("orders", "ledger-1")
IDENTIFIER = "raw.orders"
NOW = datetime(2024, 5, 1, tzinfo=UTC)


def columns(**types: pa.DataType) -> Columns:
    """Columns of these names and types."""
    return tuple(Column(name, type_) for name, type_ in types.items())


def layout(
    *partition_by: str, sort_by: Sequence[str] = (), properties: dict[str, str] | None = None
) -> TableLayout:
    """The layout of these terms."""
    return TableLayout(
        tuple(PartitionTerm.parse(term) for term in partition_by),
        tuple(SortTerm.parse(term) for term in sort_by),
        tuple((properties or {}).items()),
    )


def file_rows(file_id: int, rows: pa.Table) -> pa.Table:
    """The rows with the lineage columns of one file."""
    rows = rows.append_column("_source_row", pa.array(range(rows.num_rows), pa.int64()))
    rows = rows.append_column("_rescued_data", pa.nulls(rows.num_rows, pa.string()))
    origin = Origin(f"s3://b/{file_id}", file_id, file_id * 10, rows.num_rows)
    return with_lineage(rows, [origin], NOW)


@dataclass
class Lake:
    """A catalog and what tests do with it."""

    catalog: Catalog
    identifier: str = IDENTIFIER
    owner: Owner = field(default=OWNER)

    def open(self, wanted: TableLayout | None = None) -> Target:
        """The table, as a batch opens it."""
        return open_target(
            self.catalog, self.identifier, wanted or layout(), self.owner, must_exist=False
        )

    def stage(
        self, target: Target, wanted: Columns, files: dict[int, pa.Table], ids: Any = None
    ) -> Prepared:
        """The files' rows are in data files; `ids` leave with the commit, by default theirs."""
        target.evolve(wanted)
        batch_id = uuid.uuid4().hex
        writer = DataFileWriter(target, batch_id)
        for file_id, rows in files.items():
            writer.write(file_rows(file_id, rows))
        ids = list(files) if ids is None else list(ids)
        return Prepared(batch_id, target, writer.finish(), "_file_id", ids)

    def write(
        self,
        files: dict[int, pa.Table],
        wanted: TableLayout | None = None,
        ids: Any = None,
        shape: Columns | None = None,
    ) -> Committed:
        """One batch of these files is in the table."""
        first = next(iter(files.values()), None)
        if shape is None and first is not None:
            shape = columns(**{f.name: f.type for f in first.schema})
        return commit(self.stage(self.open(wanted), shape or (), files, ids), lambda: True)

    @property
    def table(self) -> Table:
        """The table as it is now."""
        return self.catalog.load_table(self.identifier)

    def column(self, name: str) -> list[Any]:
        """The values of a column, sorted."""
        return sorted(self.table.scan().to_arrow()[name].to_pylist())

    def addresses(self) -> list[str]:
        """Where the data files are that the current snapshot names."""
        return sorted(task.file.file_path for task in self.table.scan().plan_files())


def read_by_duckdb(addresses: list[str], selection: str = "*") -> pa.Table:
    """The rows of local Parquet files as duckdb reads them."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = [address.removeprefix("file://") for address in addresses]
        relation = connection.sql(
            f"SELECT {selection} FROM read_parquet($names, union_by_name = true, "
            "hive_partitioning = false)",
            params={"names": names},
        )
        found = relation.arrow()
        return found.read_all() if isinstance(found, pa.RecordBatchReader) else found
