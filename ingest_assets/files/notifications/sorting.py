"""What the messages of a queue say to one source: keys to look at, and what is not its own."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ingest_assets.declaration.source import Source
from ingest_assets.files.notifications.message import Event, Message, read
from ingest_assets.files.source_file import is_file, is_text


class Kind(StrEnum):
    """What messages and events are counted as. An event of an object of the source is counted by
    what happened to the object."""

    MESSAGE = "message"
    CREATED = "created"
    REMOVED = "removed"
    OTHER_EVENT = "other_event"
    TEST = "test"
    FOLDER = "folder_marker"
    LEFT_OUT = "left_out_by_pattern"
    OTHER_BUCKET = "other_bucket"
    OTHER_PREFIX = "other_prefix"
    UNREADABLE = "unreadable"


ODD = (Kind.UNREADABLE, Kind.OTHER_BUCKET, Kind.OTHER_PREFIX)
"""What nobody meant to send here; such messages are kept."""


@dataclass(frozen=True)
class SortedMessage:
    """A message, its kinds (MESSAGE, and one for each event), and for each event of the source the
    relative keys that its object may have."""

    message: Message
    kinds: tuple[Kind, ...]
    hints: tuple[tuple[str, ...], ...]

    @property
    def odd(self) -> Kind | None:
        """What is odd about it, if anything is."""
        return next((kind for kind in self.kinds if kind in ODD), None)

    @property
    def keys(self) -> frozenset[str]:
        """All keys that it hints at."""
        return frozenset(key for keys in self.hints for key in keys)


def sort_message(source: Source, matches: Callable[[str], bool], message: Message) -> SortedMessage:
    """What the message says to the source, whose pattern is `matches`."""
    content = read(message.body)
    kinds = [Kind.MESSAGE]
    kinds += [Kind.TEST] if content.is_test else []
    kinds += [Kind.UNREADABLE] if content.is_unreadable else []
    hints: list[tuple[str, ...]] = []
    for event in content.events:
        foreign, keys = _foreign(source, event), _wanted(source, matches, event)
        if foreign is None and keys:
            kinds.append(Kind(event.happened))
            hints.append(keys)
        else:
            kinds.append(foreign or _unwanted(source, event))
    return SortedMessage(message, tuple(kinds), tuple(hints))


def _foreign(source: Source, event: Event) -> Kind | None:
    if f"s3://{event.bucket}" != source.root:
        return Kind.OTHER_BUCKET
    if not any(key.startswith(source.prefix) for key in event.keys):
        return Kind.OTHER_PREFIX
    return None


def _wanted(source: Source, matches: Callable[[str], bool], event: Event) -> tuple[str, ...]:
    return tuple(
        key for key in _relative(source, event) if is_file(key) and is_text(key) and matches(key)
    )


def _unwanted(source: Source, event: Event) -> Kind:
    """Why no file of the source is meant."""
    key = _relative(source, event)[0]
    if not is_text(key):
        return Kind.UNREADABLE
    return Kind.LEFT_OUT if is_file(key) else Kind.FOLDER


def _relative(source: Source, event: Event) -> list[str]:
    begins = source.prefix
    return [key.removeprefix(begins) for key in event.keys if key.startswith(begins)]
