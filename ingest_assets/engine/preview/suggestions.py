"""What might be declared otherwise, with the reason: each from numbers that the preview has."""

from collections.abc import Iterator

from ingest_assets.engine.preview.report import Preview, Suggestion
from ingest_assets.engine.preview.trial import Trial
from ingest_assets.ingestion import Ingestion


def suggestions(ingestion: Ingestion, seen: Preview, trial: Trial) -> tuple[Suggestion, ...]:
    """In the order of the declaration's fields."""
    return tuple(_all(ingestion, seen, trial))


def _all(ingestion: Ingestion, seen: Preview, trial: Trial) -> Iterator[Suggestion]:
    yield from ()
