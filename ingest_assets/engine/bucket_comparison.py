"""What the source holds, compared with what the ledger knows of it.

Objects are looked up a page of the listing at a time, so their order does not matter; of those that
the ledger has, one bit each is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingest_assets.deployment import Deployment
from ingest_assets.engine.disagreement import Disagreement, Kind, Remedy
from ingest_assets.engine.discovery import dead_letters_in
from ingest_assets.files.pattern import matcher
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup, recorded
from ingest_assets.ledger.recorded import KnownObject, RecordedFile

_INTERVALS = 3
_LEAST_WAIT = timedelta(minutes=2)
_WAITING = ("DISCOVERED", "FAILED", "PARKED")


class FileIds:
    """A set of ids of files: one bit for each up to the largest."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, file_id: int) -> None:
        """The id is in the set."""
        place = file_id >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits) + len(self._bits) // 8))
        self._bits[place] |= 1 << (file_id & 7)

    def __contains__(self, file_id: int) -> bool:
        place = file_id >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (file_id & 7) & 1)


@dataclass
class ListedObjects:
    """A whole listing: the ids of the files that were seen, and what the ledger has not as it is.

    `news` are objects that match the pattern, are no dead letters, and that the ledger does not
    know, or knows with another etag.
    """

    seen: FileIds = field(default_factory=FileIds)
    news: dict[str, SourceFile] = field(default_factory=dict)
    count: int = 0


def list_objects(deployment: Deployment, ingestion: Ingestion) -> ListedObjects:
    """The source as it is now.

    Raises:
        ObjectStoreError: it cannot be listed.
    """
    listed, matches = ListedObjects(), matcher(ingestion.source.pattern)
    is_dead_letter = dead_letters_in(deployment, ingestion)
    for page in deployment.store(ingestion).pages():
        known = _known(deployment, ingestion, [file.key for file in page])
        for file in page:
            of_ledger = known.get(file.key)
            if of_ledger is not None:
                listed.seen.add(of_ledger.file_id)
            if matches(file.key) and not is_dead_letter(file.key):
                listed.count += 1
                if of_ledger is None or of_ledger.etag != file.etag:
                    listed.news[file.key] = file
    return listed


def _known(deployment: Deployment, ingestion: Ingestion, keys: list[str]) -> dict[str, KnownObject]:
    with deployment.ledger.transaction() as connection:
        return recorded.known_objects(connection, ingestion.name, keys)


@dataclass(frozen=True)
class News:
    """What is amiss with new and changed objects; `fresh` counts those that are only new."""

    disagreements: list[Disagreement]
    fresh: int


def compare_news(
    deployment: Deployment, ingestion: Ingestion, listed: ListedObjects, now: datetime
) -> News:
    """The ledger is asked once more, because a tick may have found them meanwhile.

    They are no disagreement as long as the trigger finds them: by a listing that ended lately, or a
    message that may be under way. With a schedule that may be far off, so it is left to a person to
    say whether it is late.
    """
    with deployment.ledger.transaction() as connection:
        last = lookup.last_listed_at(connection, ingestion.name)
    interval = timedelta(seconds=ingestion.source.discovery.interval_seconds)
    until = now - max(_INTERVALS * interval, _LEAST_WAIT)
    is_listed = ingestion.schedule is not None or (last is not None and last > until)
    found, fresh, why = list[Disagreement](), 0, _why_missed(ingestion, last)
    known = _known(deployment, ingestion, list(listed.news))
    for key, file in listed.news.items():
        of_ledger = known.get(key)
        if of_ledger is not None and of_ledger.etag == file.etag:
            continue
        if is_listed or file.modified_at > until:
            fresh += 1
        else:
            found.append(_missed(key, of_ledger, file, why))
    return News(found, fresh)


def _why_missed(ingestion: Ingestion, last: datetime | None) -> str:
    """Why nothing found an object, where `last` is when a listing came to its end."""
    if ingestion.source.discovery.mode != "listing":
        return (
            "no message of the queue has told of it; see that the sensor is on, what its ticks "
            f"say, and what `ingest-assets setup-notifications {ingestion.name}` finds missing"
        )
    listed = f"since {last:%Y-%m-%d %H:%M:%S %Z}" if last else "yet"
    return f"no listing came to its end {listed}; see that the sensor is on and what its ticks say"


def _missed(key: str, known: KnownObject | None, file: SourceFile, why: str) -> Disagreement:
    cause = f"uploaded {file.modified_at:%Y-%m-%d %H:%M:%S %Z}, and {why}"
    if known is None:
        return Disagreement(Kind.OBJECT_UNKNOWN, cause, Remedy.DISCOVER, key)
    cause = f"etag {file.etag}, in the ledger {known.etag}; {cause}"
    return Disagreement(Kind.OBJECT_CHANGED, cause, Remedy.DISCOVER, key, known.file_id)


def has_object(file: RecordedFile, listed: ListedObjects) -> bool:
    """Its object is where it can be read: in the source, or where `after_success` moved it."""
    return file.file_id in listed.seen or file.is_moved


def compare_object(
    file: RecordedFile, listed: ListedObjects, since: datetime
) -> Iterator[Disagreement]:
    """A file that waits and whose object is not there any more."""
    is_new = file.discovered_at >= since
    if file.status in _WAITING and not has_object(file, listed) and not is_new:
        cause = (
            f"it is {file.status} and its object is gone, so it fails when it is read; upload it "
            "again, or leave it out by source.pattern"
        )
        yield Disagreement(Kind.OBJECT_GONE, cause, None, file.key, file.file_id)
