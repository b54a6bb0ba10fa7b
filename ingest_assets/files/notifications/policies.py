"""The documents that let a bucket's events come to a queue, and the queue be read.

Values in, values out; what is there already and belongs to others stays as it is.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote_plus

Through = Literal["sqs", "sns", "eventbridge"]
Document = dict[str, Any]

EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
_LISTS = ("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations")
_SERVICES: dict[Through, str] = {"sqs": "s3", "sns": "sns", "eventbridge": "events"}
_NOT_ESCAPED = "/!-_.*'()"


@dataclass(frozen=True)
class Route:
    """The way of the events of one ingestion: its bucket and prefix, its queue, and what stands
    between. `name` is that of the topic, the rule, and of every entry that is the ingestion's.

    `queue_arn` is how policies and the bucket name the queue, which may be in another region or
    account than the rest.
    """

    name: str
    through: Through
    bucket: str
    prefix: str
    queue_url: str
    queue_arn: str
    account: str
    region: str
    partition: str = "aws"

    @property
    def bucket_arn(self) -> str:
        """The bucket, as policies name it."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def queue_name(self) -> str:
        """The last part of its address."""
        return self.queue_url.rsplit("/", 1)[1]

    @property
    def topic_arn(self) -> str:
        """The topic, as policies and the bucket name it."""
        return self._arn("sns", self.name)

    @property
    def rule_arn(self) -> str:
        """The rule of EventBridge, as the queue's policy names it."""
        return self._arn("events", f"rule/{self.name}")

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def bucket_configuration(present: Document, route: Route) -> Document:
    """The bucket's notification configuration with the route's entry, and all others as they are.

    S3 takes a configuration as a whole, so one that lacked the others would remove them.
    """
    merged = {
        kind: [entry for entry in present.get(kind, []) if entry.get("Id") != route.name]
        for kind in _LISTS
    }
    if "EventBridgeConfiguration" in present or route.through == "eventbridge":
        merged["EventBridgeConfiguration"] = {}  # type: ignore[assignment]
    if route.through == "sqs":
        merged["QueueConfigurations"].append({**_entry(route), "QueueArn": route.queue_arn})
    if route.through == "sns":
        merged["TopicConfigurations"].append({**_entry(route), "TopicArn": route.topic_arn})
    return {kind: value for kind, value in merged.items() if value or isinstance(value, dict)}


def _entry(route: Route) -> Document:
    """S3 wants the prefix as a URL has it: a space as a plus, other characters by their bytes."""
    entry: Document = {"Id": route.name, "Events": EVENTS}
    if route.prefix:
        prefix = quote_plus(route.prefix, safe=_NOT_ESCAPED)
        rule = {"Name": "prefix", "Value": prefix}
        entry["Filter"] = {"Key": {"FilterRules": [rule]}}
    return entry


def is_same_configuration(one: Document, other: Document) -> bool:
    """The two say the same; S3 gives the names of filters back in capitals, and no empty lists."""
    return _plain(one) == _plain(other)


def _plain(configuration: Document) -> list[str]:
    entries = [entry for kind in _LISTS for entry in configuration.get(kind, [])]
    said = [json.dumps(_lower(entry), sort_keys=True) for entry in entries]
    return sorted(said) + ["eventbridge"] * ("EventBridgeConfiguration" in configuration)


def _lower(entry: Document) -> Document:
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    pairs = sorted((rule["Name"].lower(), rule["Value"]) for rule in rules)
    return {**entry, "Events": sorted(entry["Events"]), "Filter": pairs}


def queue_policy(present: str | None, route: Route) -> Document:
    """The queue's policy: only the route's own sender may send, beside whom others allowed."""
    sender = {"sqs": route.bucket_arn, "sns": route.topic_arn, "eventbridge": route.rule_arn}
    return _with_statement(
        present,
        route,
        _SERVICES[route.through],
        "sqs:SendMessage",
        route.queue_arn,
        sender[route.through],
    )


def topic_policy(present: str | None, route: Route) -> Document:
    """The topic's policy: the bucket may publish, beside whom others allowed."""
    return _with_statement(present, route, "s3", "sns:Publish", route.topic_arn, route.bucket_arn)


def _with_statement(
    present: str | None, route: Route, service: str, action: str, resource: str, sender: str
) -> Document:
    policy: Document = json.loads(present) if present else {}
    statements = policy.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    condition: Document = {"ArnEquals": {"aws:SourceArn": sender}}
    if service == "s3":  # a bucket's ARN says nothing of its owner; the others' do
        condition["StringEquals"] = {"aws:SourceAccount": route.account}
    mine = {
        "Sid": route.name,
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }
    others = [statement for statement in statements if statement.get("Sid") != route.name]
    return {"Version": "2012-10-17", **policy, "Statement": [*others, mine]}


def event_pattern(route: Route) -> Document:
    """What EventBridge's rule passes on."""
    detail: Document = {"bucket": {"name": [route.bucket]}}
    if route.prefix:
        detail["object"] = {"key": [{"prefix": route.prefix}]}
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": detail,
    }


def ingestion_policy(route: Route) -> Document:
    """The least that the ingestion itself needs: to list and read its prefix, and its queue."""
    listing: Document = {
        "Sid": "ListPrefix",
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": route.bucket_arn,
    }
    if route.prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": f"{route.prefix}*"}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            listing,
            {
                "Sid": "ReadFiles",
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": f"{route.bucket_arn}/{route.prefix}*",
            },
            {
                "Sid": "ReadQueue",
                "Effect": "Allow",
                "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                "Resource": route.queue_arn,
            },
        ],
    }
