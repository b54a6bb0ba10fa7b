"""Notifications: what the messages of the source's queue hint at, written into the ledger.

An event is a hint that a key may have changed, never the truth. Each key is looked at, and what is
there now is recorded as a listing would record it. So doubled, late and shuffled events change
nothing, and a message is deleted only when the ledger has all that it brought.
"""

import logging
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from ingest_assets.deployment import Deployment
from ingest_assets.engine.discovery import dead_letters_in
from ingest_assets.errors import ObjectStoreError
from ingest_assets.files.discovery import skipped_keys
from ingest_assets.files.looking import Looked, look_at
from ingest_assets.files.notifications.message import Message
from ingest_assets.files.notifications.queue import SHORT_ROUND_MESSAGES
from ingest_assets.files.notifications.sorting import Kind, SortedMessage, sort_message
from ingest_assets.files.pattern import matcher
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import (
    gone_files,
    listing,
    notifications,
    source_objects,
)
from ingest_assets.ledger.listing import Seen
from ingest_assets.ledger.listing_progress import Progress, listing_progress
from ingest_assets.ledger.notifications import OddMessage

logger = logging.getLogger(__name__)

_IN_WORDS = {
    Kind.TEST: "test",
    Kind.FOLDER: "of folder markers",
    Kind.LEFT_OUT: "left out by source.pattern",
    Kind.OTHER_BUCKET: "of another bucket",
    Kind.OTHER_PREFIX: "of another prefix",
    Kind.UNREADABLE: "unreadable",
}


@dataclass(frozen=True)
class Received:
    """What a queue brought: messages and events by kind, and what was found for them.

    `files` are distinct keys of a round that are there; `gone` the keys that were asked for and
    are not; `kept` the messages that stay in the queue, because the store refused their objects;
    `overtaken` those that stay because the ledger has learnt more of their objects since the look.
    """

    counts: Counter[Kind] = field(default_factory=Counter)
    seen: Seen = field(default_factory=Seen)
    files: int = 0
    gone: tuple[str, ...] = ()
    kept: int = 0
    overtaken: int = 0

    def __add__(self, other: "Received") -> "Received":
        return Received(
            self.counts + other.counts,
            self.seen + other.seen,
            self.files + other.files,
            self.gone + other.gone,
            self.kept + other.kept,
            self.overtaken + other.overtaken,
        )

    def summary(self) -> str:
        """As in: 12 messages: 10 files, 1 of another prefix, 1 unreadable."""
        messages = self.counts[Kind.MESSAGE]
        if not messages + self.kept + self.overtaken:
            return "no messages"
        parts = [f"{self.files} files"] if self.files else []
        parts += [f"{len(self.gone)} gone"] if self.gone else []
        parts += [f"{self.counts[k]} {said}" for k, said in _IN_WORDS.items() if self.counts[k]]
        parts += [f"{self.kept} kept, as the store refused their objects"] if self.kept else []
        parts += [f"{self.overtaken} kept, to look again"] if self.overtaken else []
        return f"{messages} message{'' if messages == 1 else 's'}: {', '.join(parts)}"


def drain(
    deployment: Deployment, ingestion: Ingestion, time_limit: timedelta | None = None
) -> Received:
    """The ledger has what the messages of the queue hint at, and the queue has them no more.

    In rounds, until the queue is empty or, after a round, the `time_limit` is over. With one the
    rounds are short, and nothing is received for a store that gave no answer a short while ago.

    Raises:
        QueueError: the queue cannot be read; the rounds before are recorded.
        ObjectStoreError: the objects cannot be looked at; their messages come again.
        StoreUnreachableError: the store does not answer, or did not a short while ago.
        LedgerError: Postgres does not answer; the messages of the round come again.
    """
    queue, started, is_patient = deployment.queue(ingestion), time.monotonic(), time_limit is None
    place = deployment.store(ingestion).place
    received = Received()
    while time_limit is None or time.monotonic() - started < time_limit.total_seconds():
        if not is_patient:
            deployment.unreachable.check(place)
        messages, has_waited = queue.receive(is_short=not is_patient)
        if not messages:
            if has_waited:
                with deployment.ledger.transaction() as connection:
                    notifications.note_emptied(connection, ingestion.name)
            break
        done, brought = _take_in(deployment, ingestion, messages, is_patient=is_patient)
        queue.delete(done)
        received += brought
    return received + _look_again(deployment, ingestion, is_patient=is_patient)


def _look_again(deployment: Deployment, ingestion: Ingestion, *, is_patient: bool) -> Received:
    """What became of files that were other than the ledger had them when they were read.

    An event that was overtaken by a slower look at the same object left such files behind.
    """
    with deployment.ledger.transaction() as connection:
        changed = notifications.keys_that_changed(
            connection, ingestion.name, at_most=SHORT_ROUND_MESSAGES
        )
        progress = listing_progress(connection, ingestion.name)
    if not changed:
        return Received()
    try:
        looked = _look(deployment, ingestion, changed, is_patient=is_patient)
    except ObjectStoreError as error:
        # They are tried again, and say so themselves if they cannot be read.
        logger.warning("%s changed files could not be looked at: %s", len(changed), error)
        return Received()
    _, found = _record(deployment, ingestion, looked, progress, (), sorted(looked.gone))
    return found


def _look(
    deployment: Deployment, ingestion: Ingestion, keys: Collection[str], *, is_patient: bool
) -> Looked:
    store = deployment.store(ingestion)
    if not keys:
        return Looked([], frozenset(), {})
    if is_patient:
        return look_at(store, keys)
    with deployment.unreachable.asking(store.place):
        return look_at(store, keys)


def _take_in(
    deployment: Deployment, ingestion: Ingestion, messages: Sequence[Message], *, is_patient: bool
) -> tuple[list[Message], Received]:
    """Those of the messages that are recorded, and what they brought."""
    source = ingestion.source
    matches, left_out = matcher(source.pattern), dead_letters_in(deployment, ingestion)

    def is_wanted(key: str) -> bool:
        return matches(key) and not left_out(key)

    sorted_messages = [sort_message(source, is_wanted, message) for message in messages]
    keys = {key for message in sorted_messages for key in message.keys}
    with deployment.ledger.transaction() as connection:
        progress = listing_progress(connection, ingestion.name)
    looked = _look(deployment, ingestion, keys, is_patient=is_patient)
    done = [message for message in sorted_messages if not message.keys & looked.refused.keys()]
    for error in list(looked.refused.values())[:1]:
        logger.warning("%s objects could not be looked at: %s", len(looked.refused), error)
    there = {file.key for file in looked.files}
    gone = {keys[0] for message in done for keys in message.hints if there.isdisjoint(keys)}
    recorded, brought = _record(deployment, ingestion, looked, progress, done, sorted(gone))
    kept, overtaken = len(messages) - len(done), len(done) - len(recorded)
    received = brought + Received(kept=kept, overtaken=overtaken)
    return [message.message for message in recorded], received


def _record(
    deployment: Deployment,
    ingestion: Ingestion,
    looked: Looked,
    before: Progress,
    done: Sequence[SortedMessage],
    gone: Sequence[str],
) -> tuple[Sequence[SortedMessage], Received]:
    """All that a round brought is in the ledger; the messages of which it is.

    `before` is how things stood when the look began. No transaction says two things of files: each
    locks them in key order, as batches do, so that no two wait in a ring.
    """
    ledger, name, seen = deployment.ledger, ingestion.name, Seen()
    if looked.files:
        with ledger.transaction() as connection:
            skipped = skipped_keys(ingestion.source, looked.files, before.first_since)
            seen = listing.record_listing(connection, name, looked.files, skipped, before.now)
            listing.note_arrival(connection, name, seen)
    if looked.files and ingestion.source.after_success.action != "keep":
        with ledger.transaction() as connection:
            source_objects.note_returned(connection, name, looked.files)
    with ledger.transaction() as connection:
        overtaken = gone_files.note_gone(connection, name, gone, before.now)
        done = [message for message in done if message.keys.isdisjoint(seen.overtaken | overtaken)]
        counts = Counter(kind for message in done for kind in message.kinds)
        if counts:
            notifications.record_received(connection, name, counts, _odd(done))
    still_gone = tuple(key for key in gone if key not in overtaken)
    return done, Received(counts, seen, len(looked.files) - len(seen.overtaken), still_gone)


def _odd(messages: Sequence[SortedMessage]) -> list[OddMessage]:
    return [
        OddMessage(message.message.message_id, message.odd, message.message.body)
        for message in messages
        if message.odd is not None
    ]
