"""What the ledger knows of the files that were found."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest_assets.engine.preview.services import Services
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup
from ingest_assets.ledger.states import FileStatus

_ASKED_AT_ONCE = 5000


@dataclass(frozen=True)
class KnownFiles:
    """`states`: by key, of files with the content that was found; "changed since" for another."""

    states: dict[str, str]
    counts: tuple[tuple[str, int], ...] = ()

    def first(self, files: Sequence[SourceFile], count: int) -> list[SourceFile]:
        """So many files in the order of their arrival: those to be ingested, then the others."""
        in_order = sorted(files, key=lambda file: (file.modified_at, file.key))
        ends = (FileStatus.SUCCESS, FileStatus.SKIPPED, FileStatus.REJECTED)
        waiting = [file for file in in_order if self.states.get(file.key) not in ends]
        others = [file for file in in_order if self.states.get(file.key) in ends]
        return [*waiting, *others][:count]


def known_files(
    services: Services, ingestion: Ingestion, files: Sequence[SourceFile]
) -> KnownFiles:
    """The states of those of the files that the ledger knows, and how many there are of each."""
    if not services.has_ledger:
        return KnownFiles({})
    etags = {file.key: file.etag for file in files}
    keys, states = list(etags), {}
    with services.deployment.ledger.transaction() as connection:
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            part = keys[start : start + _ASKED_AT_ONCE]
            for row in lookup.files(connection, ingestion.name, keys=part):
                is_same = row.etag == etags[row.key]
                states[row.key] = row.status if is_same else f"{row.status}, changed since"
        counts = lookup.counts(connection, ingestion.name)
    unknown = len(files) - len(states)
    new = [("NEW", unknown)] if unknown else []
    return KnownFiles(states, (*new, *sorted(counts.items())))
