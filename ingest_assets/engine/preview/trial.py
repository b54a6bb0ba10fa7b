"""The first files read as a batch reads them, one after the other, into a table that is nowhere."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest_assets.engine.batch_quality import BatchQuality
from ingest_assets.engine.preview.noted_rows import Notes, NotingSink
from ingest_assets.engine.preview.opened_table import OpenedTable
from ingest_assets.engine.schema_rules import schema_rules
from ingest_assets.engine.stager import Stager
from ingest_assets.errors import IngestError
from ingest_assets.files.beginnings import Beginnings, PartlyReadError
from ingest_assets.files.reading.chunk import REJECTED_SCHEMA
from ingest_assets.files.reading.reader import Reader
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.schema.column import Columns
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.policy import Decision, decide
from ingest_assets.tables.data_files import DataFile
from ingest_assets.tables.rejected import rejected_rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TriedFile:
    """One file and what became of it. `outcome`: None where it was not read for its size.

    `observed`: its own schema, None where it has none that could be read. `decision`: what the
    policy says of it beside the columns that the table had when its turn came; None for the first.
    """

    source: SourceFile
    outcome: FileOutcome | None
    observed: Observed | None
    decision: Decision | None
    unread: str | None = None


@dataclass(frozen=True)
class TriedBatch:
    """What the files of one commit have written to nowhere."""

    main: NotingSink
    rejected: NotingSink

    def data_files(self) -> list[DataFile]:
        """Every row is in a closed data file; these are they."""
        return [*self.main.written(), *self.rejected.written()]


@dataclass
class Trial:
    """What became of the files, and what the table would have become.

    `cpu_seconds`: processor time as an ingestion takes it, without that of `observing_cpu_seconds`,
    in which each file is looked at for its own schema.
    """

    opened: OpenedTable
    batches: list[TriedBatch] = field(default_factory=list)
    tried: list[TriedFile] = field(default_factory=list)
    refused_rows: list[dict[str, object]] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    observing_cpu_seconds: float = 0.0
    data_files: int = 0
    data_bytes: int = 0

    @property
    def notes(self) -> list[Notes]:
        """Of the rows that would be written."""
        return [note for batch in self.batches for note in batch.main.notes]

    @property
    def rejected_notes(self) -> list[Notes]:
        """Of the rows that would be rejected."""
        return [note for batch in self.batches for note in batch.rejected.notes]

    @property
    def rejecting_share(self) -> float:
        """The share of the batches with rejected rows; 0 without any batch."""
        rejecting = sum(bool(batch.rejected.notes) for batch in self.batches)
        return rejecting / len(self.batches) if self.batches else 0.0

    @property
    def columns(self) -> Columns:
        """Those that the table would have."""
        return self.opened.state.columns or ()


def tried(
    ingestion: Ingestion,
    store: Beginnings,
    opened: OpenedTable,
    files: Sequence[SourceFile],
    *,
    quality: BatchQuality,
    sample_rows: int,
    files_a_batch: int,
) -> Trial:
    """Every file has the outcome that ingestion would give it; nothing of it is kept.

    Rows are written in batches of so many files, so that data files are as large as they would be.

    Raises:
        CatalogError, LedgerError, ConfigurationError: what fails a batch as a whole.
    """
    trial = Trial(opened)
    started, cpu_before = time.monotonic(), time.process_time()
    for first in range(0, len(files), files_a_batch):
        batch = TriedBatch(
            NotingSink(opened.target, f"preview-{first}", sample_rows),
            NotingSink(opened.rejected, f"preview-{first}-rejected", sample_rows),
        )
        trial.batches.append(batch)
        stager = Stager(
            store, ingestion, opened.state, batch.main, batch.rejected, datetime.now(UTC), quality
        )
        for number, source in enumerate(files[first : first + files_a_batch], first + 1):
            trial.tried.append(_tried(stager, store, number, source, trial))
        written = batch.data_files()
        trial.data_files += len(written)
        trial.data_bytes += sum(data_file.file_size_in_bytes for data_file in written)
    trial.seconds = time.monotonic() - started
    trial.cpu_seconds = time.process_time() - cpu_before - trial.observing_cpu_seconds
    return trial


def _tried(
    stager: Stager, store: Beginnings, number: int, source: SourceFile, trial: Trial
) -> TriedFile:
    try:
        content = store.fetch(source)
    except PartlyReadError as error:
        return TriedFile(source, None, None, None, str(error))
    except IngestError:
        content = None  # the stager meets it too, and says what becomes of the file
    observed = decision = None
    if content is not None:
        reader, state, cpu_before = stager.reader, stager.state, time.process_time()
        try:
            observed = reader.observe(content, None)
            if state.columns is not None:
                rules = schema_rules(stager.ingestion, state.ignored)
                decision = decide(state.columns, reader.observe(content, state.columns), rules)
        except Exception:  # the stager meets it too, and it becomes the outcome of this file
            observed = decision = None
            logger.debug("%s: its own schema is not known", source.uri, exc_info=True)
        trial.observing_cpu_seconds += time.process_time() - cpu_before
    (outcome,) = stager.outcomes([_claimed(number, source)])
    if outcome.error_type == "RejectedRatioError" and content is not None:
        columns = stager.state.columns or (observed.columns if observed else ())
        trial.refused_rows += _refused(stager.reader, content, columns, source)
    return TriedFile(source, outcome, observed, decision)


def _claimed(number: int, source: SourceFile) -> ClaimedFile:
    return ClaimedFile(
        file_id=number,
        content_id=number,
        source=source,
        committed_content_id=None,
        attempts=0,
        crashes=0,
    )


def _refused(
    reader: Reader, content: object, columns: Columns, source: SourceFile
) -> Iterator[dict[str, object]]:
    """The first rows that were rejected, of a file that has too many of them."""
    for chunk in reader.read_careful(content, columns):  # type: ignore[arg-type]
        if chunk.rejected.num_rows:
            assert chunk.rejected.schema == REJECTED_SCHEMA
            for row in rejected_rows(chunk.rejected.slice(0, 5)).to_pylist():
                yield row | {"_source_file": source.uri}
            return
