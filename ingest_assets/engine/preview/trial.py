"""The first files read as a batch reads them, one after the other, into a table that is nowhere."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest_assets.engine.preview.noted_rows import NotingSink
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
from ingest_assets.tables.rejected import rejected_rows


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


@dataclass
class Trial:
    """What became of the files, and what the table would have become.

    `cpu_seconds`: processor time as an ingestion takes it, without that of `observing_cpu_seconds`,
    in which each file is looked at for its own schema.
    """

    opened: OpenedTable
    main: NotingSink
    rejected: NotingSink
    tried: list[TriedFile] = field(default_factory=list)
    refused_rows: list[dict[str, object]] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    observing_cpu_seconds: float = 0.0
    data_files: int = 0
    data_bytes: int = 0

    @property
    def columns(self) -> Columns:
        """Those that the table would have."""
        return self.opened.state.columns or ()


def tried(
    ingestion: Ingestion,
    store: Beginnings,
    opened: OpenedTable,
    files: Sequence[SourceFile],
    sample_rows: int,
) -> Trial:
    """Every file has the outcome that ingestion would give it; nothing of it is kept.

    Raises:
        CatalogError, LedgerError, ConfigurationError: what fails a batch as a whole.
    """
    trial = Trial(
        opened,
        NotingSink(opened.target, "preview", sample_rows),
        NotingSink(opened.rejected, "preview-rejected", sample_rows),
    )
    stager = Stager(
        store, ingestion, opened.state, trial.main, trial.rejected, ingested_at=datetime.now(UTC)
    )
    started, cpu_before = time.monotonic(), time.process_time()
    for number, source in enumerate(files, 1):
        trial.tried.append(_tried(stager, store, number, source, trial))
    written = trial.main.written()
    trial.data_files = len(written)
    trial.data_bytes = sum(data_file.file_size_in_bytes for data_file in written)
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
        except IngestError:
            observed = decision = None
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
