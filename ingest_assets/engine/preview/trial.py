"""The first files read as a batch reads them, one after the other, into a table that is nowhere."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

import pyarrow as pa

from ingest_assets.engine.overtaken import refused
from ingest_assets.engine.preview.noted_rows import Notes, NotingSink
from ingest_assets.engine.preview.opened_table import OpenedTable
from ingest_assets.engine.preview.trial_quality import TrialQuality
from ingest_assets.engine.schema_rules import schema_rules
from ingest_assets.engine.stager import Stager
from ingest_assets.errors import IngestError
from ingest_assets.files.beginnings import Beginnings, PartlyReadError
from ingest_assets.files.reading.opened import Content
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

Found = TypeVar("Found")

_TOO_MANY_REJECTED = ("RejectedRatioError", "RejectedByRulesError")


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
    quality: TrialQuality
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
    claims: Sequence[ClaimedFile],
    quality: TrialQuality,
    *,
    sample_rows: int,
    files_a_batch: int,
) -> Trial:
    """Every file has the outcome that ingestion would give it; nothing of it is kept.

    Rows are written in batches of so many files, so that data files are as large as they would be.

    Raises:
        CatalogError, LedgerError, ConfigurationError: what fails a batch as a whole.
    """
    trial = Trial(opened, quality)
    started, cpu_before = time.monotonic(), time.process_time()
    for first in range(0, len(claims), files_a_batch):
        batch = TriedBatch(
            NotingSink(opened.target, f"preview-{first}", sample_rows),
            NotingSink(opened.rejected, f"preview-{first}-rejected", sample_rows),
        )
        trial.batches.append(batch)
        stager = Stager(
            store,
            ingestion,
            opened.state,
            batch.main,
            batch.rejected,
            datetime.now(UTC),
            quality.batch,
        )
        _try_batch(stager, store, claims[first : first + files_a_batch], trial)
        written = batch.data_files()
        trial.data_files += len(written)
        trial.data_bytes += sum(data_file.file_size_in_bytes for data_file in written)
    trial.seconds = time.monotonic() - started
    trial.cpu_seconds = time.process_time() - cpu_before - trial.observing_cpu_seconds
    return trial


def _try_batch(
    stager: Stager, store: Beginnings, claims: Sequence[ClaimedFile], trial: Trial
) -> None:
    """A file whose rows are in the table already is shown as it was, however late it would come."""
    new = [claim for claim in claims if claim.committed_content_id != claim.content_id]
    refusing = refused(stager.ingestion, trial.opened.target, new) if new else []
    late = {outcome.file_id: outcome for outcome in refusing}
    files = [
        TriedFile(claim.source, late[claim.file_id], None, None)
        if claim.file_id in late
        else _tried(stager, store, claim, trial)
        for claim in claims
    ]
    trial.tried += files
    trial.quality.came([file.outcome for file in files if file.outcome is not None])


def _tried(stager: Stager, store: Beginnings, claim: ClaimedFile, trial: Trial) -> TriedFile:
    source = claim.source
    try:
        content = store.fetch(source)
    except PartlyReadError as error:
        return TriedFile(source, None, None, None, str(error))
    except IngestError:
        content = None  # the stager meets it too, and says what becomes of the file
    reader, before = stager.reader, stager.state.columns
    rules = schema_rules(stager.ingestion, stager.state.ignored)
    observed = beside = decision = None
    if content is not None:
        observed = _look(trial, source, lambda: reader.observe(content, None))
        if before is not None and stager.ingestion.transform is not None:
            # what is known of the files' fields is that of now; after this file it is more
            beside = _look(trial, source, lambda: reader.observe(content, before))
    (outcome,) = stager.outcomes([claim])
    if outcome.error_type in _TOO_MANY_REJECTED and content is not None:
        columns = stager.state.columns or (observed.columns if observed else ())
        trial.refused_rows += _refused(stager, content, columns, claim)
    if observed is not None and before is not None and content is not None:
        if beside is None and _was_as_known(outcome, stager, before):
            beside = _with_types_of(before, observed)
        elif beside is None:
            beside = _look(trial, source, lambda: reader.observe(content, before))
        if beside is not None:
            decision = _look(trial, source, lambda: decide(before, beside, rules))
    return TriedFile(source, outcome, observed, decision)


def _look(trial: Trial, source: SourceFile, found: Callable[[], Found]) -> Found | None:
    """What a file is seen to be; None where it cannot be seen, as its outcome then says."""
    cpu_before = time.process_time()
    try:
        return found()
    except Exception:  # the stager meets it too, and it becomes the outcome of this file
        logger.debug("%s: its own schema is not known", source.uri, exc_info=True)
        return None
    finally:
        trial.observing_cpu_seconds += time.process_time() - cpu_before


def _was_as_known(outcome: FileOutcome, stager: Stager, before: Columns) -> bool:
    """Every value was of its column's type, and no field was new: the fast path took it."""
    return outcome.detail.get("path") == "fast" and stager.state.columns is before


def _with_types_of(columns: Columns, observed: Observed) -> Observed:
    """The same, by the types that the columns have; all that can differ is what is not there."""
    known = {column.name: column for column in columns}
    return replace(observed, columns=tuple(known.get(c.name, c) for c in observed.columns))


def _refused(
    stager: Stager, content: Content, columns: Columns, claim: ClaimedFile
) -> Iterator[dict[str, object]]:
    """The first rows that were rejected, of a file that has too many of them."""
    checks = stager.quality.of_file(claim)
    for chunk in stager.reader.read_careful(content, columns):
        _, broken = checks.take(chunk.rows)
        rejected = chunk.rejected if broken is None else pa.concat_tables([chunk.rejected, broken])
        if rejected.num_rows:
            for row in rejected_rows(rejected.slice(0, 5)).to_pylist():
                yield row | {"_source_file": claim.source.uri}
            return
