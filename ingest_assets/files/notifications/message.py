"""What a message of the queue says: which objects of which bucket may have changed.

Three senders, each as its documentation has it: S3 itself (`Records`), SNS around that or around
EventBridge's (`Type: Notification`, the event as text in `Message`; with raw delivery there is no
envelope), and EventBridge (`detail-type`, `detail`).

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_plus

_ENVELOPES_AT_MOST = 2


class Happened(StrEnum):
    """What an event says of its object; the object itself is looked at whatever it says."""

    CREATED = "created"
    REMOVED = "removed"
    OTHER = "other_event"


@dataclass(frozen=True)
class Event:
    """One event. `keys` are the keys that the object may have: more than one where the sender's
    documentation does not say whether it encodes them."""

    happened: Happened
    bucket: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """A message as the queue gave it: `receipt` is what deletes it."""

    message_id: str
    receipt: str
    body: str


@dataclass(frozen=True)
class Content:
    """What a message holds: events, or S3's test; `is_unreadable` if any part of it is neither."""

    events: tuple[Event, ...] = ()
    is_test: bool = False
    is_unreadable: bool = False


def read(body: str) -> Content:
    """What the body says; never raises, whatever it is."""
    return _read(body, _ENVELOPES_AT_MOST)


def _read(body: object, envelopes: int) -> Content:
    document = _document(body)
    match document:
        case {"Type": "Notification", "Message": str(inner)} if envelopes:
            return _read(inner, envelopes - 1)
        case {"Event": "s3:TestEvent"}:
            return Content(is_test=True)
        case {"Records": [_, *_] as records}:
            events = [_s3_event(record) for record in records]
        case {"detail-type": str(), "detail": dict()}:
            events = [_eventbridge_event(document)]
        case _:
            events = [None]
    readable = tuple(event for event in events if event is not None)
    return Content(readable, is_unreadable=len(readable) < len(events))


def _document(body: object) -> Any:
    try:
        return json.loads(body) if isinstance(body, str) else None
    except (ValueError, RecursionError):
        return None


def _s3_event(record: Any) -> Event | None:
    """S3 writes keys as forms do: a space as a plus, other characters by their UTF-8 bytes."""
    match record:
        case {
            "eventName": str(name),
            "s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(encoded)}},
        }:
            try:
                key = unquote_plus(encoded, errors="strict")
            except UnicodeDecodeError:
                return None
            return Event(_happened(name.removeprefix("s3:")), bucket, (key,))
    return None


def _eventbridge_event(document: Any) -> Event | None:
    """AWS does not say whether EventBridge has the key as it is; AWS's own library decodes it."""
    match document["detail"]:
        case {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}:
            decoded = unquote_plus(key)
            keys = (key,) if decoded == key else (key, decoded)
            return Event(_happened(document["detail-type"].replace(" ", "")), bucket, keys)
    return None


def _happened(name: str) -> Happened:
    """By `ObjectCreated:Put`, `ObjectRemoved:Delete`, `LifecycleExpiration:Delete`; EventBridge's
    are `Object Created` and `Object Deleted`."""
    if name.startswith("ObjectCreated"):
        return Happened.CREATED
    if name.startswith(("ObjectRemoved", "ObjectDeleted", "LifecycleExpiration")):
        return Happened.REMOVED
    return Happened.OTHER
