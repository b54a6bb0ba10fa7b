"""How many of a file's records may be rejected."""

from ingest_assets.errors import RejectedRatioError
from ingest_assets.ingestion import Ingestion


def check_ratio(ingestion: Ingestion, uri: str, rejected: int, good: int, first: str) -> None:
    """Nothing, unless more records are rejected than the declaration allows.

    `good` could be read, whatever a transform left out of them; `first` is the first rejected one.

    Raises:
        RejectedRatioError: they are.
    """
    total = rejected + good
    if rejected and rejected / total > ingestion.max_rejected_ratio:
        raise RejectedRatioError(
            f"{rejected} of the {total} rows of {uri} cannot be read, more than "
            f"max_rejected_ratio {ingestion.max_rejected_ratio} allows; nothing of the file was "
            f"written. The first, {first}."
        )
