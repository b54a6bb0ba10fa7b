"""Slices of a batch: files that follow each other, read and written away from ledger and catalog.

A slice is read by the very code that reads a whole batch, as if the batch began with it: with the
columns that the table had when the slice was cut. Whether that is so is for the batch to judge
(`engine.spreading`).
"""

import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from ingest_assets.engine.batch_quality import History, batch_quality
from ingest_assets.engine.schema_state import SchemaState
from ingest_assets.engine.sink import Sink
from ingest_assets.engine.stager import Stager
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.reading.known_source import KnownSource
from ingest_assets.files.store import SourceStore
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.schema_versions import SchemaChange
from ingest_assets.quality.result import FileQuality
from ingest_assets.schema.column import Columns
from ingest_assets.schema.difference import Change
from ingest_assets.tables.data_files import DataFile
from ingest_assets.tables.shipping import Fields, ShippedTable, fields_of


@dataclass(frozen=True)
class Terms:
    """What holds for every slice of a batch. It can be pickled, and holds no key of the source."""

    batch_id: str
    ingestion: Ingestion
    connection: Connection
    ingested_at: datetime
    rejected: ShippedTable
    version: int | None
    ignored: tuple[Change, ...]
    route: str
    others: tuple[tuple[str, Columns], ...]
    history: History


@dataclass(frozen=True)
class Slice:
    """Files that follow each other, and the table as it is before the first of them."""

    terms: Terms
    files: tuple[ClaimedFile, ...]
    columns: Columns
    table: ShippedTable
    source: Columns | None = None
    """What is known of the files' fields then, where a transform makes columns of them."""


@dataclass(frozen=True)
class ReadSlice:
    """What became of each file, and the changes that they bring to the table's schema.

    `rows` and `rejected` are data files of the two tables, that no snapshot names yet; `fields` are
    those of the rows. Indices into the changes count from the first of the slice; None is the table
    as it was before.
    """

    outcomes: Sequence[FileOutcome]
    changes: Sequence[SchemaChange]
    rows: Sequence[DataFile]
    rejected: Sequence[DataFile]
    fields: Fields
    source: Columns | None = None

    @property
    def is_plain(self) -> bool:
        """Every file fits exactly the columns that the slice was cut with, and so do its rules."""
        return not self.changes and all(
            outcome.outcome == "SUCCESS"
            and outcome.detail.get("path") == "fast"
            and not _lacks_columns(outcome)
            for outcome in self.outcomes
        )


def _lacks_columns(outcome: FileOutcome) -> bool:
    """A rule could not be evaluated; with the columns of later it perhaps can."""
    quality = FileQuality.from_json(outcome.detail.get("quality", {}))
    return any(result.outcome == "unknown" for result in quality.results)


@cache
def _clients() -> S3Clients:
    """One for all slices that a process reads, because making a client takes long."""
    return S3Clients()


def read(cut: Slice) -> ReadSlice:
    """Every file of the slice has its outcome, and the good ones their rows in data files.

    Their names are new at each call: two tries at one slice never write to one address.

    Raises:
        ConfigurationError, CatalogError: the slice cannot be read; orphans may be left.
    """
    terms, name = cut.terms, f"{cut.terms.batch_id}-{uuid.uuid4().hex[:12]}"
    main = Sink(cut.table.target(), name)
    rejected = Sink(terms.rejected.target(), f"{name}-rejected")
    state = SchemaState(
        main.target,
        cut.columns,
        terms.version,
        terms.ignored,
        terms.route,
        terms.others,
        KnownSource(cut.source),
    )
    with tempfile.TemporaryDirectory(prefix="ingest-") as spool:
        source = terms.ingestion.source
        store = SourceStore(source, terms.connection, Path(spool), _clients())
        quality = batch_quality(terms.ingestion, terms.history)
        stager = Stager(store, terms.ingestion, state, main, rejected, terms.ingested_at, quality)
        try:
            outcomes = list(stager.outcomes(cut.files))
            rows, fields = main.written(), fields_of(main.target)
            return ReadSlice(
                outcomes, state.changes, rows, rejected.written(), fields, state.source.columns
            )
        except BaseException:
            main.discard()
            rejected.discard()
            raise
