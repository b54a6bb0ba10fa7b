"""The steps of a batch, named, so that progress can be shown and a worker can be killed at each.

CLAIMED             the batch is PREPARED, its files PROCESSING
STAGED              data files are written, nothing is visible
RECORDED            outcomes and schema changes stand in the ledger beside the batch
REJECTED_COMMITTED  the rejected rows are in their table
TABLE_LOADED        the main table is loaded for the commit
LEASE_CHECKED       the lease was held after that
COMMITTED           the snapshot is in the table
MARKED              the ledger says COMMITTED and SUCCESS
REPORTED            Dagster has the materializations and check evaluations
"""

from collections.abc import Callable
from enum import StrEnum

from ingest_assets.engine import progress
from ingest_assets.ledger.outcomes import FileOutcome


class Step(StrEnum):
    """A point in the way of a batch that has been reached."""

    CLAIMED = "CLAIMED"
    STAGED = "STAGED"
    RECORDED = "RECORDED"
    REJECTED_COMMITTED = "REJECTED_COMMITTED"
    TABLE_LOADED = "TABLE_LOADED"
    LEASE_CHECKED = "LEASE_CHECKED"
    COMMITTED = "COMMITTED"
    MARKED = "MARKED"
    REPORTED = "REPORTED"


Watcher = Callable[[Step, str], None]
FileWatcher = Callable[[FileOutcome], None]
_watchers: list[Watcher] = []
_file_watchers: list[FileWatcher] = []


def watch(watcher: Watcher) -> None:
    """`watcher(step, batch_id)` is called at each step that this process reaches."""
    _watchers.append(watcher)


def reached(step: Step, batch_id: str) -> None:
    """The batch has come to `step`."""
    progress.made()
    for watcher in _watchers:
        watcher(step, batch_id)


def watch_files(watcher: FileWatcher) -> None:
    """`watcher(outcome)` is called for each file that this process has judged."""
    _file_watchers.append(watcher)


def judged(outcome: FileOutcome) -> None:
    """A file of the batch has its outcome; it is not true before the batch is MARKED."""
    progress.made()
    for watcher in _file_watchers:
        watcher(outcome)
