"""Which rows of a file go into the table, and whether any: its rules, and how many are rejected."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ingest_assets.engine.batch_quality import BatchQuality, told
from ingest_assets.errors import RejectedRatioError
from ingest_assets.files.reading.chunk import Chunk
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.quality.refusal import QualityError, RejectedByRulesError
from ingest_assets.quality.result import FileQuality
from ingest_assets.tables.rejected import first_reason

_SAMPLES = 5


class FileVerdict:
    """One file while its rows pass."""

    def __init__(self, file: ClaimedFile, max_rejected_ratio: float, quality: BatchQuality) -> None:
        self._uri = file.source.uri
        self._max_ratio = max_rejected_ratio
        self.checks = quality.of_file(file)
        self._samples: list[str] = []

    def sorted_out(self, chunk: Chunk) -> Chunk:
        """The chunk without the rows that rules reject, which are among its rejected ones."""
        rows, rejected = self.checks.take(chunk.rows)
        if rejected is not None:
            chunk = Chunk(rows, pa.concat_tables([chunk.rejected, rejected]), chunk.taken)
        self.sample(chunk.rejected)
        return chunk

    def sample(self, rejected: pa.Table) -> None:
        """The first of them are told of."""
        for index in range(min(_SAMPLES - len(self._samples), rejected.num_rows)):
            self._samples.append(first_reason(rejected.slice(index)))

    def judge(self, rejected: int, records: int) -> Mapping[str, Any]:
        """What the rules say of the file, all of whose rows have passed, for its detail.

        Raises:
            QualityError: a rule keeps the file out.
            RejectedRatioError: too many rows are rejected.
        """
        quality = self.checks.finish()
        if quality.refusals:
            raise QualityError(self._uri, quality)
        self.check_ratio(rejected, records, quality)
        return told(quality) | ({"rejected_samples": self._samples} if self._samples else {})

    def check_ratio(self, rejected: int, records: int, quality: FileQuality | None = None) -> None:
        """Nothing, if so few rows were rejected that the others may go in.

        Raises:
            RejectedRatioError: there are too many.
        """
        if not rejected or rejected / records <= self._max_ratio:
            return
        by_rules = 0 if quality is None else quality.rejected_rows
        cause = "cannot be read"
        if by_rules:
            cause = f"are rejected, {by_rules} of them by rules of quality"
        said = (
            f"{rejected} of the {records} rows of {self._uri} {cause}, more than "
            f"max_rejected_ratio {self._max_ratio} allows; nothing of the file was written. The "
            f"first, {self._samples[0]}."
        )
        if quality is not None and by_rules:
            raise RejectedByRulesError(said, quality)
        raise RejectedRatioError(said)
