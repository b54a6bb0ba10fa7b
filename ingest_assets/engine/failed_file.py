"""What is recorded of a file that did not come into the table, for the person who has to act."""

import traceback

from ingest_assets.engine.batch_quality import told
from ingest_assets.errors import FileChangedError, OtherTableError, SchemaParkedError
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.quality.refusal import QualityError, RejectedByRulesError

WAY_OUT = (
    "Mend the file and upload it again under its key; or, after a change elsewhere (the "
    "declaration's format, transform, quality or max_rejected_ratio, a service), read it again "
    "with `ingest-assets replay INGESTION --status DEAD_LETTER`, or materialize its partition."
)

_JUDGED = (QualityError, RejectedByRulesError)
_WAY_BACK = (
    "Upload the earlier content again, and the file is well; or materialize its partition, or "
    "replay it, and the new content replaces the old."
)


def failed(
    file: ClaimedFile, error: BaseException, *, is_final: bool, attempts: int, seconds: float = 0.0
) -> FileOutcome:
    """FAILED; or DEAD_LETTER when the error is final or was the last of so many attempts."""
    said = [str(error) or type(error).__name__, *_earlier_rows(file)]
    is_last = file.attempts + 1 >= attempts
    if is_last and not is_final:
        said.append(f"This was attempt {file.attempts + 1} of {attempts}, and there is no other.")
    if is_last or is_final:
        said.append(_WAY_BACK if isinstance(error, FileChangedError) else WAY_OUT)
    return FileOutcome(
        file.file_id,
        "DEAD_LETTER" if is_last or is_final else "FAILED",
        error_type=type(error).__name__,
        error=" ".join(said),
        traceback="".join(traceback.format_exception(error)),
        bytes=file.source.size_bytes,
        seconds=seconds,
        detail=told(error.quality) if isinstance(error, _JUDGED) else {},
    )


def parked(file: ClaimedFile, error: SchemaParkedError, seconds: float) -> FileOutcome:
    """PARKED, with the differences that a person has to decide about."""
    return FileOutcome(
        file.file_id,
        "PARKED",
        error_type=type(error).__name__,
        error=" ".join([str(error), *_earlier_rows(file)]),
        bytes=file.source.size_bytes,
        seconds=seconds,
        change_index=error.change_index,
        detail=error.detail,
    )


def routed(file: ClaimedFile, error: OtherTableError, seconds: float) -> FileOutcome:
    """ROUTED: a batch of the other table reads it, and its rows leave this one."""
    return FileOutcome(
        file.file_id,
        "ROUTED",
        error_type=type(error).__name__,
        error=str(error),
        bytes=file.source.size_bytes,
        seconds=seconds,
        detail={"route": error.route},
    )


def _earlier_rows(file: ClaimedFile) -> list[str]:
    """An upload of the file is in the table, and a failure leaves it there."""
    is_there = file.committed_content_id is not None
    return ["The rows that it brought earlier stay in the table."] if is_there else []
