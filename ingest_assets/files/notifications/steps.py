"""The steps on the way of a bucket's events, each with what is there by now.

What a step finds there is read when its turn comes, as the steps before it may have made it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ingest_assets.files.notifications import policies
from ingest_assets.files.notifications.policies import Document, Route

_NOT_THERE = (
    *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
    *("NotFound", "NotFoundException", "ResourceNotFoundException"),
)


@dataclass(frozen=True)
class Step:
    """One thing that is to be so: its name, the document that says how, whether it is so."""

    what: str
    document: Document | None
    is_done: bool
    do: Callable[[], object]


def topic_steps(route: Route, sns: Any) -> Iterator[Step]:
    """A topic that takes the bucket's events and hands them to the queue as they are."""

    def attributes() -> dict[str, str] | None:
        with missing_is_fine():
            found: dict[str, str] = sns.get_topic_attributes(TopicArn=route.topic_arn)["Attributes"]
            return found
        return None

    yield Step(
        f"topic {route.name}",
        None,
        attributes() is not None,
        lambda: sns.create_topic(Name=route.name),
    )
    present = (attributes() or {}).get("Policy")
    policy = policies.topic_policy(present, route)
    yield Step(
        f"policy of the topic {route.name}",
        policy,
        is_same(present, policy),
        lambda: sns.set_topic_attributes(
            TopicArn=route.topic_arn,
            AttributeName="Policy",
            AttributeValue=json.dumps(policy),
        ),
    )
    ends: set[str] = set()
    with missing_is_fine():
        pages = sns.get_paginator("list_subscriptions_by_topic")
        for page in pages.paginate(TopicArn=route.topic_arn):
            ends |= {end["Endpoint"] for end in page["Subscriptions"]}
    yield Step(
        f"subscription of the queue {route.queue_name} to the topic {route.name}",
        None,
        route.queue_arn in ends,
        lambda: sns.subscribe(
            TopicArn=route.topic_arn,
            Protocol="sqs",
            Endpoint=route.queue_arn,
            Attributes={"RawMessageDelivery": "true"},
        ),
    )


def rule_steps(route: Route, events: Any) -> Iterator[Step]:
    """A rule of EventBridge that hands the events of the prefix to the queue."""
    pattern, present, ends = policies.event_pattern(route), None, set[str]()
    with missing_is_fine():
        present = events.describe_rule(Name=route.name).get("EventPattern")
    with missing_is_fine():
        found = events.list_targets_by_rule(Rule=route.name)
        ends = {target["Arn"] for target in found["Targets"]}
    yield Step(
        f"rule {route.name}",
        pattern,
        is_same(present, pattern),
        lambda: events.put_rule(Name=route.name, EventPattern=json.dumps(pattern)),
    )
    yield Step(
        f"queue {route.queue_name} as the target of the rule {route.name}",
        None,
        route.queue_arn in ends,
        lambda: events.put_targets(
            Rule=route.name, Targets=[{"Id": "queue", "Arn": route.queue_arn}]
        ),
    )


@contextmanager
def missing_is_fine() -> Iterator[None]:
    """What is asked about need not be there."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _NOT_THERE:
            raise


def is_same(present: str | None, wanted: Document) -> bool:
    """The document that is there says what is wanted; None is none."""
    return present is not None and json.loads(present) == wanted
