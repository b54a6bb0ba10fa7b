"""What the ledger knows of the files that were found."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest_assets.engine.preview.services import Services
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.lookup import KnownContent
from ingest_assets.ledger.states import FileStatus

_ASKED_AT_ONCE = 5000
_ENDS = (FileStatus.SUCCESS, FileStatus.SKIPPED, FileStatus.REJECTED)


@dataclass(frozen=True)
class KnownFiles:
    """`states`: by key, of files with the content that was found; "changed since" for another."""

    states: dict[str, str]
    counts: tuple[tuple[str, int], ...] = ()
    contents: dict[str, KnownContent] = field(default_factory=dict)

    def first(self, files: Sequence[SourceFile], count: int) -> list[SourceFile]:
        """So many files in the order of their arrival: those to be ingested, then the others."""
        in_order = sorted(files, key=lambda file: (file.modified_at, file.key))
        waiting = [file for file in in_order if not self.is_done(file)]
        others = [file for file in in_order if self.is_done(file)]
        return [*waiting, *others][:count]

    def is_done(self, file: SourceFile) -> bool:
        """No batch would take it as it is."""
        return self.states.get(file.key) in _ENDS

    def claims(self, files: Sequence[SourceFile]) -> list[ClaimedFile]:
        """The files as a batch would claim them, under the ids that the ledger has for them.

        What it does not know has negative ids, which no row of any table has.
        """
        return [self._claim(-number, file) for number, file in enumerate(files, 1)]

    def _claim(self, new_id: int, file: SourceFile) -> ClaimedFile:
        known = self.contents.get(file.key)
        file_id = content_id = new_id
        if known is not None:
            file_id = known.file_id
            content_id = known.content_id if known.etag == file.etag else new_id
        return ClaimedFile(
            file_id=file_id,
            content_id=content_id,
            source=file,
            committed_content_id=None if known is None else known.committed_content_id,
            attempts=0,
            crashes=0,
        )


def known_files(
    services: Services, ingestion: Ingestion, files: Sequence[SourceFile]
) -> KnownFiles:
    """The states of those of the files that the ledger knows, and how many there are of each.

    Another ingestion may have the name that was made up from an address; its files are elsewhere.
    """
    if not services.has_ledger:
        return KnownFiles({})
    found = {file.key: file for file in files}
    keys, contents = list(found), dict[str, KnownContent]()
    with services.deployment.ledger.transaction() as connection:
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            part = keys[start : start + _ASKED_AT_ONCE]
            contents |= lookup.contents(connection, ingestion.name, part)
        counts = lookup.counts(connection, ingestion.name)
    contents = {key: known for key, known in contents.items() if known.uri == found[key].uri}
    states = {key: _state(known, found[key]) for key, known in contents.items()}
    unknown = len(files) - len(states)
    new = [("NEW", unknown)] if unknown else []
    return KnownFiles(states, (*new, *sorted(counts.items())), contents)


def _state(known: KnownContent, found: SourceFile) -> str:
    return known.status if known.etag == found.etag else f"{known.status}, changed since"
