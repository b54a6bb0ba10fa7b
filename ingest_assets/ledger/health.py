"""How all ingestions are, as the views and totals of the ledger have it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from ingest_assets.ledger.states import FileStatus
from ingest_assets.ledger.volume_tables import COUNTED

SETTLED = (FileStatus.SUCCESS, FileStatus.SKIPPED)
"""The states in which most files of a ledger are, so that counting them takes longest."""


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What is open of one ingestion now, without its settled files.

    `lag_seconds`: how long the oldest file that waits (DISCOVERED, PROCESSING or FAILED, and its
    content is not in the table) has done so since it was put there, or since the ingestion was
    first seen if that was later; 0 if none does. Parked files and dead-letters are no lag.
    """

    ingestion: str
    known_since: datetime | None = None
    last_looked_at: datetime | None = None
    last_arrival_at: datetime | None = None
    last_success_at: datetime | None = None
    files_discovered: int = 0
    files_processing: int = 0
    files_failed: int = 0
    files_dead_letter: int = 0
    files_parked: int = 0
    files_rejected: int = 0
    lag_seconds: float = 0.0
    open_batches: int = 0
    pending_versions: int = 0

    @property
    def unlooked_since(self) -> datetime | None:
        """When a look at the source last ended; before the first, when the ingestion was met."""
        return self.last_looked_at or self.known_since

    @property
    def files_waiting(self) -> int:
        """The files that wait for a batch, or in one that no worker holds yet."""
        return self.files_discovered + self.files_failed

    @property
    def needs_attention(self) -> bool:
        """A person has something to look at, to mend or to decide."""
        bad = self.files_failed + self.files_dead_letter + self.files_parked
        return bool(bad or self.pending_versions)


@dataclass(frozen=True, kw_only=True)
class Health(Backlog):
    """One ingestion as `ingest.v_health` and `ingest.v_latency` have it.

    The rates are the shares of SUCCESS among the outcomes of the files of finished batches; None
    without any. They, like all numbers of 24 hours and 7 days, are of whole hours.
    `p95_seconds` is from the upload of a file to its commit, over the last three hours. The
    defaults are those of an ingestion that is declared and that the ledger has not met yet.
    """

    table_identifier: str
    files_success: int = 0
    files_skipped: int = 0
    oldest_waiting_at: datetime | None = None
    success_rate_24h: float | None = None
    success_rate_7d: float | None = None
    files_24h: int = 0
    rows_24h: int = 0
    slowest_batch_seconds_24h: float | None = None
    open_batch_seconds: float | None = None
    p95_seconds: float | None = None


@dataclass(frozen=True)
class BatchClass:
    """The finished batches of one ingestion that took at most so long, and what they did.

    `counted` has the columns `volume_tables.COUNTED`; it only ever grows.
    """

    ingestion: str
    at_most_seconds: float
    seconds: float
    counted: Mapping[str, int]


_HEALTH = text(f"""
    SELECT {", ".join(f.name for f in fields(Health))}
    FROM ingest.v_health LEFT JOIN ingest.v_latency USING (ingestion) ORDER BY ingestion
""")
_BACKLOG = text(f"""
    SELECT {", ".join(f.name for f in fields(Backlog))} FROM ingest.v_health ORDER BY ingestion
""")
_BATCH_CLASSES = text(f"""
    SELECT ingestion, at_most_seconds, seconds, {", ".join(COUNTED)}
    FROM ingest.batch_totals ORDER BY ingestion, at_most_seconds
""")


def health(connection: Connection) -> list[Health]:
    """Every ingestion that the ledger knows, by name."""
    return [Health(**row) for row in connection.execute(_HEALTH).mappings()]


def backlogs(connection: Connection) -> list[Backlog]:
    """Every ingestion that the ledger knows, by name; quick whatever the number of its files."""
    return [Backlog(**row) for row in connection.execute(_BACKLOG).mappings()]


def settled_files(connection: Connection) -> dict[tuple[str, FileStatus], int]:
    """How many files of each ingestion are settled; reads the index of all files."""
    rows = connection.execute(
        text("""
            SELECT ingestion, status, count(*) AS files FROM ingest.files
            WHERE status = ANY(:settled) GROUP BY ingestion, status
        """),
        {"settled": list(SETTLED)},
    )
    return {(row.ingestion, FileStatus(row.status)): row.files for row in rows}


def batch_classes(connection: Connection) -> list[BatchClass]:
    """The finished batches of every ingestion by how long they took, shortest first."""
    return [
        BatchClass(
            row["ingestion"],
            row["at_most_seconds"],
            row["seconds"],
            {name: row[name] for name in COUNTED},
        )
        for row in connection.execute(_BATCH_CLASSES).mappings()
    ]


def limit_time(connection: Connection, limit: timedelta) -> None:
    """A statement of this transaction that takes longer fails, as if Postgres had gone away."""
    connection.execute(
        text("SELECT set_config('statement_timeout', :limit, true)"),
        {"limit": f"{round(limit.total_seconds() * 1000)}ms"},
    )
