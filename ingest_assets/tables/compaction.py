"""Small data files of a table become few, with the same rows, beside whoever else writes it.

The reading and writing come first, and hold up nobody. A commit then takes a moment, as any other;
what became of the old files meanwhile is asked of the table as it is then (`tables.swap`).
"""

import contextlib
import itertools
import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from ingest_assets.errors import CatalogError, CommitUnknownError, FileContentError, IngestError
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.compaction_plan import FileGroup, FileSizes, file_groups, live_tasks
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.kept_table import Reached, kept_table
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.live_rows import live_rows
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.sorted_runs import in_table_order
from ingest_assets.tables.swap import Swap, swap_files
from ingest_assets.tables.target import Target

logger = logging.getLogger(__name__)

COMMIT_BYTES = 512 * 1024**2
COMMIT_GROUPS = 200
"""Of old data files at most in one commit: what is lost when another writer touches one of them."""


@dataclass(frozen=True)
class Compacted:
    """What came of it. `overtaken` groups were left alone: others changed a file of theirs."""

    commits: int = 0
    groups: int = 0
    old_files: int = 0
    old_bytes: int = 0
    new_files: int = 0
    new_bytes: int = 0
    rows: int = 0
    overtaken: int = 0
    unreadable: int = 0


def compact(
    catalog: Catalog,
    identifier: str,
    owner: Owner,
    sizes: FileSizes,
    spool: Path,
    reached: Reached = lambda _: None,
) -> Compacted:
    """The table has the same rows in fewer data files, and those are sorted as it says.

    What was committed stays when an error ends it; nothing is to be undone, only done again.

    Raises:
        TableMissingError, TableOwnershipError, MaintenanceRefusedError: as `kept_table`.
        CommitConflictError, CatalogError: the last commit was not made; its files are deleted.
        CommitUnknownError: the last commit may have been made.
    """
    table = kept_table(catalog, identifier, owner)
    groups = file_groups(table, live_tasks(table), sizes)
    done = Compacted()
    for part in _parts(groups):
        done = _added(done, _compact_part(catalog, table, owner, part, spool, reached))
    return done


def _parts(groups: Sequence[FileGroup]) -> Iterator[list[FileGroup]]:
    part: list[FileGroup] = []
    for group in groups:
        part.append(group)
        if len(part) == COMMIT_GROUPS or sum(one.size_bytes for one in part) >= COMMIT_BYTES:
            yield part
            part = []
    if part:
        yield part


def _compact_part(
    catalog: Catalog,
    table: Table,
    owner: Owner,
    groups: Sequence[FileGroup],
    spool: Path,
    reached: Reached,
) -> Compacted:
    identifier, token = ".".join(table.name()), uuid.uuid4().hex
    target = Target(catalog, identifier, TableLayout(), owner, table)
    written: list[tuple[DataFileWriter, Swap]] = []
    writers: list[DataFileWriter] = []
    unreadable = 0
    try:
        for number, group in enumerate(groups):
            name = f"compact-{token}-{number:05d}"
            writers.append(DataFileWriter(target, name, keeps_order=True))
            try:
                written.append((writers[-1], _rewritten(table, group, writers[-1], spool)))
            except FileContentError as error:
                logger.warning("A partition of %s is left as it is: %s", identifier, error)
                unreadable += 1
            reached("group written")
        swaps = [one for _, one in written]
        made = swap_files(
            catalog, identifier, owner, swaps, token, lambda: reached("compaction staged")
        )
    except CommitUnknownError:
        raise
    except IngestError:
        _discard(writers)
        raise
    reached("compaction committed")
    is_made = {id(one) for one in made}
    _discard([writer for writer, one in written if id(one) not in is_made])
    return _counted(made, overtaken=len(written) - len(made), unreadable=unreadable)


def _rewritten(table: Table, group: FileGroup, writer: DataFileWriter, spool: Path) -> Swap:
    def rows() -> Iterator[pa.Table]:
        for task in group.tasks:
            yield from live_rows(table, task, table.schema())

    with reachable(".".join(table.name())):
        for ordered in in_table_order(rows(), table.metadata, spool):
            writer.write(ordered)
        return Swap(group.tasks, tuple(writer.finish()))


def _discard(writers: Sequence[DataFileWriter]) -> None:
    """What they wrote is in no snapshot; what cannot be deleted now is an orphan."""
    for writer in writers:
        with contextlib.suppress(CatalogError):
            writer.discard()


def _counted(made: Sequence[Swap], *, overtaken: int, unreadable: int) -> Compacted:
    old = [task.file for one in made for task in one.removed]
    new = list(itertools.chain.from_iterable(one.added for one in made))
    return Compacted(
        commits=1 if made else 0,
        groups=len(made),
        old_files=len(old),
        old_bytes=sum(file.file_size_in_bytes for file in old),
        new_files=len(new),
        new_bytes=sum(file.file_size_in_bytes for file in new),
        rows=sum(file.record_count for file in new),
        overtaken=overtaken,
        unreadable=unreadable,
    )


def _added(one: Compacted, other: Compacted) -> Compacted:
    return Compacted(**{name: value + getattr(other, name) for name, value in vars(one).items()})
