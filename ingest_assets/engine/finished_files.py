"""Files whose rows are certain: their objects are tagged, moved or deleted, as declared.

What is certain is asked of the tables, page by page and right before the objects are touched; the
ledger alone does not know of a rollback that was made a moment ago.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ingest_assets.deployment import Deployment
from ingest_assets.engine.other_readers import Readers
from ingest_assets.engine.proven_rows import proven
from ingest_assets.errors import LedgerError, ObjectStoreError, SourceChangedError
from ingest_assets.files.finished_object import FinishedObject, ObjectState
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.store import SourceStore
from ingest_assets.ingestion import Ingestion
from ingest_assets.interrupts import in_threads
from ingest_assets.ledger import pauses, source_objects
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.source_objects import IngestedFile

PAGE_FILES = 100
THREADS = 8
_UNCERTAIN = "not certain to be in the table"
_WANTED = "wanted by another ingestion"
_REFUSED = "could not be finished"

_Result = tuple[IngestedFile, FinishedObject]


@dataclass
class FinishedFiles:
    """How many objects came to which state, and how many were left for which reason."""

    done: Counter[ObjectState] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """In a few words; empty for nothing."""
        said = [
            f"{self.done[state]} source files {state}" for state in ObjectState if self.done[state]
        ]
        return ", ".join([*said, *(f"{count} {why}" for why, count in self.left.items())])


def finish_files(
    deployment: Deployment, ingestion: Ingestion, is_over: Callable[[], bool]
) -> FinishedFiles:
    """Objects that are due are what `source.after_success` says, the oldest first, until `is_over`.

    An object is left as it is, with the reason in the ledger, when its rows are not certain to be
    in `main`, when another ingestion still wants it, or when it has other content by now. The work
    may be cut off anywhere and be done again, also by two at once.

    Raises:
        ObjectStoreError: the store cannot be reached or refuses. What was done is recorded, and the
            ingestion's objects are let alone for a while.
        CatalogError, LedgerError, DeclarationError: nobody can tell what is certain or wanted.
    """
    counts = FinishedFiles()
    rules, ledger, name = ingestion.source.after_success, deployment.ledger, ingestion.name
    if rules.action == "keep":
        return counts
    with ledger.transaction() as connection:
        if pauses.is_paused(connection, name, "source"):
            return counts
    work = _Work(deployment, ingestion, is_over)
    while not is_over():
        with ledger.transaction() as connection:
            page = source_objects.due(
                connection,
                name,
                ingestion.source.address,
                after_days=rules.after_days,
                at_most=PAGE_FILES,
            )
        work.finish(page, counts)
        if len(page) < PAGE_FILES:
            break
    return counts


class _Work:
    """One pass over the objects of one ingestion."""

    def __init__(
        self, deployment: Deployment, ingestion: Ingestion, is_over: Callable[[], bool]
    ) -> None:
        self._deployment = deployment
        self._ingestion = ingestion
        self._is_over = is_over
        self._readers: Readers | None = None
        self._refusals: list[ObjectStoreError | LedgerError] = []

    def finish(self, page: Sequence[IngestedFile], counts: FinishedFiles) -> None:
        """What can be done with the files of the page is done and recorded."""
        if not page:
            return
        waiting = self._waiting(page, counts)
        results = [*waiting, *self._acted({file.file_id for file, _ in waiting}, page)]
        with self._deployment.ledger.transaction() as connection:
            source_objects.record(connection, results)
            if self._refusals:
                pauses.pause(connection, self._ingestion.name, "source")
            else:
                pauses.resume(connection, self._ingestion.name, "source")
        for _, done in results[len(waiting) :]:
            if done.state is ObjectState.WAITING:
                counts.left[_REFUSED] += 1
            else:
                counts.done[done.state] += 1
        if self._refusals:
            raise self._refusals[0]

    def _waiting(self, page: Sequence[IngestedFile], counts: FinishedFiles) -> list[_Result]:
        """The files that are not to be touched yet, and why."""
        if self._readers is None:
            self._readers = Readers(self._deployment, self._ingestion)
        whole = [file for file in page if file.is_whole]
        certain = proven(self._deployment.catalog, self._ingestion.table.identifier, whole)
        whys = {f.file_id: self._unproven(f) for f in page if f.file_id not in certain}
        wanted = self._readers.wanting([file for file in page if file.file_id in certain])
        counts.left += Counter({_UNCERTAIN: len(whys), _WANTED: len(wanted)})
        whys |= wanted
        return [
            (file, FinishedObject(ObjectState.WAITING, why=whys[file.file_id]))
            for file in page
            if file.file_id in whys
        ]

    def _unproven(self, file: IngestedFile) -> str:
        if not file.is_whole:
            return (
                f"Not finished: {file.source.uri} is not under source.uri any more, or has newer "
                "content that is not in the table."
            )
        table = file.route or self._ingestion.table.identifier
        return (
            f"Not finished: the main branch of {table} has neither batch {file.batch_id} nor rows "
            "of the file. If the table was rolled back, the next tick reads the file again."
        )

    def _acted(self, without: set[int], page: Iterable[IngestedFile]) -> list[_Result]:
        """What became of the other objects.

        Those that the pass did not come to are missing, and those that were sent back to be read
        again since the page was looked up.
        """
        files = [file for file in page if file.file_id not in without]
        if not files:
            return []
        finishing = self._deployment.finishing(self._ingestion)
        source = self._ingestion.source

        def act(file: IngestedFile) -> _Result | None:
            if self._refusals or self._is_over():
                return None
            try:
                if not self._is_still_due(file):
                    return None
                match source.after_success.action:
                    case "tag":
                        return file, finishing.tag(file.source)
                    case "delete":
                        return file, finishing.delete(file.source)
                    case _:
                        assert source.moved_to is not None
                        return file, finishing.move(file.source, source.moved_to)
            except SourceChangedError as error:
                return file, FinishedObject(ObjectState.WAITING, why=str(error))
            except ObjectStoreError as error:
                self._refusals.append(error)
                return file, FinishedObject(ObjectState.WAITING, why=str(error))
            except LedgerError as error:
                self._refusals.append(error)
                return None

        return [result for result in in_threads(act, files, THREADS) if result is not None]

    def _is_still_due(self, file: IngestedFile) -> bool:
        with self._deployment.ledger.transaction() as connection:
            return source_objects.is_still_due(connection, file)


def fetch_finished(store: SourceStore, file: ClaimedFile, error: SourceChangedError) -> Content:
    """The bytes of a file that is not in the source any more, from where it was moved.

    Raises:
        SourceChangedError: it was not moved, or is no longer where it was moved; says so.
    """
    finished, uri = file.finished, file.source.uri
    if finished is None:
        raise error
    if finished.moved_to is None or finished.moved_etag is None:
        raise SourceChangedError(
            f"{uri} is not there any more: source.after_success found it {finished.state} when its "
            "rows were in the table. Upload it again under its key, and it is read again."
        ) from error
    try:
        return store.fetch_moved(file.source, finished.moved_to, finished.moved_etag)
    except SourceChangedError as moved:
        raise SourceChangedError(
            f"{uri} was moved to {finished.moved_to} by source.after_success, and is not there any "
            "more as it was. Bring it back there or to its key, and it is read again."
        ) from moved
