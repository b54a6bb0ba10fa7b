"""Refused files are copied to where dead letters go, with a report that says why."""

import json
import logging
import shlex
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ingest_assets.deployment import Deployment
from ingest_assets.engine.failed_file import WAY_OUT
from ingest_assets.errors import (
    ConfigurationError,
    LedgerError,
    ObjectStoreError,
    SourceChangedError,
)
from ingest_assets.files.dead_letters import DeadLetterStore
from ingest_assets.files.object_store import HASTY
from ingest_assets.files.pattern import exactly
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets.files.store_errors import NotWritableError
from ingest_assets.files.unreachable import StoreUnreachableError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import dead_letters, pauses
from ingest_assets.ledger.dead_letters import DeadLetter
from ingest_assets.ledger.ledger import Ledger

logger = logging.getLogger(__name__)

TAKEN_AT_ONCE = 100
_ALL_WAIT = (ConfigurationError, NotWritableError, StoreUnreachableError)
"""What is met with one dead letter would be met with all others."""


@dataclass(frozen=True)
class Copied:
    """How many dead letters were copied, were reported without a copy, or are tried again."""

    copied: int = 0
    reported: int = 0
    failed: int = 0


def copy_dead_letters(
    deployment: Deployment, ingestion: Ingestion, is_over: Callable[[], bool]
) -> Copied:
    """Each dead letter that is due has its copy and report, or is tried again later.

    Goes on until none is due or `is_over` says so; what is not come to stays due. A second copy of
    a dead letter is the same as the first. A place that cannot be written to, or a source that
    does not answer, is met once: then all copies of the ingestion wait for a while.

    Raises:
        LedgerError: what was copied and not marked is copied once more.
    """
    ledger, name = deployment.ledger, ingestion.name
    work = _Work(deployment, ingestion)
    with ledger.transaction() as connection:
        is_paused = pauses.is_paused(connection, name, "copies")
    while not is_paused and not is_over():
        with ledger.transaction() as connection:
            letters = dead_letters.take(connection, name, TAKEN_AT_ONCE)
        if not letters:
            break
        left = deque(letters)
        with _held(ledger, left):
            while left and not is_paused and not is_over():
                is_paused = not work.finish(left[0])
                left.popleft()
        with ledger.transaction() as connection:
            dead_letters.give_back(connection, left)
    return Copied(**work.counts)


@contextmanager
def _held(ledger: Ledger, letters: deque[DeadLetter]) -> Iterator[None]:
    """Nobody else takes the letters that are left, however long the copy of the first one takes."""
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(dead_letters.RENEWAL.total_seconds()):
            try:
                with ledger.transaction() as connection:
                    dead_letters.hold(connection, letters.copy())
            except LedgerError as error:
                logger.warning("The dead letters being copied were not held: %s", error)

    renewing = threading.Thread(target=renew, name="dead letters", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        is_over.set()
        renewing.join()


class _Work:
    """One pass over the dead letters of one ingestion."""

    def __init__(self, deployment: Deployment, ingestion: Ingestion) -> None:
        self.counts: Counter[str] = Counter()
        self._deployment = deployment
        self._ingestion = ingestion
        self._has_resumed = False
        self._unwritten: str | None = None

    def finish(self, letter: DeadLetter) -> bool:
        """The letter is copied or tried again later; whether others can be copied now."""
        ledger, name = self._deployment.ledger, self._ingestion.name
        try:
            copy_uri, report_uri = self._copy(letter)
        except (ObjectStoreError, ConfigurationError) as error:
            self.counts["failed"] += 1
            _try_later(self._deployment, letter, error)
            if not isinstance(error, _ALL_WAIT):
                return True
            with ledger.transaction() as connection:
                pauses.pause(connection, name, "copies")
                if self._unwritten is not None:
                    dead_letters.forget_folder(connection, self._unwritten)
            return False
        self.counts["copied" if copy_uri else "reported"] += 1
        with ledger.transaction() as connection:
            dead_letters.mark_done(connection, letter, copy_uri=copy_uri, report_uri=report_uri)
        if not self._has_resumed:
            with ledger.transaction() as connection:
                pauses.resume(connection, name, "copies")
            self._has_resumed = True
        return True

    def _copy(self, letter: DeadLetter) -> tuple[str | None, str]:
        """The addresses of the copy, None if what was refused is not copied, and of its report."""
        file, limit = letter.source, self._ingestion.source.max_file_bytes
        copy_uri, why_not = None, None
        if file.size_bytes > limit:
            why_not = (
                f"The object is larger than source.max_file_bytes ({limit}), so it is not copied."
            )
        else:
            try:
                content = self._fetched(file)
            except SourceChangedError as error:
                why_not = (
                    f"Not copied: {error} An object that lies beside this report is of an earlier "
                    "upload."
                )
            else:
                with content.open() as stream:
                    copy_uri = self._target.put_copy(file.key, stream)
                self._unwritten = None
        report = _report(self._ingestion, letter, copy_uri, why_not)
        data = json.dumps(report, indent=2, ensure_ascii=False).encode(errors="backslashreplace")
        report_uri, self._unwritten = self._target.put_report(file.key, data), None
        return copy_uri, report_uri

    def _fetched(self, file: SourceFile) -> Content:
        with self._deployment.unreachable.asking(self._source.place):
            return self._source.fetch(file)

    @cached_property
    def _source(self) -> SourceStore:
        return self._deployment.store(self._ingestion, HASTY)

    @cached_property
    def _target(self) -> DeadLetterStore:
        """Where the dead letters go, which no listing takes for files from now on."""
        target = self._deployment.dead_letter_store(self._ingestion)
        with self._deployment.ledger.transaction() as connection:
            if dead_letters.note_folder(connection, target.folder):
                self._unwritten = target.folder
        return target


def _report(
    ingestion: Ingestion, letter: DeadLetter, copy_uri: str | None, why_not: str | None
) -> dict[str, Any]:
    file = letter.source
    return {
        "ingestion": ingestion.name,
        "table": ingestion.table.identifier,
        "source_uri": file.uri,
        "key": file.key,
        "etag": file.etag,
        "size_bytes": file.size_bytes,
        "modified_at": file.modified_at.astimezone(UTC).isoformat(),
        "error_type": letter.error_type,
        "error": letter.error,
        "traceback": letter.traceback,
        "attempts": letter.attempts,
        "batch_id": letter.batch_id,
        "run_id": letter.run_id,
        "copy_uri": copy_uri,
        "not_copied": why_not,
        "copied_at": datetime.now(UTC).isoformat(),
        "what_to_do": WAY_OUT,
        "replay_command": (
            f"ingest-assets replay {ingestion.name} --status DEAD_LETTER "
            f"{shlex.quote(f'--key={exactly(file.key)}')}"
        ),
    }


def _try_later(deployment: Deployment, letter: DeadLetter, error: Exception) -> None:
    with deployment.ledger.transaction() as connection:
        again_at = dead_letters.mark_failed(connection, letter, str(error))
    when = "soon" if again_at is None else f"after {again_at.astimezone(UTC):%H:%M:%S} UTC"
    logger.warning(
        "The dead letter %s was not copied, and is tried again %s: %s",
        letter.source.uri,
        when,
        error,
    )
