"""The states of files, batches and schema versions."""

from enum import StrEnum


class FileStatus(StrEnum):
    """The states of a file."""

    DISCOVERED = "DISCOVERED"
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    DEAD_LETTER = "DEAD_LETTER"
    PARKED = "PARKED"
    REJECTED = "REJECTED"
    SKIPPED = "SKIPPED"


class BatchStatus(StrEnum):
    """Set aside for a run; held by a worker; its outcomes are true; given up."""

    PLANNED = "PLANNED"
    PREPARED = "PREPARED"
    COMMITTED = "COMMITTED"
    RELEASED = "RELEASED"


class VersionStatus(StrEnum):
    """What the table looks like; waits for a person; was once active; was refused."""

    ACTIVE = "ACTIVE"
    PENDING = "PENDING"
    DEPRECATED = "DEPRECATED"
    REJECTED = "REJECTED"
