"""Single objects looked at, many at once: what is there now, whatever somebody said of them."""

from collections.abc import Collection
from dataclasses import dataclass
from threading import Event

from ingest_assets.cost.meter import METER
from ingest_assets.errors import ObjectStoreError
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets.files.unreachable import StoreUnreachableError
from ingest_assets.interrupts import in_threads

_THREADS = 16


@dataclass(frozen=True)
class Looked:
    """The files that are there, in key order (UTF-8 bytes); the keys of which there is none; and
    those that the store did not tell of, with what it said."""

    files: list[SourceFile]
    gone: frozenset[str]
    refused: dict[str, ObjectStoreError]


def look_at(store: SourceStore, keys: Collection[str]) -> Looked:
    """Each of the keys as it is now.

    One object that the store refuses leaves the others alone. One for which it gives no answer is
    the last that it is asked for.

    Raises:
        StoreUnreachableError: the store did not answer; nothing is known of any of them.
        ObjectStoreError: the store has no such bucket, or lets nothing of it be seen.
    """
    METER.add(get_requests=len(set(keys)))
    ordered, silence = sorted(set(keys), key=str.encode), Event()
    told_of = in_threads(lambda key: _head(store, key, silence), ordered, _THREADS)
    found = dict(zip(ordered, told_of, strict=True))
    refused = {key: told for key, told in found.items() if isinstance(told, ObjectStoreError)}
    gone = frozenset(key for key, told in found.items() if told is None)
    if gone or (refused and len(refused) == len(found)):
        store.check()
    return Looked([told for told in found.values() if isinstance(told, SourceFile)], gone, refused)


def _head(store: SourceStore, key: str, silence: Event) -> SourceFile | ObjectStoreError | None:
    if silence.is_set():
        return None  # the error of a key before it is what `look_at` raises
    try:
        return store.head(key)
    except StoreUnreachableError:
        silence.set()
        raise
    except ObjectStoreError as error:
        return error
