"""The bytes of one claimed file, or why it is not to be read."""

from ingest_assets.engine.finished_files import fetch_finished
from ingest_assets.errors import (
    FileChangedError,
    FileTooLargeError,
    SourceChangedError,
    WorkerDiedError,
)
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.store import SourceStore
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedFile

CRASHES_AT_MOST = 4
"""A file whose worker died so often, at last in a batch of its own, is not tried again."""


def fetch(store: SourceStore, ingestion: Ingestion, file: ClaimedFile) -> Content:
    """The file's bytes, from where `after_success` moved it if it is not in the source any more.

    Raises:
        FileChangedError, FileTooLargeError, WorkerDiedError: not fetched at all.
        ObjectStoreError: the store cannot be reached, or the object is another by now.
    """
    if file.is_refused:
        raise FileChangedError(
            f"{file.source.uri} has other content than the one that is in the table (its etag is "
            f"{file.source.etag} now), and source.on_changed_file is fail: it was not read."
        )
    if file.source.size_bytes > ingestion.source.max_file_bytes:
        raise FileTooLargeError(
            f"{file.source.uri} has {file.source.size_bytes} bytes, more than "
            f"source.max_file_bytes allows ({ingestion.source.max_file_bytes}). It was not read. "
            "Split it, or raise the limit."
        )
    if file.crashes >= CRASHES_AT_MOST:
        raise WorkerDiedError(
            f"The worker died {file.crashes} times while it read {file.source.uri}, in the end "
            "with this file alone. Look for a lack of memory in the logs of its runs."
        )
    try:
        return store.fetch(file.source)
    except SourceChangedError as error:
        return fetch_finished(store, file, error)
