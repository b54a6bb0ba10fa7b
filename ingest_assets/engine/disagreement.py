"""What ledger, table, bucket and Dagster can disagree about, and what can be done about it."""

from dataclasses import dataclass
from enum import StrEnum


class Remedy(StrEnum):
    """What `--apply` does, which is what ticks do as well; each can be done twice."""

    RECOVER = "recover"
    DISCOVER = "discover"
    READ_AGAIN = "read_again"
    FORGET = "forget"
    REPORT = "report"
    WAIT = "wait"

    @property
    def words(self) -> str:
        """What is done, for people."""
        return _REMEDIES[self]


_REMEDIES = {
    Remedy.RECOVER: "--apply finishes or gives back what was left, as every tick does",
    Remedy.DISCOVER: "--apply lists the whole source once",
    Remedy.READ_AGAIN: "--apply lets the file be read again, which replaces its rows",
    Remedy.FORGET: "--apply notes that its rows are gone; its newest content waits as before",
    Remedy.REPORT: "--apply tells Dagster again",
    Remedy.WAIT: "nothing is to be done: reading the file, which waits, replaces the rows",
}


class Kind(StrEnum):
    """What is wrong. The first ones are about the table, then bucket, Dagster and batches."""

    TABLE_MISSING = "table_missing"
    OTHER_OWNER = "other_owner"
    ROLLED_BACK = "rolled_back"
    ROWS_MISSING = "rows_missing"
    KEPT_ROWS_MISSING = "kept_rows_missing"
    ROW_COUNT = "row_count"
    ROWS_DOUBLED = "rows_doubled"
    OTHER_CONTENT = "other_content"
    NOT_COMMITTED = "not_committed"
    TWO_TABLES = "two_tables"
    UNKNOWN_FILE = "unknown_file"
    REJECTED_COUNT = "rejected_count"
    OBJECT_UNKNOWN = "object_unknown"
    OBJECT_CHANGED = "object_changed"
    OBJECT_GONE = "object_gone"
    PARTITION_MISSING = "partition_missing"
    PARTITION_NOT_GREEN = "partition_not_green"
    PARTITION_GREEN = "partition_green"
    BATCH_LAPSED = "batch_lapsed"
    BATCH_RELEASED = "batch_released"
    BATCH_UNKNOWN = "batch_unknown"
    FILE_HELD = "file_held"
    NOT_RECORDED = "not_recorded"

    @property
    def meaning(self) -> str:
        """What it means for whoever reads the table or waits for a file."""
        return _MEANINGS[self]


_MEANINGS = {
    Kind.TABLE_MISSING: "nobody can read the table, and ticks refuse to write",
    Kind.OTHER_OWNER: "the rows there are another deployment's, and ticks refuse to write",
    Kind.ROLLED_BACK: "readers see the table without these files",
    Kind.ROWS_MISSING: "readers do not see rows of a file that is called SUCCESS",
    Kind.KEPT_ROWS_MISSING: "readers do not see an earlier upload that append was to keep",
    Kind.ROW_COUNT: "readers see a part of the file, or more than it has",
    Kind.ROWS_DOUBLED: "readers count rows twice",
    Kind.OTHER_CONTENT: "readers see rows that the file has no more",
    Kind.NOT_COMMITTED: "readers see rows of a file that is not called SUCCESS",
    Kind.TWO_TABLES: "readers see the file's rows in two tables",
    Kind.UNKNOWN_FILE: "readers see rows of a file that nobody knows",
    Kind.REJECTED_COUNT: "readers see other rejected rows than the file had",
    Kind.OBJECT_UNKNOWN: "the file's rows are missing, and no state says why",
    Kind.OBJECT_CHANGED: "readers see the file as it was before",
    Kind.OBJECT_GONE: "the file waits to be read and cannot be",
    Kind.PARTITION_MISSING: "the file is in the table, and the UI does not show it",
    Kind.PARTITION_NOT_GREEN: "the file is in the table, and the UI says that it is not",
    Kind.PARTITION_GREEN: "the UI says that the file is in the table, and it is not",
    Kind.BATCH_LAPSED: "its files wait, whether their rows are in the table or not",
    Kind.BATCH_RELEASED: "readers see rows of files that are about to be read again",
    Kind.BATCH_UNKNOWN: "readers see what this ledger knows nothing of",
    Kind.FILE_HELD: "no tick ever takes the file",
    Kind.NOT_RECORDED: "nobody can tell which content of the file readers see",
}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that is not as the ledger, or its counterpart, says.

    `cause` is in words, and ends with the way out where there is no remedy. `key` is the raw
    relative key. `file_id`, `table` (route as in `ledger.tables`) and `content_id` are what a
    remedy needs.
    """

    kind: Kind
    cause: str
    remedy: Remedy | None
    key: str | None = None
    file_id: int | None = None
    batch_id: str | None = None
    table: str | None = None
    content_id: int | None = None
