"""A table as it would become: the same staging and the same data files, and nothing is kept.

Schema changes are staged as ever, on the table that was loaded or on none. Data files are written
by the writer of batches to a place that counts bytes and forgets them, so their sizes are true.
"""

import io
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.table import CreateTableTransaction, StagedTable, Transaction
from pyiceberg.table.metadata import new_table_metadata
from pyiceberg.typedef import EMPTY_DICT

from ingest_assets.schema.column import Columns
from ingest_assets.tables import evolution
from ingest_assets.tables.ddl import ddl_of
from ingest_assets.tables.evolution import AddField, PromoteField, changes_to_hold
from ingest_assets.tables.layout import TableLayout, partition_spec, sort_order
from ingest_assets.tables.operations import AddColumn, Promote
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.rejected import REJECTED_LINEAGE, SUFFIX
from ingest_assets.tables.target import Target

_NOWHERE = "preview://nowhere"


class _Counted(OutputFile):
    """Bytes are counted as they come, and gone."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.stream: pa.MockOutputStream = pa.MockOutputStream()

    def __len__(self) -> int:
        return int(self.stream.size())

    def exists(self) -> bool:
        return False

    def create(self, overwrite: bool = False) -> OutputStream:
        stream: OutputStream = self.stream
        return stream

    def to_input_file(self) -> InputFile:
        return _Size(self.location, len(self))


class _Size(InputFile):
    """What is left of a file that was written: its size."""

    def __init__(self, location: str, size_bytes: int) -> None:
        super().__init__(location)
        self._size_bytes = size_bytes

    def __len__(self) -> int:
        return self._size_bytes

    def exists(self) -> bool:
        return False

    def open(self, seekable: bool = True) -> InputStream:
        raise io.UnsupportedOperation(f"{self.location} was written to nowhere")


class _Nowhere(FileIO):
    """Takes files and keeps their sizes."""

    def __init__(self) -> None:
        super().__init__(EMPTY_DICT)
        self._written: dict[str, _Counted] = {}

    def new_output(self, location: str) -> OutputFile:
        self._written[location] = _Counted(location)
        return self._written[location]

    def new_input(self, location: str) -> InputFile:
        return self._written[location].to_input_file()

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Nothing is there."""


@dataclass
class ScratchTarget(Target):
    """A target whose commit there is none of; the catalog is never told of anything."""

    _io: _Nowhere = field(default_factory=_Nowhere)

    @property
    def io(self) -> FileIO:
        """Where data files go: nowhere."""
        return self._io

    @cached_property
    def _catalog(self) -> Catalog:
        return NoopCatalog("preview")

    def _create(self, columns: Columns) -> Transaction:
        schema = evolution.new_schema((*columns, *self.lineage))
        metadata = new_table_metadata(
            schema,
            partition_spec(self.layout, schema),
            sort_order(self.layout, schema),
            _NOWHERE,
            {**self.layout.all_properties(), **self.owner.properties()},
        )
        identifier = tuple(self.identifier.split("."))
        table = StagedTable(identifier, metadata, _NOWHERE, self._io, self._catalog)
        return CreateTableTransaction(table)

    @property
    def row_count(self) -> int | None:
        """The rows that the table has by its snapshot's word; None where there is no table."""
        if self.base is None:
            return None
        snapshot = self.base.current_snapshot()
        summary = None if snapshot is None else snapshot.summary
        return int((summary["total-records"] if summary else None) or 0)

    def ddl(self) -> list[str]:
        """What is staged, as the SQL that Spark has for it; empty for no change."""
        if self.base is None:
            return [] if self._staged is None else [self._create_statement()]
        before = self.base.schema()
        statements: list[str] = []
        for change in changes_to_hold(before, (*(self.columns or ()), *self.lineage)):
            match change:
                case AddField(path, type_, doc):
                    statements += ddl_of(self.identifier, AddColumn(path, type_, doc), before)
                case PromoteField(path, type_):
                    statements += ddl_of(self.identifier, Promote(path, type_), before)
        return statements

    def _create_statement(self) -> str:
        metadata = self.metadata
        lines = [
            statement.partition("ADD COLUMN ")[2]
            for column in self.columns or ()
            for statement in ddl_of(
                self.identifier,
                AddColumn((column.name,), column.type, column.source_name),
                metadata.schema(),
            )
        ]
        body = ",\n".join(f"  {line}" for line in lines)
        terms = ", ".join(map(_term_text, self.layout.partition_by))
        partitions = f"\nPARTITIONED BY ({terms})" if terms else ""
        return f"CREATE TABLE {self.identifier} (\n{body}\n) USING iceberg{partitions}"


def _term_text(term: object) -> str:
    transform, column, width = (getattr(term, name) for name in ("transform", "column", "width"))
    if transform == "identity":
        return str(column)
    inside = f"{width}, {column}" if width else str(column)
    return f"{transform}({inside})"


def scratch_of(target: Target) -> ScratchTarget:
    """The same table, and what is done to it is done to nothing."""
    return ScratchTarget(
        NoopCatalog("preview"),
        target.identifier,
        target.layout,
        target.owner,
        target.base,
        target.lineage,
    )


def new_scratch(identifier: str, layout: TableLayout, owner: Owner) -> ScratchTarget:
    """A table that is not there yet."""
    return ScratchTarget(NoopCatalog("preview"), identifier, layout, owner, None)


def rejected_scratch(identifier: str, owner: Owner) -> ScratchTarget:
    """The table of rejected rows beside the table `identifier`, as if there were none yet."""
    target = new_scratch(identifier + SUFFIX, TableLayout(), owner)
    target.lineage = REJECTED_LINEAGE
    return target
