"""Each file of a batch read and its rows written to data files, or the reason why not."""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from ingest_assets.engine.batch_quality import BatchQuality, batch_quality, told
from ingest_assets.engine.failed_file import failed, parked, routed
from ingest_assets.engine.fetching import Fetched, Group, ahead
from ingest_assets.engine.file_bytes import fetch
from ingest_assets.engine.file_reading import FileReading
from ingest_assets.engine.keyed_reader import keyed
from ingest_assets.engine.schema_state import SchemaState
from ingest_assets.engine.sink import Sink
from ingest_assets.engine.taken_rows import taken_detail
from ingest_assets.errors import (
    Fate,
    FileContentError,
    IngestError,
    OtherTableError,
    SchemaParkedError,
)
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import Reader, Stumbled
from ingest_assets.files.store import SourceStore
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.schema.column import Columns
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.rejected import COLUMNS as REJECTED_COLUMNS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _ReadTogether:
    """The rows of all files of a group, with their lineage, as of these columns."""

    columns: Columns
    rows: pa.Table
    row_counts: Sequence[int]
    details: Sequence[dict[str, Any]]
    seconds: float


class Stager:
    def __init__(
        self,
        store: SourceStore,
        ingestion: Ingestion,
        state: SchemaState,
        main: Sink,
        rejected: Sink,
        ingested_at: datetime,
        quality: BatchQuality | None = None,
    ) -> None:
        self._store = store
        self._reader = keyed(ingestion.reader(state.source), ingestion.table)
        self.ingestion = ingestion
        self.quality = quality or batch_quality(ingestion)
        self.state = state
        self.ingested_at = ingested_at
        self.main = main
        self.rejected = rejected

    @property
    def reader(self) -> Reader:
        """What reads the files."""
        return self._reader

    def outcomes(self, files: Sequence[ClaimedFile]) -> Iterator[FileOutcome]:
        """What becomes of each file, in order.

        Small files are read ahead and together, by the schema that is known then; so as long as
        none is, one file is read after the other.
        """
        known = 0
        while self.state.columns is None and known < len(files):
            yield from self._outcomes(files[known : known + 1])
            known += 1
        yield from self._outcomes(files[known:])

    def _outcomes(self, files: Sequence[ClaimedFile]) -> Iterator[FileOutcome]:
        for group in ahead(files, self._fetch, self._read_together):
            yield from self._outcomes_of(group)

    def _origin(self, file: ClaimedFile, row_count: int) -> Origin:
        has_moment = self.ingestion.table.write_mode != "append"
        modified_at = file.source.modified_at if has_moment else None
        return Origin(file.source.uri, file.file_id, file.content_id, row_count, modified_at)

    def _fetch(self, file: ClaimedFile) -> Content:
        return fetch(self._store, self.ingestion, file)

    def _read_together(
        self, files: Sequence[ClaimedFile], fetches: Sequence[Fetched]
    ) -> _ReadTogether:
        """The rows of small files that are all of the known schema.

        Raises:
            Stumbled, FileContentError: one of them is not.
        """
        started = time.monotonic()
        columns = self.state.columns
        if columns is None or any(file.moves_to is not None for file in files):
            raise Stumbled
        contents = [fetched.content for fetched in fetches]
        read = self._reader.read_together(contents, columns)
        taken = [taken_detail(one) for one in read.taken or ()] or [{} for _ in files]
        qualities = self.quality.together(read.rows, read.counts, files)
        details = [{**of, **told(quality)} for of, quality in zip(taken, qualities, strict=True)]
        origins = [self._origin(f, count) for f, count in zip(files, read.counts, strict=True)]
        rows = with_lineage(read.rows, origins, self.ingested_at)
        return _ReadTogether(columns, rows, read.counts, details, time.monotonic() - started)

    def _outcomes_of(self, group: Group[_ReadTogether]) -> Iterator[FileOutcome]:
        """What becomes of each file: of all together if all are well, else of each alone.

        What was read by other columns than those of now is read again: they may have been undone.
        """
        if group.read is not None and group.read.exception() is None:
            together = group.read.result()
            if together.columns is self.state.columns:
                with contextlib.suppress(FileContentError):
                    yield from self._ingest_together(group, together)
                    return
        for file, fetching in zip(group.files, group.fetches, strict=True):
            yield self._outcome(file, fetching)

    def _ingest_together(
        self, group: Group[_ReadTogether], together: _ReadTogether
    ) -> list[FileOutcome]:
        with self.state.undone_if_it_fails():
            if together.rows.num_rows:
                self._shared_rows().write(together.rows)
        return [
            FileOutcome(
                file.file_id,
                "SUCCESS",
                rows=count,
                bytes=file.source.size_bytes,
                seconds=fetching.result().seconds + together.seconds / len(group.files),
                change_index=self.state.change_index,
                schema_version=self.state.version,
                detail={"path": "fast", **detail},
            )
            for file, count, detail, fetching in zip(
                group.files, together.row_counts, together.details, group.fetches, strict=True
            )
        ]

    def _outcome(self, file: ClaimedFile, fetching: Future[Fetched]) -> FileOutcome:
        started = time.monotonic()
        try:
            if file.moves_to is not None:
                raise OtherTableError(
                    f"Rows of {file.source.uri} are in a table that they had left; they leave it "
                    "again, and a later batch reads the file for the table that it belongs into.",
                    file.moves_to,
                )
            fetched = fetching.result()
            return self._ingest(file, fetched.content, started - fetched.seconds)
        except SchemaParkedError as error:
            return parked(file, error, time.monotonic() - started)
        except OtherTableError as error:
            return routed(file, error, time.monotonic() - started)
        except Exception as error:
            if isinstance(error, IngestError) and error.fate is not Fate.FILE_FAILED:
                raise
            said = {"key": file.source.key, "error_type": type(error).__name__}
            logger.info("%s failed: %s", file.source.uri, error, extra=said)
            return failed(
                file,
                error,
                is_final=isinstance(error, IngestError) and not error.is_retryable,
                attempts=self.ingestion.retries.attempts,
                seconds=time.monotonic() - started,
            )

    def _ingest(self, file: ClaimedFile, content: Content, started: float) -> FileOutcome:
        reading = FileReading(
            self.ingestion,
            self._reader,
            self.state,
            file,
            self.quality,
            own_rows=self._own_rows,
            own_rejected=self._own_rejected,
            with_lineage=lambda rows: with_lineage(
                rows, [self._origin(file, rows.num_rows)], self.ingested_at
            ),
        )
        try:
            with self.state.undone_if_it_fails():
                reading.read(content)
                reading.evolve()
                # In this order: after the rows are kept, nothing can fail for this file alone.
                reading.rejected.finish_own()
                if reading.rejected.row_count:
                    self._shared_rejected()
                self.main.take(reading.rows.keep(self._shared_rows))
                self.rejected.take(reading.rejected.keep(self._shared_rejected))
                reading.verdict.checks.accept()
        except BaseException:
            reading.drop()
            raise
        self.state.source.keep(content)
        return FileOutcome(
            file.file_id,
            "SUCCESS",
            rows=reading.rows.row_count,
            rescued=reading.rescued,
            rejected=reading.rejected.row_count,
            bytes=file.source.size_bytes,
            seconds=time.monotonic() - started,
            change_index=self.state.change_index,
            schema_version=self.state.version,
            detail=reading.detail,
        )

    def _shared_rows(self) -> DataFileWriter:
        self.state.hold_lineage()
        return self.main.shared()

    def _own_rows(self) -> DataFileWriter:
        self.state.hold_lineage()
        return self.main.own()

    def _shared_rejected(self) -> DataFileWriter:
        self.rejected.target.evolve(REJECTED_COLUMNS)
        return self.rejected.shared()

    def _own_rejected(self) -> DataFileWriter:
        self.rejected.target.evolve(REJECTED_COLUMNS)
        return self.rejected.own()
