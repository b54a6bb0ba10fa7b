"""What messages say, whoever wrapped them."""

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.declaration.source import Source
from ingest_assets.files.notifications.message import Content, Event, Happened, Message, read
from ingest_assets.files.notifications.sorting import Kind, sort_message
from ingest_assets.files.pattern import matcher
from ingest_assets_tests.aws_server import s3_event


def eventbridge_event(bucket: str, key: str, kind: str = "Object Created") -> str:
    """As the documentation shows it, shortened."""
    detail = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {"key": key, "size": 5, "etag": "b1946ac9", "sequencer": "617f08299329d189"},
        "reason": "PutObject",
    }
    event: dict[str, Any] = {"version": "0", "id": "17793124", "source": "aws.s3"}
    return json.dumps({**event, "detail-type": kind, "detail": detail})


def by_topic(message: str) -> str:
    """As SNS hands it on without raw delivery."""
    envelope = {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:::t"}
    return json.dumps({**envelope, "Message": message})


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_key_is_read_as_it_was_before_s3_encoded_it(key: str) -> None:
    event = Event(Happened.CREATED, "landing", (key,))
    for body in (s3_event("landing", quote_plus(key)), eventbridge_event("landing", key)):
        for wrapped in (body, by_topic(body)):
            [found] = read(wrapped).events
            assert (found.happened, found.bucket, found.keys[0]) == (
                event.happened,
                event.bucket,
                key,
            )


def test_both_readings_of_a_key_of_eventbridge_are_looked_at() -> None:
    [event] = read(eventbridge_event("landing", "a+b%2B.json")).events
    assert event.keys == ("a+b%2B.json", "a b+.json")


@pytest.mark.parametrize(
    ("body", "happened"),
    [
        (s3_event("b", "k", "ObjectCreated:CompleteMultipartUpload"), Happened.CREATED),
        (s3_event("b", "k", "s3:ObjectCreated:Copy"), Happened.CREATED),
        (s3_event("b", "k", "ObjectRemoved:DeleteMarkerCreated"), Happened.REMOVED),
        (s3_event("b", "k", "LifecycleExpiration:Delete"), Happened.REMOVED),
        (s3_event("b", "k", "ObjectRestore:Completed"), Happened.OTHER),
        (s3_event("b", "k", "SomethingNew:Put"), Happened.OTHER),
        (eventbridge_event("b", "k"), Happened.CREATED),
        (eventbridge_event("b", "k", "Object Deleted"), Happened.REMOVED),
        (eventbridge_event("b", "k", "Object Tags Added"), Happened.OTHER),
    ],
)
def test_an_event_says_what_happened(body: str, happened: Happened) -> None:
    assert read(body) == Content((Event(happened, "b", ("k",)),))


def test_the_test_of_s3_is_no_event() -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "landing"})
    assert read(body) == read(by_topic(body)) == Content(is_test=True)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"Records": []}',
        '{"Records": {}}',
        '{"Records": [null]}',
        '{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "k"}}}]}',
        s3_event("b", "%E9.json"),
        '{"detail-type": "Object Created", "detail": {"bucket": {}}}',
        '{"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example"}',
        by_topic("no JSON"),
        by_topic(by_topic(by_topic(s3_event("b", "k")))),
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(body: str) -> None:
    assert read(body) == Content(is_unreadable=True)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "Records",
                        "s3",
                        "bucket",
                        "object",
                        "key",
                        "name",
                        "detail",
                        "detail-type",
                        "Type",
                        "Message",
                        "Event",
                        "eventName",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_said_to_be_unreadable(document: Any) -> None:
    content = read(json.dumps(document))
    assert content.events or content.is_test or content.is_unreadable


@pytest.mark.parametrize(
    ("bucket", "key", "kind", "keys"),
    [
        ("landing", "orders/a.json", Kind.CREATED, ["a.json"]),
        ("landing", "orders/2026/a.json", Kind.CREATED, ["2026/a.json"]),
        ("landing", "orders/a.csv", Kind.LEFT_OUT, []),
        ("landing", "orders/", Kind.FOLDER, []),
        ("landing", "orders/2026/", Kind.FOLDER, []),
        ("landing", "orders-2/a.json", Kind.OTHER_PREFIX, []),
        ("landing", "orders", Kind.OTHER_PREFIX, []),
        ("landing-2", "orders/a.json", Kind.OTHER_BUCKET, []),
        ("landing", "orders/nul%00.json", Kind.UNREADABLE, []),
    ],
)
def test_an_event_concerns_the_source_or_is_counted_for_what_it_is(
    bucket: str, key: str, kind: Kind, keys: list[str]
) -> None:
    source = Source(uri="s3://landing/orders/", pattern="**/*.json")
    message = Message("1", "receipt", s3_event(bucket, key))
    found = sort_message(source, matcher(source.pattern), message)
    assert (found.kinds, sorted(found.keys)) == ((Kind.MESSAGE, kind), keys)
