"""The rules of an ingestion over the files of one batch, each file and many small ones at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.quality.file_checks import FileChecks
from ingest_assets.quality.group_checks import ApartError, judge_together
from ingest_assets.quality.result import FileQuality
from ingest_assets.quality.rule_set import RuleSet

History = tuple[tuple[int, int], ...]
"""File id and row count of the files that came into the table before the batch, newest first."""


@dataclass(frozen=True)
class BatchQuality:
    """What the files of one batch are put to."""

    rules: RuleSet

    def of_file(self, file: ClaimedFile) -> FileChecks:
        """The rules, before the first row of the file."""
        return FileChecks(self.rules, file.file_id)

    def together(
        self, rows: pa.Table, counts: Sequence[int], files: Sequence[ClaimedFile]
    ) -> list[FileQuality]:
        """What the rules say of each file, whose rows stand one after another.

        Raises:
            Stumbled: each file has to be read alone.
        """
        try:
            return judge_together(self.rules, rows, counts, [file.file_id for file in files])
        except ApartError as error:
            raise Stumbled from error


def batch_quality(ingestion: Ingestion, history: History = ()) -> BatchQuality:
    """The rules of the ingestion for one batch."""
    return BatchQuality(RuleSet(ingestion.quality, history))


def told(quality: FileQuality) -> dict[str, Any]:
    """What the detail of the file's outcome has of it: nothing where there are no rules."""
    return {"quality": quality.to_json()} if quality.results else {}
