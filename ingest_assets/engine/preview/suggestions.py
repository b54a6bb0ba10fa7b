"""What might be declared otherwise, with the reason: each from numbers that the preview has."""

from collections import Counter
from collections.abc import Iterator

from ingest_assets.engine.preview.report import Preview, Suggestion
from ingest_assets.engine.preview.section import bytes_text
from ingest_assets.engine.preview.source_report import FoundFiles
from ingest_assets.engine.preview.trial import Trial
from ingest_assets.ingestion import Ingestion

MANY_OBJECTS = 10_000
"""A listing of so many takes ten requests and about a second, every interval."""
PARTITION_BYTES = 16 * 10**6
"""Of Parquet in a partition; with less, a scan opens more files than it saves."""
_TINY_BYTES = 100_000
_TINY_FILES = 100
_LARGE_GZIP_BYTES = 256 * 10**6
_UNCOMPRESSED_BYTES = 10**9
_YEAR_DAYS = 365


def suggestions(ingestion: Ingestion, seen: Preview, trial: Trial) -> tuple[Suggestion, ...]:
    """In the order of the declaration's fields; empty where there is nothing to say."""
    if seen.found is None:
        return ()
    return (
        *_discovery(ingestion, seen.found),
        *_producers(ingestion, seen, seen.found),
        *_partitioning(ingestion, seen, seen.found, trial),
        *_batches(ingestion, seen.found),
    )


def _discovery(ingestion: Ingestion, found: FoundFiles) -> Iterator[Suggestion]:
    discovery = ingestion.source.discovery
    is_s3 = ingestion.source.uri.startswith("s3://")
    if discovery.mode == "listing" and is_s3 and (found.is_cut or found.listed >= MANY_OBJECTS):
        pages = -(-found.listed // 1000)
        yield Suggestion(
            "source.discovery",
            "{mode: both, queue_url: ...}",
            f"{'at least ' if found.is_cut else ''}{found.listed:,} objects are under the prefix: "
            f"each listing takes {pages} requests, every {discovery.interval_seconds} s. Events "
            "cost what is new (ingest-assets setup-notifications).",
        )


def _producers(ingestion: Ingestion, seen: Preview, found: FoundFiles) -> Iterator[Suggestion]:
    mean = found.size_bytes / max(1, found.count)
    if found.count >= _TINY_FILES and mean < _TINY_BYTES:
        yield Suggestion(
            "the producer",
            "fewer, larger files",
            f"{found.count:,} files of {bytes_text(mean)} on average: requests and bookkeeping "
            "cost more than the bytes. Each file is a partition.",
        )
    codecs = {file.compression for file in seen.files}
    is_text = ingestion.format.type in ("json", "csv", "xml")
    if is_text and codecs == {"none"} and found.size_bytes >= _UNCOMPRESSED_BYTES:
        yield Suggestion(
            "the producer",
            "zstd or gzip",
            f"{bytes_text(found.size_bytes)} of {ingestion.format.type} are not compressed; text "
            "becomes a fifth to a tenth, and is fetched as much faster.",
        )
    largest = found.largest_bytes or 0
    if is_text and "gzip" in codecs and largest >= _LARGE_GZIP_BYTES:
        yield Suggestion(
            "the producer",
            "files of 100 MB at most",
            f"the largest gzip file has {bytes_text(largest)}: it is read by one thread from its "
            "beginning, and once more whole where a row does not fit.",
        )
    if largest > ingestion.source.max_file_bytes:
        yield Suggestion(
            "source.max_file_bytes",
            str(largest),
            f"the largest file has {bytes_text(largest)}, more than the limit of "
            f"{bytes_text(ingestion.source.max_file_bytes)}, and would be dead-lettered unread.",
        )


def _partitioning(
    ingestion: Ingestion, seen: Preview, found: FoundFiles, trial: Trial
) -> Iterator[Suggestion]:
    """A temporal column by the day, month or year, as the bytes of a partition ask for."""
    if ingestion.table.partition_by or (seen.table is not None and seen.table.exists):
        return
    read = sum(file.read_bytes for file in seen.files if file.outcome == "SUCCESS")
    if not read or not trial.data_bytes:
        return
    table_bytes = trial.data_bytes / read * found.size_bytes
    days: dict[str, Counter[int]] = {}
    for note in trial.notes:
        for name, counts in note.days.items():
            days.setdefault(name, Counter()).update(counts)
    rows = sum(note.rows for note in trial.notes)
    filled = {name: c for name, c in days.items() if c and sum(c.values()) >= 0.99 * rows}
    if not filled:
        return
    name = max(filled, key=lambda name: (len(filled[name]), -list(days).index(name)))
    span = max(filled[name]) - min(filled[name]) + 1
    a_year = table_bytes * _YEAR_DAYS / max(span, _days_of(found))
    for term, parts in (("day", 365), ("month", 12), ("year", 1)):
        if a_year / parts >= PARTITION_BYTES:
            yield Suggestion(
                "table.partition_by",
                f"[{term}({name})]",
                f"{name} has {len(filled[name])} days in the rows read and hardly a null; about "
                f"{bytes_text(a_year)} of Parquet a year are {bytes_text(a_year / parts)} a "
                f"{term}.",
            )
            return


def _days_of(found: FoundFiles) -> float:
    """The days over which the files arrived; one at least."""
    if found.oldest is None or found.newest is None:
        return 1.0
    return max(1.0, (found.newest - found.oldest).total_seconds() / 86_400)


def _batches(ingestion: Ingestion, found: FoundFiles) -> Iterator[Suggestion]:
    mean = found.size_bytes / max(1, found.count)
    batch = ingestion.batch
    if found.count >= 2 and mean * 2 > batch.max_bytes:
        yield Suggestion(
            "batch.max_bytes",
            str(int(mean * 4)),
            f"files have {bytes_text(mean)} on average and a batch takes "
            f"{bytes_text(batch.max_bytes)}: each file would be a commit of its own.",
        )
    if found.count > 20 * batch.max_files:
        yield Suggestion(
            "batch.max_files",
            str(min(5000, batch.max_files * 5)),
            f"{found.count:,} files wait, {batch.max_files} a batch: "
            f"{-(-found.count // batch.max_files):,} commits to catch up.",
        )
