"""Why a file stays out of the table for its rules, said to whoever has to act."""

from ingest_assets.errors import FileContentError, RejectedRatioError
from ingest_assets.quality.result import FileQuality
from ingest_assets.quality.tally import sentences

_RULES_SHOWN = 5


class QualityError(FileContentError):
    """A rule of `quality` keeps the file out; `quality` has what all rules said of it."""

    def __init__(self, uri: str, quality: FileQuality) -> None:
        self.quality = quality
        refusals = quality.refusals
        said = [f"{result.name}: {sentences(result)}" for result in refusals[:_RULES_SHOWN]]
        if len(refusals) > _RULES_SHOWN:
            said.append(f"and {len(refusals) - _RULES_SHOWN} more rules.")
        super().__init__(
            f"{uri} breaks its rules of quality, and nothing of it was written. {' '.join(said)}"
        )


class RejectedByRulesError(RejectedRatioError):
    """Too many rows were rejected, some of them by rules; `quality` has what all rules said."""

    def __init__(self, message: str, quality: FileQuality) -> None:
        self.quality = quality
        super().__init__(message)
