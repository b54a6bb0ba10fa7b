"""What a preview found of the source and its files: the first half of `report`."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ConnectionSeen:
    """How the source is reached. `credentials`: where the keys come from, never the keys.

    `refusal`: what the store, or the way to it, said, and what to do; None where it works.
    """

    name: str
    endpoint: str
    region: str | None
    credentials: str
    refusal: str | None = None


@dataclass(frozen=True)
class ServiceSeen:
    """The ledger or the catalog. `said`: which it is, or why it was not asked."""

    name: str
    was_asked: bool
    said: str


@dataclass(frozen=True)
class FoundFiles:
    """The files under the prefix that match the pattern, as far as the listing went.

    `listed`: all objects that were listed, of which `left_out` match the pattern and are not wanted
    (`source.start`, dead letters). `is_cut`: there are more, which were not listed.
    """

    count: int
    size_bytes: int
    listed: int
    left_out: int
    is_cut: bool
    requests: int
    seconds: float
    smallest_bytes: int | None = None
    largest_bytes: int | None = None
    oldest: datetime | None = None
    newest: datetime | None = None
    example_left_out: str | None = None


@dataclass(frozen=True)
class FormatSeen:
    """What the files are by their names, magic bytes and content.

    `declared`: the type that the declaration names, None where it is `type` that was detected.
    `contradictions`: a sentence each. `detected`: delimiter, header and the like, of the first.
    """

    type: str | None
    declared: str | None
    compression: tuple[str, ...]
    reason: str
    contradictions: tuple[str, ...] = ()
    detected: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class FileSeen:
    """What ingestion would make of one file, in the order in which it would come to it.

    `outcome`: SUCCESS, PARKED, FAILED, DEAD_LETTER, ROUTED as in the ledger, or UNREAD: too large
    to be read in a preview. `read_bytes`: less than `size_bytes` where only the beginning was read;
    rows, rejects and rescues are those of this beginning. `known_as`: its state in the ledger, None
    where the ledger does not know it or was not asked. Under a transform, of a file that it could
    be put to: the file's `records`, how many of them it `filtered` (None where its rows are no rows
    of the file), and the `unused_fields` that it has nothing of.
    """

    key: str
    size_bytes: int
    read_bytes: int
    compression: str
    outcome: str
    rows: int
    rescued: int
    rejected: int
    seconds: float
    error_type: str | None = None
    error: str | None = None
    known_as: str | None = None
    records: int | None = None
    filtered: int | None = None
    unused_fields: tuple[str, ...] = ()
