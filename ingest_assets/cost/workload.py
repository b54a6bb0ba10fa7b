"""How much there is to do in a span of time, as a declaration and its files make it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ingest_assets.cost.usage import Usage
from ingest_assets.ingestion import Ingestion

KEYS_A_PAGE = 1000
DAEMON_SECONDS = 6
"""Dagster's daemon goes round its sensors every five seconds and what their ticks take, so that an
interval is kept to such steps: 5 s come to 7 in the demo on two busy cores."""
WHOLE_BYTES = 32 * 1024**2
RANGE_BYTES = 16 * 1024**2
"""`files.store` reads larger files than the first in ranges of the second."""
MESSAGES_A_REQUEST = 10
COMMIT_PUTS = 3
"""A manifest, the manifest list, the table's metadata."""
COMMIT_GETS = 9
"""The table's metadata, the manifest list and manifests for the filter of the commit: 8.8 on
average in the demo, from 1 to 15, as they grow with the manifests."""
REJECTING_GETS = 2
"""Of the commit of rejected rows besides."""
START_CPU_SECONDS = 2.6
"""Of a process that runs a batch under Dagster, all but the reading: 2.6 to 2.9 in the demo."""


@dataclass(frozen=True)
class Arrivals:
    """Files that came in `days` days; `bursts`: moments, an interval of discovery apart."""

    days: float
    files: int
    size_bytes: int
    gets: int
    bursts: int


@dataclass(frozen=True)
class Measured:
    """What was measured of such files, in batches of as many as come at a time.

    `rejecting_share`: of the batches, those with rejected rows, which take a commit of their own.
    `history_batches`: processor time is that of so many batches before; 0: of the reading alone.
    """

    cpu_seconds_per_byte: float
    table_bytes_per_byte: float
    data_files_per_batch: float
    rejecting_share: float
    start_cpu_seconds: float = START_CPU_SECONDS
    history_batches: int = 0

    def by_history(self, batches: int, used: Usage) -> "Measured":
        """The same, with processor time as these batches of the same ingestion used it.

        What a run and a byte were to take is made more or less alike, so that both together give
        what was used.
        """
        expected = batches * self.start_cpu_seconds + used.read_bytes * self.cpu_seconds_per_byte
        if not batches or not used.cpu_seconds or not expected:
            return self
        share = used.cpu_seconds / expected
        return replace(
            self,
            cpu_seconds_per_byte=self.cpu_seconds_per_byte * share,
            start_cpu_seconds=self.start_cpu_seconds * share,
            history_batches=batches,
        )


def arrivals(files: Sequence[tuple[datetime, int]], interval_seconds: float) -> Arrivals:
    """The files by `(modified_at, size_bytes)`; those of less than a day are taken for a day's."""
    if not files:
        return Arrivals(1.0, 0, 0, 0, 0)
    moments = sorted(moment.timestamp() for moment, _ in files)
    days = max(1.0, (moments[-1] - moments[0]) / 86_400)
    bursts = len({int(moment // max(DAEMON_SECONDS, interval_seconds)) for moment in moments})
    gets = sum(gets_of(size) for _, size in files)
    return Arrivals(days, len(files), sum(size for _, size in files), gets, bursts)


def gets_of(size_bytes: int) -> int:
    """The requests that it takes to read a file of this size."""
    return 1 if size_bytes <= WHOLE_BYTES else -(-size_bytes // RANGE_BYTES)


def batches_of(ingestion: Ingestion, came: Arrivals) -> float:
    """The commits that the files take: one a burst, or a firing of the schedule, or more."""
    batch = ingestion.batch
    least = max(came.files / batch.max_files, came.size_bytes / batch.max_bytes)
    bursts = float(came.bursts)
    if ingestion.schedule is not None:
        bursts = min(bursts, came.days * ingestion.schedule.firings_a_day)
    return max(least, bursts) if came.files else 0.0


def ticks_a_day(ingestion: Ingestion) -> float:
    """How often is looked for files."""
    if ingestion.schedule is not None:
        return ingestion.schedule.firings_a_day
    rounds = -(-ingestion.source.discovery.interval_seconds // DAEMON_SECONDS)
    return 86_400 / (rounds * DAEMON_SECONDS)


def files_a_batch(ingestion: Ingestion, came: Arrivals) -> int:
    """How many files a commit takes, one at least."""
    batches = batches_of(ingestion, came)
    return max(1, round(came.files / batches)) if batches else 1


def expected_usage(
    ingestion: Ingestion,
    came: Arrivals,
    measured: Measured,
    listed_objects: int,
    days: float,
    looking_days: float | None = None,
    begins: int = 0,
) -> Usage:
    """What `days` days of such arrivals use, with so many objects under the prefix.

    `looking_days`: how long is looked for them, if that is not all the time, in `begins` spans.
    """
    share = days / came.days
    batches = batches_of(ingestion, came) * share
    discovery = ingestion.source.discovery
    looked = days if looking_days is None else looking_days
    ticks = begins + looked * ticks_a_day(ingestion)
    pages = max(1, -(-listed_objects // KEYS_A_PAGE))
    has_queue = discovery.queue_url is not None
    listings = ticks
    if has_queue:
        hours = discovery.listing_hours if discovery.mode == "both" else None
        listings = begins + (looked * 24 / hours if hours else 0.0)
    events = came.files * share if has_queue else 0.0
    rejecting = batches * measured.rejecting_share
    read_bytes = came.size_bytes * share
    return Usage(
        list_requests=round(listings * pages),
        get_requests=round(came.gets * share + events),
        table_get_requests=round(batches * COMMIT_GETS + rejecting * REJECTING_GETS),
        table_put_requests=round(
            batches * (COMMIT_PUTS + measured.data_files_per_batch) + rejecting * COMMIT_PUTS
        ),
        queue_requests=round(ticks + 2 * events / MESSAGES_A_REQUEST) if has_queue else 0,
        read_bytes=round(read_bytes),
        written_bytes=round(read_bytes * measured.table_bytes_per_byte),
        cpu_seconds=batches * measured.start_cpu_seconds
        + read_bytes * measured.cpu_seconds_per_byte,
    )
