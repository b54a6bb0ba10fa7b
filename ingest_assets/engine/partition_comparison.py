"""A file as the ledger has it, compared with the colour that Dagster shows; no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest_assets.engine.disagreement import Disagreement, Kind, Remedy
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ledger.recorded import RecordedFile

_NEVER_GREEN = ("DEAD_LETTER", "PARKED", "REJECTED", "SKIPPED")


@dataclass(frozen=True)
class PartitionStates:
    """The partitions of the asset by their keys: those in the dynamic set, and of them the green
    ones and those that a run is at work on."""

    live: frozenset[str]
    green: frozenset[str]
    running: frozenset[str]


def compare_partition(file: RecordedFile, states: PartitionStates) -> Iterator[Disagreement]:
    """A file that is in the table is green, as soon as its run has told; one that never was is not.

    Of a file that waits to be read nothing is expected.
    """
    key = partition_key_of(file.key)
    if key in states.running:
        return
    if file.status == "SUCCESS" and file.is_shown:
        if key not in states.live:
            cause = "its key is not in the dynamic set any more; it was deleted there"
            yield _of(Kind.PARTITION_MISSING, cause, Remedy.REPORT, file)
        elif key not in states.green:
            cause = "a later run failed over it, or the asset's materializations were wiped"
            yield _of(Kind.PARTITION_NOT_GREEN, cause, Remedy.REPORT, file)
    elif file.status in _NEVER_GREEN and file.committed_content_id is None and key in states.green:
        cause = (
            f"it is {file.status}, and somebody reported a materialization of it. Materialize the "
            "partition: the run brings the file into the table, or fails and turns it red"
        )
        yield _of(Kind.PARTITION_GREEN, cause, None, file)


def unknown_partition(key: str) -> Disagreement:
    """A green partition whose key is no file's."""
    cause = (
        "the ledger has no such file; the key was added by hand. Delete it from the dynamic "
        "partitions"
    )
    return Disagreement(Kind.PARTITION_GREEN, cause, None, key)


def _of(kind: Kind, cause: str, remedy: Remedy | None, file: RecordedFile) -> Disagreement:
    return Disagreement(kind, cause, remedy, file.key, file.file_id, file.committed_batch_id)
