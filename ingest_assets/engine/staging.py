"""From claimed files to staged data files: all read, judged in order, nothing visible yet."""

import logging
import time
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest_assets.deployment import Deployment
from ingest_assets.engine.failed_file import failed, parked
from ingest_assets.engine.fetching import ahead
from ingest_assets.engine.file_reading import FileReading, Prefetched, read_whole
from ingest_assets.engine.schema_state import SchemaState
from ingest_assets.engine.steps import judged
from ingest_assets.errors import (
    Fate,
    IngestError,
    SchemaParkedError,
)
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedBatch, ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.schema_versions import SchemaChange
from ingest_assets.tables.commit import Prepared
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.lineage import with_lineage
from ingest_assets.tables.rejected import COLUMNS as REJECTED_COLUMNS
from ingest_assets.tables.rejected import open_rejected
from ingest_assets.tables.target import Target

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagedBatch:
    """A batch that is read and written, and waits for its commit.

    `main` and `rejected` are None where the batch has nothing for that table.
    """

    claimed: ClaimedBatch
    ingestion: Ingestion
    outcomes: list[FileOutcome]
    changes: list[SchemaChange]
    main: Prepared | None
    rejected: Prepared | None

    def discard(self, *, and_rejected: bool) -> None:
        """The data files of the main table are deleted, and those of rejected rows if asked for.

        No snapshot may name them.

        Raises:
            CatalogError: the warehouse is out of reach; orphans are left there.
        """
        for prepared in (self.main, self.rejected if and_rejected else None):
            if prepared is not None:
                prepared.target.delete(data_file.file_path for data_file in prepared.data_files)


class _Sink:
    """Data files of one table, shared by the small files of a batch."""

    def __init__(self, target: Target, name: str) -> None:
        self.target = target
        self._name = name
        self._number = 0
        self._shared: DataFileWriter | None = None
        self._writers: list[DataFileWriter] = []

    def own(self) -> DataFileWriter:
        self._number += 1
        return DataFileWriter(self.target, f"{self._name}-{self._number}")

    def shared(self) -> DataFileWriter:
        """The writer of the table's newest schema; a file that adds a column begins a new one."""
        if self._shared is None or not self._shared.is_current:
            if self._shared is not None:
                self._shared.finish()
            self._shared = self.own()
            self._writers.append(self._shared)
        return self._shared

    def take(self, own: DataFileWriter | None) -> None:
        """The writer of one large file belongs to the batch now."""
        if own is not None:
            own.finish()
            self._writers.append(own)

    def prepared(self, batch_id: str, ids: list[int]) -> Prepared | None:
        data_files = [data_file for writer in self._writers for data_file in writer.finish()]
        if not data_files and (self.target.base is None or not ids):
            return None
        return Prepared(batch_id, self.target, data_files, "_file_id", ids)


def stage(
    deployment: Deployment,
    ingestion: Ingestion,
    claimed: ClaimedBatch,
    state: SchemaState,
) -> StagedBatch:
    """Every file of the batch has its outcome, and the good ones their rows in data files.

    Files are judged in the order of the claim, whatever order their bytes arrive in: a column that
    one file adds is there for the next. A file's failure is its own and leaves no trace; only a
    fault of the ledger, the catalog, the warehouse or the configuration fails the batch as a whole.

    Raises:
        CatalogError, LedgerError, ConfigurationError: the batch cannot be staged; orphan data files
            may be left.
    """
    batch_id = claimed.batch_id
    owner = deployment.owner(ingestion)
    rejected_target = open_rejected(deployment.catalog, ingestion.table.identifier, owner)
    stager = _Stager(
        deployment,
        ingestion,
        state,
        main=_Sink(state.target, batch_id),
        rejected=_Sink(rejected_target, f"{batch_id}-rejected"),
    )
    outcomes = []
    for file, future in ahead(claimed.files, stager.fetch):
        outcome = stager.outcome(file, future)
        outcomes.append(outcome)
        judged(outcome)
    good = [outcome.file_id for outcome in outcomes if outcome.outcome == "SUCCESS"]
    return StagedBatch(
        claimed,
        ingestion,
        outcomes,
        state.changes,
        stager.main.prepared(batch_id, good),
        stager.rejected.prepared(batch_id, good),
    )


class _Stager:
    def __init__(
        self,
        deployment: Deployment,
        ingestion: Ingestion,
        state: SchemaState,
        main: _Sink,
        rejected: _Sink,
    ) -> None:
        self._store = deployment.store(ingestion)
        self._reader = ingestion.format.reader()
        self._ingestion = ingestion
        self._state = state
        self._ingested_at = datetime.now(UTC)
        self.main = main
        self.rejected = rejected

    def fetch(self, file: ClaimedFile) -> Prefetched:
        return read_whole(self._store, self._reader, self._ingestion, file, self._state.columns)

    def outcome(self, file: ClaimedFile, future: Future[Prefetched]) -> FileOutcome:
        started = time.monotonic()
        try:
            prefetched = future.result()
            return self._ingest(file, prefetched, started - prefetched.seconds)
        except SchemaParkedError as error:
            return parked(file, error, time.monotonic() - started)
        except Exception as error:
            if isinstance(error, IngestError) and error.fate is not Fate.FILE_FAILED:
                raise
            logger.info("%s failed: %s", file.source.uri, error)
            return failed(
                file,
                error,
                is_final=isinstance(error, IngestError) and not error.is_retryable,
                attempts=self._ingestion.retries.attempts,
                seconds=time.monotonic() - started,
            )

    def _ingest(self, file: ClaimedFile, prefetched: Prefetched, started: float) -> FileOutcome:
        reading = FileReading(
            self._ingestion,
            self._reader,
            self._state,
            file,
            own_rows=self._own_rows,
            own_rejected=self._own_rejected,
            with_lineage=lambda rows: with_lineage(
                rows,
                uri=file.source.uri,
                file_id=file.file_id,
                content_id=file.content_id,
                ingested_at=self._ingested_at,
            ),
        )
        try:
            with self._state.undone_if_it_fails():
                reading.read(prefetched)
                reading.evolve()
                # In this order: after the rows are kept, nothing can fail for this file alone.
                reading.rejected.finish_own()
                self.main.take(reading.rows.keep(self._shared_rows))
                self.rejected.take(reading.rejected.keep(self._shared_rejected))
        except BaseException:
            reading.drop()
            raise
        return FileOutcome(
            file.file_id,
            "SUCCESS",
            rows=reading.rows.row_count,
            rescued=reading.rescued,
            rejected=reading.rejected.row_count,
            bytes=file.source.size_bytes,
            seconds=time.monotonic() - started,
            change_index=self._state.change_index,
            schema_version=self._state.version,
            detail=reading.detail,
        )

    def _shared_rows(self) -> DataFileWriter:
        self._state.hold_lineage()
        return self.main.shared()

    def _own_rows(self) -> DataFileWriter:
        self._state.hold_lineage()
        return self.main.own()

    def _shared_rejected(self) -> DataFileWriter:
        self.rejected.target.evolve(REJECTED_COLUMNS)
        return self.rejected.shared()

    def _own_rejected(self) -> DataFileWriter:
        self.rejected.target.evolve(REJECTED_COLUMNS)
        return self.rejected.own()
