"""One file read for one table: the fast path, else the careful one with a verdict on its schema."""

import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa

from ingest_assets.engine import progress
from ingest_assets.engine.batch_quality import BatchQuality
from ingest_assets.engine.file_verdict import FileVerdict
from ingest_assets.engine.gathered import Gathered
from ingest_assets.engine.reading_ahead import read_ahead
from ingest_assets.engine.schema_rules import schema_rules
from ingest_assets.engine.schema_state import SchemaState
from ingest_assets.engine.taken_rows import taken_detail
from ingest_assets.errors import OtherTableError, SchemaParkedError
from ingest_assets.files.reading.chunk import Taken
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import Reader, Stumbled
from ingest_assets.files.reading.together import added
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.schema.column import Columns
from ingest_assets.schema.difference import Verdict, difference
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.policy import Decision, decide
from ingest_assets.schema.samples import samples
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.lineage import rescued_count
from ingest_assets.tables.rejected import rejected_rows

_LARGE_BYTES = 16 * 1024**2
"""As stored; the beginning of a smaller file is most of it."""
_TOLD_EVERY = timedelta(seconds=30)
_AHEAD_BYTES = 4 * 1024**2
"""As stored; a smaller file is read before a thread for it has begun."""

logger = logging.getLogger(__name__)


class FileReading:
    """The rows and rejected rows of one file, gathered, and what its schema asks for."""

    def __init__(
        self,
        ingestion: Ingestion,
        reader: Reader,
        state: SchemaState,
        file: ClaimedFile,
        quality: BatchQuality,
        *,
        own_rows: Callable[[], DataFileWriter],
        own_rejected: Callable[[], DataFileWriter],
        with_lineage: Callable[[pa.Table], pa.Table],
    ) -> None:
        self._ingestion = ingestion
        self._reader = reader
        self._state = state
        self._file = file
        self._quality = quality
        self._own_rows = own_rows
        self._with_lineage = with_lineage
        self._own_rejected = own_rejected
        self._decision: Decision | None = None
        self._begin()

    def _begin(self) -> None:
        self.rows = Gathered(self._own_writer)
        self.rejected = Gathered(self._own_rejected)
        self.verdict = FileVerdict(self._file, self._ingestion.max_rejected_ratio, self._quality)
        self.rescued = 0
        self.taken: Taken | None = None
        self._records = 0
        self.detail: dict[str, Any] = {}

    def read(self, content: Content) -> None:
        """Every row of the file is gathered or rejected.

        Raises:
            SchemaParkedError: the file's schema is a breaking change.
            QualityError: a rule keeps the file out.
            RejectedRatioError: too many rows are rejected.
            FileContentError: the bytes cannot be read as declared.
        """
        columns = self._state.columns
        is_read = (
            self._read_by_beginning(content)
            if columns is None
            else self._read_fast(content, columns)
        )
        if not is_read:
            self._read_carefully(content)
        self.detail |= self.verdict.judge(self.rejected.row_count, self._records)
        self.detail |= taken_detail(self.taken)

    def _read_fast(self, content: Content, columns: Columns, *, is_first: bool = False) -> bool:
        try:
            self._gather(self._reader.read_fast(content, columns, is_first=is_first), "fast")
        except Stumbled:
            self.drop()
            self._begin()
            return False
        return True

    def _read_by_beginning(self, content: Content) -> bool:
        """A large first file is read by the types of its beginning, if every row is of them."""
        if content.size_bytes < _LARGE_BYTES:
            return False
        observed = self._reader.observe_beginning(content)
        if observed is None or not observed.record_count:
            return False
        self._decision = decide(None, observed, schema_rules(self._ingestion, self._state.ignored))
        try:
            with self._state.undone_if_it_fails():
                if not self._read_fast(content, self._decision.target, is_first=True):
                    raise Stumbled
        except Stumbled:
            self._decision = None
            return False
        self.detail["detected"] = dict(observed.detected)
        return True

    def _read_carefully(self, content: Content) -> None:
        observed = self._reader.observe(content, self._state.columns)
        decision = decide(
            self._state.columns, observed, schema_rules(self._ingestion, self._state.ignored)
        )
        if decision.is_parked:
            self._refuse_another_tables_file(content)
            self._park(content, observed, decision)
        self._decision = decision
        if not self._fits_by_now(content, decision):
            chunks = self._reader.read_careful(content, decision.target, ignored=decision.ignored)
            self._gather(chunks, "careful")
        self.detail["detected"] = dict(observed.detected)
        if decision.ignored:
            self.detail["ignored"] = sorted(decision.ignored)

    def _fits_by_now(self, content: Content, decision: Decision) -> bool:
        """What the file brought was all that the fast path, many times faster, stumbled over."""
        if decision.ignored or decision.target == self._state.columns:
            return False
        return self._read_fast(content, decision.target)

    def _refuse_another_tables_file(self, content: Content) -> None:
        """Raises OtherTableError for a shape that a person gave a table of its own."""
        rules = schema_rules(self._ingestion, ())
        for route, columns in self._state.others:
            observed = self._reader.observe(content, columns)
            decision = decide(columns, observed, rules)
            if not decision.is_parked:
                if self._file.committed_content_id is not None:
                    self._read_through(content, decision)
                name = route or "the declared table"
                raise OtherTableError(
                    f"{self._file.source.uri} has the shape of {name}. A later batch writes it "
                    "there.",
                    route,
                )

    def _read_through(self, content: Content, decision: Decision) -> None:
        """Nothing, if the other table can take the file: else its rows of before stay here.

        Raises:
            RejectedRatioError, FileContentError: it cannot.
        """
        rejected = records = 0
        for chunk in self._reader.read_careful(content, decision.target):
            records += chunk.records
            rejected += chunk.rejected.num_rows
            self.verdict.sample(chunk.rejected)
        self.verdict.check_ratio(rejected, records)

    def _park(self, content: Content, observed: Observed, decision: Decision) -> None:
        """Raises SchemaParkedError with what a person needs to decide."""
        index = self._state.park(
            observed.columns, decision.difference, self._file.file_id, observed.always_present
        )
        causes = "; ".join(change.explanation() for change in decision.causes)
        chunks = self._reader.read_careful(content, observed.columns)
        raise SchemaParkedError(
            f"{self._file.source.uri} waits for a decision on its schema: {causes}. Nothing of "
            f"it was written. `ingest-assets schema list {self._ingestion.name}` leads to the "
            "decision; if the file is wrong, upload it mended under its key.",
            change_index=index,
            detail={
                "differences": decision.difference.to_json(),
                "records": observed.record_count,
                "samples": samples(next(iter(chunks)).rows, decision.difference.changes),
            },
        )

    def _gather(self, chunks: Any, path: str) -> None:
        self.detail["path"] = path
        is_long = progress.every(_TOLD_EVERY)
        with contextlib.ExitStack() as stack:
            if self._file.source.size_bytes > _AHEAD_BYTES:
                chunks = stack.enter_context(contextlib.closing(read_ahead(chunks)))
            for chunk in chunks:
                progress.made()
                if is_long():
                    self._tell()
                self._records += chunk.records
                self.taken = added(self.taken, chunk.taken)
                chunk = self.verdict.sorted_out(chunk)
                self.rescued += rescued_count(chunk.rows)
                self.rows.add(self._with_lineage(chunk.rows))
                if chunk.rejected.num_rows:
                    self.rejected.add(self._with_lineage(rejected_rows(chunk.rejected)))

    def _tell(self) -> None:
        source, rows = self._file.source, self.rows.row_count
        said = {"key": source.key, "rows": rows}
        logger.info("%s: %s rows read so far", source.uri, rows, extra=said)

    @property
    def brings_change(self) -> bool:
        """The file changes the table's schema: it is the first, or it adds to it."""
        decision = self._decision
        if decision is None or decision.target == self._state.columns:
            return False
        return self._state.columns is not None or self.rows.row_count > 0

    def evolve(self) -> None:
        """Staged: the table holds what the file brings."""
        decision = self._decision
        if decision is None or not self.brings_change:
            return
        found = decision.difference
        if found.verdict is Verdict.BREAKING:  # which the declaration allows: the table does not
            found = difference(self._state.columns, decision.target)
        self._state.bring(decision.target, found, self._file.file_id)

    def _own_writer(self) -> DataFileWriter:
        self.evolve()
        return self._own_rows()

    def drop(self) -> None:
        """Nothing of the file is left behind."""
        self.rows.drop()
        self.rejected.drop()
