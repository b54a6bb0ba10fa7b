"""Which small data files of a table are to become one, partition by partition."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import LongType

from ingest_assets.maintenance_errors import MaintenanceRefusedError
from ingest_assets.tables.catalog_errors import reachable

FILE_ID = "_file_id"
SMALL = 0.75
"""Of the target size: a larger data file is left as it is."""
MAX_ROWS = 10_000_000
"""Of one new data file. The sort keys of so many rows are in memory at once."""


@dataclass(frozen=True)
class FileSizes:
    """How large a data file should be, and how many small ones of a partition are worth a new one.

    Small ones that come to a whole new file are enough, however few.
    """

    target_bytes: int
    min_files: int

    def is_small(self, file: DataFile) -> bool:
        """The file is one to be put together with others."""
        return (
            file.file_size_in_bytes < SMALL * self.target_bytes
            and file.record_count < SMALL * MAX_ROWS
        )


@dataclass(frozen=True)
class FileGroup:
    """Data files of one partition that become one, ordered by the files whose rows they hold."""

    partition: str
    tasks: tuple[FileScanTask, ...]

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return sum(task.file.file_size_in_bytes for task in self.tasks)

    @property
    def rows(self) -> int:
        """Of all of them, deleted ones too."""
        return sum(task.file.record_count for task in self.tasks)

    @property
    def has_deletes(self) -> bool:
        """Delete files of other engines name rows of it, which will be gone for good."""
        return any(task.delete_files for task in self.tasks)


def live_tasks(table: Table) -> list[FileScanTask]:
    """The data files of the current snapshot with the deletes that belong to each.

    Raises:
        MaintenanceRefusedError: rows are deleted in a way that PyIceberg cannot read.
        CatalogError: the warehouse is out of reach.
    """
    name = ".".join(table.name())
    with reachable(name):
        try:
            return list(table.scan().plan_files())
        except ValueError as error:
            if "equality deletes" not in str(error):
                raise
            raise MaintenanceRefusedError(
                f"{name} has equality deletes, which cannot be read here, so its data files are "
                "left as they are. Compact it with the engine that made them."
            ) from error


def file_groups(
    table: Table, tasks: Iterable[FileScanTask], sizes: FileSizes
) -> tuple[FileGroup, ...]:
    """What is to be put together, the partition with the most files first.

    Files of an older partition spec stay as they are.
    """
    spec_id = table.metadata.default_spec_id
    wanted = sorted(
        (
            (partition_text(table, task.file), *_lowest_file_id(table, task.file), index, task)
            for index, task in enumerate(tasks)
            if task.file.spec_id == spec_id and (sizes.is_small(task.file) or task.delete_files)
        ),
        key=lambda one: one[:-1],
    )
    found = [
        FileGroup(partition, tuple(part))
        for partition, files in groupby(wanted, key=lambda one: one[0])
        for part in _packed([one[-1] for one in files], sizes)
    ]
    return tuple(sorted(found, key=lambda group: -len(group.tasks)))


def _packed(tasks: Sequence[FileScanTask], sizes: FileSizes) -> Iterator[list[FileScanTask]]:
    """Neighbours, so that the files whose rows a data file holds stay close together."""
    pack: list[FileScanTask] = []
    size_bytes = rows = 0
    for task in tasks:
        more, count = task.file.file_size_in_bytes, task.file.record_count
        if pack and (size_bytes + more > sizes.target_bytes or rows + count > MAX_ROWS):
            if _is_worth_it(pack, size_bytes, sizes):
                yield pack
            pack, size_bytes, rows = [], 0, 0
        pack.append(task)
        size_bytes, rows = size_bytes + more, rows + count
    if pack and _is_worth_it(pack, size_bytes, sizes):
        yield pack


def _is_worth_it(pack: Sequence[FileScanTask], size_bytes: int, sizes: FileSizes) -> bool:
    if any(task.delete_files for task in pack):
        return True
    is_whole = size_bytes >= SMALL * sizes.target_bytes
    return len(pack) >= sizes.min_files or (is_whole and len(pack) > 1)


def partition_text(table: Table, file: DataFile) -> str:
    """The partition as people know it; empty in a table without partitions."""
    spec = table.metadata.specs()[file.spec_id]
    return ", ".join(
        f"{field.name}={file.partition[position]!r}" for position, field in enumerate(spec.fields)
    )


def _lowest_file_id(table: Table, file: DataFile) -> tuple[bool, int]:
    """For sorting: files without the bound come last."""
    if FILE_ID not in table.schema().column_names:
        return True, 0
    bound = (file.lower_bounds or {}).get(table.schema().find_field(FILE_ID).field_id)
    return (True, 0) if bound is None else (False, int(from_bytes(LongType(), bound)))
