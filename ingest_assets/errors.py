"""Every deliberate error of the product. The class says whether trying again can help.

IngestError
├── FinalError                      trying again gives the same answer
│   ├── ConfigurationError          exit code 2 of the command line
│   │   ├── DeclarationError        a defs.yaml that does not hold
│   │   ├── ConnectionsFileError    connections.yaml that does not hold
│   │   ├── UnknownIngestionError   a name that no declaration has
│   │   ├── UnknownFileError        a key that no file of the ingestion has
│   │   ├── HomeInUseError          another `dev` or `demo` runs on the INGEST_HOME
│   │   ├── TableOwnershipError     the table belongs to another declaration or ledger
│   │   └── TableMissingError       the table was dropped after files were committed to it
│   ├── FileContentError            the bytes of one file; nothing of the file is written
│   │   ├── CorruptFileError        damaged, cut short, or not decodable
│   │   ├── WrongFormatError        readable, but not the declared format
│   │   ├── EncryptedFileError
│   │   ├── FileTooLargeError
│   │   ├── UnterminatedQuoteError  a CSV quote that is never closed
│   │   ├── ColumnNameError         two names collide, or a name that no column can have
│   │   ├── UnsupportedTypeError    a type that Iceberg cannot hold
│   │   ├── TableLayoutError        the file lacks a column of partition_by or sort_by
│   │   └── RejectedRatioError      more rejected rows than `max_rejected_ratio` allows
│   ├── WorkerDiedError             the file was being read each time its worker died
│   ├── FileChangedError            new content where changed files are not to be read
│   ├── SchemaParkedError           not a failure: the file waits for a decision
│   └── OtherTableError             not a failure: the file belongs into another table
└── RetryableError                  the same call may go through later
    ├── ServiceError                exit code 1 of the command line
    │   ├── ObjectStoreError        unreachable, throttled, denied, or no such bucket
    │   │   └── SourceChangedError  the object is gone or has another etag than the one planned
    │   ├── LedgerError             Postgres cannot be reached or refused the work
    │   └── CatalogError            the Iceberg catalog or warehouse cannot be reached
    ├── CommitConflictError         another writer came first; nothing was written
    │   └── TableChangedError       the table is another than the data files were written for
    ├── LeaseLostError              the batch belongs to somebody else now; nothing was written
    └── CommitUnknownError          the commit may or may not be in the table; recovery decides

Others are beside what raises them: `decision_errors`, `declared_changes`, `alerts.errors`,
`files.unreachable`, `files.notifications.errors`, `ledger.source_address`, `transforms.errors`, ...

What becomes of the files of the batch in which an error is met is the `fate` of its class:

| fate        | about    | the files                             | attempt   | whose               |
|-------------|----------|---------------------------------------|-----------|---------------------|
| FILE_FAILED | one file | DEAD_LETTER if it is final, or FAILED | spent     | all others          |
| ALL_FAILED  | a batch  | all FAILED                            | spent     | CatalogError,       |
|             |          |                                       |           | CommitConflictError |
| ALL_FREE    | a batch  | all DISCOVERED again                  | not spent | ConfigurationError, |
|             |          |                                       |           | TableChangedError   |
| UNDECIDED   | a batch  | all PROCESSING, until recovery has    | not spent | LedgerError,        |
|             |          | asked the table                       |           | LeaseLostError,     |
|             |          |                                       |           | CommitUnknownError  |

An exception that is no IngestError is FILE_FAILED while a file is read. It is a fault of ours
elsewhere, as is a FILE_FAILED: ALL_FAILED before the commit has begun, UNDECIDED afterwards. An
interrupt is ALL_FREE before the commit, UNDECIDED afterwards.
"""

from enum import Enum, auto
from typing import Any, ClassVar


class Fate(Enum):
    """What becomes of the files of a batch; the table above says more."""

    FILE_FAILED = auto()
    ALL_FAILED = auto()
    ALL_FREE = auto()
    UNDECIDED = auto()


class IngestError(Exception):
    """A deliberate error: its message is for the person who has to act on it."""

    is_retryable: ClassVar[bool]
    fate: ClassVar[Fate] = Fate.FILE_FAILED


class FinalError(IngestError):
    """Trying again gives the same answer."""

    is_retryable = False


class RetryableError(IngestError):
    """The same call may go through later."""

    is_retryable = True


class ConfigurationError(FinalError):
    """What a person wrote does not hold; nothing was read or written."""

    fate = Fate.ALL_FREE


class DeclarationError(ConfigurationError):
    """What is wrong in the declarations; `problems` are lines, each with its file and field."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class ConnectionsFileError(ConfigurationError):
    """connections.yaml does not hold, or a declaration names a connection that it lacks."""


class UnknownIngestionError(ConfigurationError):
    """No declaration has the name that was asked for."""


class UnknownFileError(ConfigurationError):
    """The ledger has no file with the key that was asked for."""


class HomeInUseError(ConfigurationError):
    """Another `ingest-assets dev` or `demo` runs on this home; nothing was started."""


class TableOwnershipError(ConfigurationError):
    """The Iceberg table belongs to another declaration, or to the ledger of another deployment."""


class TableMissingError(ConfigurationError):
    """The table is gone from the catalog, although files were committed to it."""


class FileContentError(FinalError):
    """The content of one file cannot be ingested; nothing of this file is in the table."""


class CorruptFileError(FileContentError):
    """The bytes are damaged, cut short, or do not decode."""


class WrongFormatError(FileContentError):
    """The bytes are readable, but they are not what the declaration says they are."""


class EncryptedFileError(FileContentError):
    """The file is encrypted and no key is declared."""


class FileTooLargeError(FileContentError):
    """The object is larger than `source.max_file_bytes`."""


class UnterminatedQuoteError(FileContentError):
    """A quoted CSV field begins on `line` and is never closed."""

    def __init__(self, message: str, line: int) -> None:
        self.line = line
        super().__init__(message)


class ColumnNameError(FileContentError):
    """Two fields of the file would become one column, or a field has a name no column can have."""


class UnsupportedTypeError(FileContentError):
    """A column has a type that Iceberg cannot hold."""


class TableLayoutError(FileContentError):
    """The first file lacks a column of `partition_by` or `sort_by`, or has it with a wrong type."""


class RejectedRatioError(FileContentError):
    """More rows were rejected than `max_rejected_ratio` allows; the good rows were not written."""


class WorkerDiedError(FinalError):
    """The worker died again and again while it read this file; nothing of it is in the table."""


class FileChangedError(FinalError):
    """A file that is in the table has new content, and `source.on_changed_file` is `fail`."""


class SchemaParkedError(FinalError):
    """The file's schema is a breaking change; the file waits for a person's decision.

    `change_index` points to the pending version among the batch's schema changes; `detail` has the
    differences as the ledger keeps them.
    """

    def __init__(self, message: str, change_index: int, detail: dict[str, Any]) -> None:
        self.change_index = change_index
        self.detail = detail
        super().__init__(message)


class OtherTableError(FinalError):
    """A person gave files of this shape a table of their own; a later batch writes it there.

    `route` is that table's identifier, empty for the declared one.
    """

    def __init__(self, message: str, route: str) -> None:
        self.route = route
        super().__init__(message)


class ServiceError(RetryableError):
    """A service is out of reach or refuses the work."""


class ObjectStoreError(ServiceError):
    """The object store is unreachable, throttles, denies access, or has no such bucket."""


class SourceChangedError(ObjectStoreError):
    """The object is gone, or its etag is no longer the one that was discovered."""


class LedgerError(ServiceError):
    """Postgres cannot be reached or refused the work; the transaction left nothing behind."""

    fate = Fate.UNDECIDED


class CatalogError(ServiceError):
    """The Iceberg catalog or its warehouse cannot be reached; the table is unchanged."""

    fate = Fate.ALL_FAILED


class CommitConflictError(RetryableError):
    """Another writer committed to the table first; the table is unchanged by us."""

    fate = Fate.ALL_FAILED


class TableChangedError(CommitConflictError):
    """The table came, went or changed its shape while the batch was read; it is read again."""

    fate = Fate.ALL_FREE


class LeaseLostError(RetryableError):
    """The lease of the batch was lost before its commit; the table is unchanged by us."""

    fate = Fate.UNDECIDED


class CommitUnknownError(RetryableError):
    """The connection was lost while committing; the batch stays PREPARED and recovery decides."""

    fate = Fate.UNDECIDED
