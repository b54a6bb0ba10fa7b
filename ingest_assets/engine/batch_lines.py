"""One counted line in the log for each stage of a batch."""

import logging
from collections import Counter

from ingest_assets.engine.staging import StagedBatch
from ingest_assets.tables.commit import Committed

logger = logging.getLogger(__name__)


def log_read(staged: StagedBatch, seconds: float) -> None:
    """The files of the batch are read and judged, and nothing of it is visible yet."""
    outcomes = Counter(outcome.outcome for outcome in staged.outcomes)
    counts = {
        "files": len(staged.outcomes),
        "files_not_read": len(staged.outcomes) - outcomes["SUCCESS"],
        "rows": sum(outcome.rows for outcome in staged.outcomes),
        "rescued": sum(outcome.rescued for outcome in staged.outcomes),
        "rejected": sum(outcome.rejected for outcome in staged.outcomes),
        "seconds": round(seconds, 3),
    }
    logger.info(
        "Read %s files, %s of them without success; %s rows in %.1f s",
        counts["files"],
        counts["files_not_read"],
        counts["rows"],
        seconds,
        extra=counts,
    )


def log_committed(committed: Committed, seconds: float) -> None:
    """The batch is in the table, or has nothing for it, and the ledger knows its outcomes."""
    counts = {
        "snapshot_id": committed.snapshot_id,
        "removed_rows": committed.removed_rows,
        "rewritten_files": committed.rewritten_files,
        "seconds": round(seconds, 3),
    }
    logger.info("Committed snapshot %s in %.1f s", committed.snapshot_id, seconds, extra=counts)
