"""A batch read in slices, many at once, with the outcomes that reading it in order would give.

The slices are read as if none of them changed the table's schema. They are then judged in order. A
slice counts if the columns are still those that it was read by; or if its files fit them exactly
and no column has changed since, only new ones have come, which are null in its rows. One that does
not count is thrown away and read again by the columns of now. So each round brings the batch
forward by all slices up to the first that came after a change and was not of the plain kind.

No slice of CSV files is of that kind: a field `""` that no column takes is passed over, and is an
empty text once a column of text takes it.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import Protocol

from ingest_assets.engine.fetching import grouped
from ingest_assets.engine.slices import ReadSlice, Slice, Terms
from ingest_assets.engine.stager import Stager
from ingest_assets.errors import CatalogError, ConfigurationError, Fate, ServiceError
from ingest_assets.files.connections import Connection
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.schema.column import Columns
from ingest_assets.schema.types import columns_to_json
from ingest_assets.tables.rejected import COLUMNS as REJECTED_COLUMNS
from ingest_assets.tables.shipping import fields_of, is_there, ship
from ingest_assets.tables.target import Target

SLICE_FILES = 256
SLICE_BYTES = 64 * 1024**2
"""As stored. A slice is one task of a cluster, and at least one data file of the table."""

logger = logging.getLogger(__name__)


class Cluster(Protocol):
    """Reads slices elsewhere."""

    def read(self, cuts: Sequence[Slice]) -> Sequence[ReadSlice]:
        """What became of each slice, in order. The slices differ in their files alone.

        Raises:
            IngestError: as the first slice that could not be read, or of the cluster itself.
        """
        ...


class ClusterError(ServiceError):
    """The cluster is out of reach or did not do the work; nothing of the batch is in the table."""

    fate = Fate.ALL_FAILED


class ExecutorsDiedError(ClusterError):
    """Every try at a slice ended with its process's death: one of its files may be the cause.

    It counts for each file of the batch as the death of a worker does.
    """

    fate = Fate.ALL_FREE


class SplitWarehouseError(ConfigurationError):
    """The warehouse is another place for the cluster than for this process."""


@dataclasses.dataclass
class _Part:
    """Files of the batch, and what came of the slice that was cut of them, if one was read."""

    files: Sequence[ClaimedFile]
    read_by: Columns | None = None
    source: Columns | None = None
    read: ReadSlice | None = None


class Spreading:
    """One batch on a cluster. `stager` reads here what has to come before all else."""

    def __init__(
        self, stager: Stager, cluster: Cluster, connection: Connection, batch_id: str
    ) -> None:
        self._stager = stager
        self._state = stager.state
        self._cluster = cluster
        self._connection = connection
        self._batch_id = batch_id

    def outcomes(self, files: Sequence[ClaimedFile]) -> Iterator[FileOutcome]:
        """What becomes of each file, in order; their rows are with the sinks of the stager.

        As long as no rows have made the table, or made an adopted one ours, files are read here,
        one after the other: so the table is begun once, and its columns are in the same order.

        Raises:
            As `Cluster.read`.
        """
        known = 0
        while not _has_lineage(self._stager.main.target) and known < len(files):
            yield from self._stager.outcomes(files[known : known + 1])
            known += 1
        parts = [_Part(part) for part in grouped(files[known:], SLICE_FILES, SLICE_BYTES)]
        if not parts:
            return
        terms = self._terms()
        while parts:
            self._read(parts, terms)
            while parts and self._counts(parts[0]):
                yield from self._accept(parts.pop(0))

    def _terms(self) -> Terms:
        state, rejected = self._state, self._stager.rejected.target
        rejected.evolve(REJECTED_COLUMNS)
        return Terms(
            self._batch_id,
            self._stager.ingestion,
            self._connection,
            self._stager.ingested_at,
            ship(rejected),
            state.version,
            state.ignored,
            state.route,
            state.others,
            tuple(self._stager.quality.rules.history),
        )

    def _read(self, parts: Sequence[_Part], terms: Terms) -> None:
        """Every part is read, or was, in a way that still counts."""
        columns = self._state.columns
        assert columns is not None
        again = [part for part in parts if not self._counts(part)]
        for part in again:
            self._throw_away(part)
        table = ship(self._stager.main.target)
        source = self._state.source.columns
        cuts = [Slice(terms, tuple(part.files), columns, table, source) for part in again]
        logger.info("%s slices of the batch are read by the cluster", len(cuts))
        for part, read in zip(again, self._cluster.read(cuts), strict=True):
            part.read_by, part.source, part.read = columns, source, read

    def _counts(self, part: _Part) -> bool:
        columns = self._state.columns
        if part.read is None or part.read_by is None or columns is None:
            return False
        if part.read_by is columns and part.source is self._state.source.columns:
            return True
        is_plain = part.read.is_plain and self._stager.ingestion.format.type != "csv"
        return is_plain and _has_all(columns, part.read_by)

    def _throw_away(self, part: _Part) -> None:
        if part.read is None:
            return
        both = ((self._stager.main, part.read.rows), (self._stager.rejected, part.read.rejected))
        for sink, data_files in both:
            with contextlib.suppress(CatalogError):  # then they are orphans
                sink.target.delete(data_file.file_path for data_file in data_files)
        part.read_by = part.read = None

    def _accept(self, part: _Part) -> Iterator[FileOutcome]:
        """The slice's changes are staged here as they were there, and its data files are kept."""
        read = part.read
        assert read is not None
        if read.rows or any(change.status == "ACTIVE" for change in read.changes):
            self._state.hold_lineage()
        before = self._state.change_index
        indices = self._state.adopt(read.changes)
        self._check(read)
        if read.source != part.source:
            self._state.source.columns = read.source
        self._stager.main.take_written(read.rows)
        self._stager.rejected.take_written(read.rejected)
        for outcome in read.outcomes:
            index = outcome.change_index
            if index is not None:
                yield dataclasses.replace(outcome, change_index=indices[index])
            elif outcome.outcome == "SUCCESS":
                yield dataclasses.replace(outcome, change_index=before)
            else:
                yield outcome

    def _check(self, read: ReadSlice) -> None:
        """The data files are there, with the fields that the table has or will have.

        Raises:
            SplitWarehouseError: the cluster wrote where nobody reads, as on its own disks. One data
                file tells, because a slice is read by one process.
            RuntimeError: field ids were given otherwise than here, a fault of ours.
        """
        target, written = self._stager.main.target, [*read.rows, *read.rejected][:1]
        there = {field.field_id: field for field in fields_of(target)}
        strange = [field for field in read.fields if there.get(field.field_id) != field]
        if read.rows and strange:
            raise RuntimeError(f"{target.identifier} has no fields {strange}, which a slice wrote.")
        if written and not is_there(target, written[0]):
            raise SplitWarehouseError(
                f"The cluster wrote {written[0].file_path} for {target.identifier}, and it is "
                "not there when it is looked for from here; nothing of the batch is in the table. "
                "Give the catalog a warehouse that this machine and all executors share, such as "
                "PYICEBERG_CATALOG__LAKE__WAREHOUSE=s3://bucket/warehouse."
            )


def _has_lineage(target: Target) -> bool:
    if target.columns is None:
        return False
    names = {field.name for field in fields_of(target)}
    return all(column.name in names for column in target.lineage)


def _has_all(columns: Columns, earlier: Columns) -> bool:
    """The earlier columns are there as they were; there may be others."""
    now = {column["name"]: column for column in columns_to_json(columns)}
    return all(now.get(column["name"]) == column for column in columns_to_json(earlier))
