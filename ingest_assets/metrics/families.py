"""What the ledger says of its ingestions, as Prometheus has it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from ingest_assets.ledger.health import Backlog, BatchClass
from ingest_assets.ledger.states import FileStatus
from ingest_assets.ledger.table_health import NotedHealth
from ingest_assets.ledger.volume import DURATION_CLASSES


@dataclass(frozen=True)
class Reading:
    """What one scrape reads of the ledger. `settled` may be older, or None; see `exporter`."""

    backlogs: Sequence[Backlog]
    batch_classes: Sequence[BatchClass]
    settled: Mapping[tuple[str, FileStatus], int] | None
    tables: Sequence[NotedHealth] = ()


_GAUGES = (
    (
        "ingest_lag_seconds",
        "How long the oldest file that should be in the table and is not has waited.",
        "lag_seconds",
    ),
    (
        "ingest_queue_depth",
        "Files that wait to be read, those that failed and are tried again included.",
        "files_waiting",
    ),
    (
        "ingest_dead_letters",
        "Files that are given up until they are mended.",
        "files_dead_letter",
    ),
    (
        "ingest_open_batches",
        "Batches that wait for their run or are worked on.",
        "open_batches",
    ),
    (
        "breaking_schema_change",
        "Schema versions that wait for a person's decision.",
        "pending_versions",
    ),
)
_OF_TABLES = (
    ("ingest_table_files", "Data files of the table after its last maintenance.", "files"),
    ("ingest_table_small_files", "Those of them that are below the target size.", "small_files"),
    ("ingest_table_bytes", "Bytes of the data files of the table then.", "size_bytes"),
    ("ingest_table_snapshots", "Snapshots that the table kept then.", "snapshots"),
)
_MOMENTS = (
    (
        "ingest_last_look_timestamp_seconds",
        "When a listing or queue last ended; before the first, when the ingestion was met.",
        "unlooked_since",
    ),
    (
        "ingest_last_arrival_timestamp_seconds",
        "When a new or changed file was last found.",
        "last_arrival_at",
    ),
    (
        "ingest_last_success_timestamp_seconds",
        "When a batch last brought a file into the table.",
        "last_success_at",
    ),
)
_COUNTERS = (
    (
        "ingest_rows",
        "Rows of files that were ingested: written, with a rescued value, or rejected.",
        "kind",
        {"written": "rows", "rescued": "rescued_rows", "rejected": "rejected_rows"},
    ),
    (
        "ingest_file_outcomes",
        "What finished batches did with their files.",
        "outcome",
        {
            "SUCCESS": "success_files",
            "FAILED": "failed_files",
            "DEAD_LETTER": "dead_letter_files",
            "PARKED": "parked_files",
        },
    ),
)


def up(is_up: bool) -> Metric:
    """Whether the ledger answered; the other families are absent when it did not."""
    return GaugeMetricFamily(
        "ingest_up", "1 if the ledger answered this scrape in time, else 0.", float(is_up)
    )


def families(reading: Reading) -> Iterator[Metric]:
    """Every metric but `ingest_up`, labelled by ingestion."""
    yield _files(reading)
    for name, help_text, field in _GAUGES:
        family = GaugeMetricFamily(name, help_text, labels=["ingestion"])
        for backlog in reading.backlogs:
            family.add_metric([backlog.ingestion], getattr(backlog, field))
        yield family
    for name, help_text, field in _MOMENTS:
        family = GaugeMetricFamily(name, help_text, labels=["ingestion"])
        for backlog in reading.backlogs:
            if (moment := getattr(backlog, field)) is not None:
                family.add_metric([backlog.ingestion], moment.timestamp())
        yield family
    yield from _counters(reading)
    yield _batch_seconds(reading)
    yield from _tables(reading)


def _tables(reading: Reading) -> Iterator[Metric]:
    """None of a table that was never maintained."""
    labels = ["ingestion", "table"]
    for name, help_text, number in _OF_TABLES:
        family = GaugeMetricFamily(name, help_text, labels=labels)
        for one in reading.tables:
            family.add_metric([one.ingestion, one.table_identifier], one.numbers[number])
        yield family
    family = GaugeMetricFamily(
        "ingest_table_maintained_timestamp_seconds", "When that was.", labels=labels
    )
    for one in reading.tables:
        family.add_metric([one.ingestion, one.table_identifier], one.measured_at.timestamp())
    yield family


def _files(reading: Reading) -> Metric:
    family = GaugeMetricFamily(
        "ingest_files", "Files that the ledger knows.", labels=["ingestion", "status"]
    )
    for backlog in reading.backlogs:
        for status in FileStatus:
            count = getattr(backlog, f"files_{status.lower()}", None)
            if count is None and reading.settled is not None:
                count = reading.settled.get((backlog.ingestion, status), 0)
            if count is not None:
                family.add_metric([backlog.ingestion, status], count)
    return family


def _counters(reading: Reading) -> Iterator[Metric]:
    grouped = _by_ingestion(reading)
    for name, help_text, label, columns in _COUNTERS:
        family = CounterMetricFamily(name, help_text, labels=["ingestion", label])
        for ingestion, classes in grouped.items():
            for value, column in columns.items():
                total = sum(one.counted[column] for one in classes)
                family.add_metric([ingestion, value], total)
        yield family
    family = CounterMetricFamily(
        "ingest_bytes", "Bytes of the objects that were ingested.", labels=["ingestion"]
    )
    for ingestion, classes in grouped.items():
        family.add_metric([ingestion], sum(one.counted["bytes"] for one in classes))
    yield family


def _batch_seconds(reading: Reading) -> Metric:
    family = HistogramMetricFamily(
        "ingest_batch_seconds",
        "How long finished batches took, from the claim of their files to the end.",
        labels=["ingestion"],
    )
    bounds = [*map(float, DURATION_CLASSES), math.inf]
    for ingestion, classes in _by_ingestion(reading).items():
        batches = {one.at_most_seconds: one.counted["batches"] for one in classes}
        heights = accumulate(batches.get(bound, 0) for bound in bounds)
        buckets = list(zip(map(_bound_text, bounds), heights, strict=True))
        family.add_metric([ingestion], buckets, sum(one.seconds for one in classes))
    return family


def _bound_text(bound: float) -> str:
    return "+Inf" if bound == math.inf else str(bound)


def _by_ingestion(reading: Reading) -> dict[str, list[BatchClass]]:
    grouped = groupby(reading.batch_classes, key=lambda one: one.ingestion)
    return {ingestion: list(classes) for ingestion, classes in grouped}
