"""Which of the listed objects belong to the ingestion, page by page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest_assets.declaration.source import Source
from ingest_assets.files.pattern import matcher
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore


@dataclass(frozen=True)
class ListedPage:
    """Listed files that match the pattern, and the keys of those that are not wanted.

    `keys` are all that were listed, in the order of the listing, whether they match or not.
    """

    files: list[SourceFile]
    skipped_keys: frozenset[str]
    keys: list[str]

    @property
    def last_key(self) -> str:
        """Where the listing has come to."""
        return self.keys[-1]


def wanted_pages(
    source: Source,
    store: SourceStore,
    *,
    first_since: datetime | None,
    after: str | None = None,
    left_out: Callable[[str], bool] = lambda _key: False,
) -> Iterator[ListedPage]:
    """Every file of the source that matches the pattern, or those listed after the key `after`.

    But no key that is `left_out`.

    The whole prefix is listed each time and compared by etag, so a file is found whatever its name
    or time: one that was uploaded for hours, one copied with an old timestamp, one replaced under
    its old key. Skipped are files older than `start.modified_after`; and, when
    `start.include_existing` is off, those that the first listing finds and that are not younger, to
    the second, than its beginning `first_since` (None: it was another one).
    """
    matches = matcher(source.pattern)
    for page in store.pages(after):
        files = [file for file in page if matches(file.key) and not left_out(file.key)]
        yield ListedPage(
            files, skipped_keys(source, files, first_since), [file.key for file in page]
        )


def skipped_keys(
    source: Source, files: Sequence[SourceFile], first_since: datetime | None
) -> frozenset[str]:
    """The keys of those of the files that `source.start` does not want, as in `wanted_pages`."""
    existing_until = None
    if first_since is not None and not source.start.include_existing:
        existing_until = first_since.replace(microsecond=0)
    oldest = source.start.modified_after
    return frozenset(
        file.key
        for file in files
        if (existing_until is not None and file.modified_at <= existing_until)
        or (oldest is not None and file.modified_at < oldest)
    )
