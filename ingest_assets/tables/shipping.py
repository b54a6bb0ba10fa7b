"""A table taken along to a machine without the catalog, to write data files for it there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.io import load_file_io
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.types import NestedField

from ingest_assets.schema.column import Columns
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import Target

_FILE_IO = ("py-io-impl", "s3.", "client.", "gcs.", "adls.", "hdfs.", "hf.")
"""What the properties of a file system begin with; a catalog has others beside, and passwords."""
_SIGNER = ("uri", "token")
"""What a REST catalog that signs each request needs besides."""

Fields = tuple[NestedField, ...]


@dataclass(frozen=True)
class ShippedTable:
    """What it takes to write data files: the metadata with what is staged, and the file system.

    It can be pickled. `io_properties` may hold keys of the warehouse.
    """

    identifier: str
    metadata: TableMetadata
    lineage: Columns
    io_properties: Mapping[str, str] = field(repr=False)

    def target(self) -> Target:
        """The table as it was when it was shipped; what is staged on it stays here.

        Field ids are given as they would be there, so that data files fit the same changes of the
        schema that are staged there later. Nothing can be committed.

        Raises:
            CatalogError: the warehouse is out of reach.
        """
        with reachable(self.identifier):
            io = load_file_io(dict(self.io_properties), self.metadata.location)
        name = tuple(self.identifier.split("."))
        table = Table(name, self.metadata, "", io, NoopCatalog("none"))
        target = Target(table.catalog, self.identifier, TableLayout(), _NOBODY, table)
        target.lineage = self.lineage
        return target


_NOBODY = Owner("", "")


def fields_of(target: Target) -> Fields:
    """The fields that data files are written with, the staged ones too, with their ids."""
    return tuple(target.metadata.schema().fields)


def is_there(target: Target, data_file: DataFile) -> bool:
    """The data file that was written elsewhere is in the warehouse as it is seen from here.

    Raises:
        CatalogError: the warehouse is out of reach.
    """
    with reachable(target.identifier):
        return bool(target.io.new_input(data_file.file_path).exists())


def ship(target: Target) -> ShippedTable:
    """The table as it is staged, without its history, which may be long."""
    metadata = target.metadata
    metadata = metadata.model_copy(
        update={
            "schemas": [metadata.schema()],
            "snapshots": [],
            "current_snapshot_id": None,
            "refs": {},
            "snapshot_log": [],
            "metadata_log": [],
        }
    )
    properties = {
        name: value
        for name, value in target.io.properties.items()
        if name.startswith(_FILE_IO) or (name in _SIGNER and "s3.signer" in target.io.properties)
    }
    return ShippedTable(target.identifier, metadata, target.lineage, properties)
