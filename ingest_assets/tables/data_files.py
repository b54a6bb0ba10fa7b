"""Parquet data files of a table, written while rows stream in, invisible until a commit names them.

A data file takes rows until it holds `write.target-file-size-bytes` of Arrow data. In a partitioned
table each partition has its own open file; in a table with a sort order each flush is sorted and is
a file of its own, so that the order that a file claims is true of all its rows.
"""

import contextlib
import itertools
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.io.fileformat import FileFormatFactory, FileFormatWriter
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionKey
from pyiceberg.table import TableProperties
from pyiceberg.typedef import Record

from ingest_assets.errors import CatalogError
from ingest_assets.tables.arrangement import in_order, is_sorted, split_by_partition
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.conforming import conformed
from ingest_assets.tables.iceberg_types import arrow_file_schema
from ingest_assets.tables.target import Target

__all__ = ["DataFile", "DataFileWriter"]

FLUSH_BYTES = 16 * 1024**2
"""Arrow bytes that are gathered before a row group is written."""
_DICTIONARY_BYTES = 128 * 1024
"""Of a column in a row group. Iceberg's 2 MiB are for row groups of 128 MiB; in one of ours even a
column of ids stays below that, takes twice the CPU, and becomes larger than without a dictionary.
"""
OPEN_FILES = 32
"""Partitions with an open data file; one more closes the one that was written longest ago."""


@dataclass
class _OpenFile:
    path: str
    writer: FileFormatWriter
    partition: PartitionKey
    arrow_bytes: int = 0


class DataFileWriter:
    """Rows in, data files out; what was written is in `paths` even if it never finishes."""

    def __init__(self, target: Target, name: str, *, keeps_order: bool = False) -> None:
        """With `keeps_order` the rows come in the table's order already.

        Then each partition's rows are one data file, in the order in which they came.
        """
        self._target = target
        self._name = name
        self._keeps_order = keeps_order
        self._metadata = target.metadata
        self._schema = arrow_file_schema(self._metadata.schema())
        self._numbers = itertools.count()
        self._pending: list[pa.Table] = []
        self._pending_bytes = 0
        self._is_broken = False
        self._open: dict[Record, _OpenFile] = {}
        self._done: list[DataFile] = []
        self._format = FileFormatFactory.get(FileFormat.PARQUET)
        self.paths: list[str] = []

    @property
    def is_current(self) -> bool:
        """The table's schema is still the one that this writer writes."""
        return bool(self._metadata.schema() == self._target.metadata.schema())

    def write(self, *tables: pa.Table) -> None:
        """The rows of all tables will be in data files; columns that they lack are null.

        Raises:
            FileContentError: a row does not fit the schema; nothing of any table is kept.
            CatalogError: the warehouse is out of reach; `paths` says what is left there.
        """
        identifier = self._target.identifier
        fitting = [conformed(rows, self._schema, identifier) for rows in tables if rows.num_rows]
        for rows in fitting:
            self._pending.append(rows)
            self._pending_bytes += rows.nbytes
            if self._pending_bytes >= FLUSH_BYTES:
                self._flush()

    def finish(self) -> list[DataFile]:
        """Every row is in a closed data file; these are they.

        Raises:
            CatalogError: as `write`.
        """
        self._check_whole()
        self._flush()
        for key in list(self._open):
            self._close(key)
        return self._done

    def _check_whole(self) -> None:
        """Rows that a failed write took along are never passed over in silence."""
        if self._is_broken:
            raise CatalogError(
                f"The data files of {self._target.identifier} could not be written; nothing of "
                "them is in the table. The files are read again."
            )

    def discard(self) -> None:
        """What was written is deleted; no snapshot may name it.

        Raises:
            CatalogError: the warehouse is out of reach; orphans are left there.
        """
        self._pending, self._pending_bytes = [], 0
        opened, self._open = list(self._open.values()), {}
        for file in opened:
            # The one whose write failed cannot be closed, or never was begun.
            with contextlib.suppress(OSError, ValueError, pa.ArrowException):
                file.writer.close()
        self._target.delete(self.paths)

    def _flush(self) -> None:
        self._check_whole()
        if not self._pending:
            return
        self._is_broken = True  # until all of it is through
        rows = pa.concat_tables(self._pending)
        self._pending, self._pending_bytes = [], 0
        with reachable(self._target.identifier):
            for partition, part in split_by_partition(rows, self._metadata):
                ordered = part if self._keeps_order else in_order(part, self._metadata)
                self._append(partition, ordered)
        self._is_broken = False

    def _append(self, partition: PartitionKey, rows: pa.Table) -> None:
        key = partition.partition  # not its path, where null and the word are the same
        opened = self._open.pop(key, None) or self._new_file(partition)
        self._open[key] = opened
        opened.writer.write(rows)
        opened.arrow_bytes += rows.nbytes
        is_whole = is_sorted(self._metadata) or opened.arrow_bytes >= self._target_bytes
        if is_whole and not self._keeps_order:
            self._close(key)
        if len(self._open) > OPEN_FILES:
            self._close(next(iter(self._open)))

    @property
    def _target_bytes(self) -> int:
        return int(
            self._metadata.properties.get(
                TableProperties.WRITE_TARGET_FILE_SIZE_BYTES,
                TableProperties.WRITE_TARGET_FILE_SIZE_BYTES_DEFAULT,
            )
        )

    def _new_file(self, partition: PartitionKey) -> _OpenFile:
        name = f"{self._name}-{next(self._numbers):05d}.parquet"
        # The folder of no partition has no name, and S3 takes no empty part of an address.
        folder = partition if partition.field_values else None
        path = self._target.data_location(name, folder)
        self.paths.append(path)
        properties = {
            TableProperties.PARQUET_DICT_SIZE_BYTES: str(_DICTIONARY_BYTES),
            **self._metadata.properties,
        }
        writer = self._format.create_writer(
            self._target.io.new_output(path), self._metadata.schema(), properties
        )
        return _OpenFile(path, writer, partition)

    def _close(self, key: Record) -> None:
        opened = self._open.pop(key)
        was_broken, self._is_broken = self._is_broken, True
        with reachable(self._target.identifier):
            statistics = opened.writer.close()
            size_bytes = len(self._target.io.new_input(opened.path))
        self._done.append(
            DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=opened.path,
                file_format=FileFormat.PARQUET,
                partition=opened.partition.partition,
                file_size_in_bytes=size_bytes,
                sort_order_id=self._metadata.default_sort_order_id
                if is_sorted(self._metadata)
                else None,
                spec_id=self._metadata.default_spec_id,
                equality_ids=None,
                key_metadata=None,
                **statistics.to_serialized_dict(),
            )
        )
        self._is_broken = was_broken
