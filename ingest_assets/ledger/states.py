"""The states of files, batches, versions, messages and copies, and the kinds of alerts."""

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


class AlertKind(StrEnum):
    """What people are told of without asking."""

    SCHEMA_PENDING = "schema_pending"
    DEAD_LETTER = "dead_letter"
    RUN_FAILED = "run_failed"
    CHECK_FAILED = "check_failed"
    NOTHING_ARRIVED = "nothing_arrived"
    BATCH_SLOW = "batch_slow"


class DeliveryState(StrEnum):
    """Is tried until it comes through; came through; was refused for good, or nobody wants it."""

    WAITING = "WAITING"
    SENT = "SENT"
    DROPPED = "DROPPED"


class CopyState(StrEnum):
    """Is tried until it is made; lies there with its report; the report alone does."""

    WAITING = "WAITING"
    COPIED = "COPIED"
    REPORTED = "REPORTED"
