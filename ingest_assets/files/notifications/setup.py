"""A bucket made to send its events to a queue: what that takes, step by step, and the doing of it.

Each step looks first at what is there, so that doing all twice does nothing the second time.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from ingest_assets.errors import ConfigurationError
from ingest_assets.files.clients import S3Client
from ingest_assets.files.connections import Connection
from ingest_assets.files.notifications import policies
from ingest_assets.files.notifications.errors import explained
from ingest_assets.files.notifications.policies import Document, Route, Through
from ingest_assets.files.notifications.queue import queue_client
from ingest_assets.files.notifications.steps import (
    Step,
    is_same,
    missing_is_fine,
    rule_steps,
    topic_steps,
)
from ingest_assets.ingestion import Ingestion

RETENTION_SECONDS = 14 * 24 * 3600
"""What a new queue keeps: SQS's longest, so that a pause of the ingestion loses nothing."""
_ATTEMPTS, _PAUSE_SECONDS = 6, 5.0
"""S3 tries the queue's policy, which AWS puts in force some seconds after it took it."""
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})


class Setup:
    """The way of one ingestion's events from its bucket to its queue.

    Raises:
        ConfigurationError: the source is not on S3.
        QueueError: AWS refuses or does not answer.
    """

    def __init__(self, ingestion: Ingestion, connection: Connection, through: Through) -> None:
        source = ingestion.source
        if not source.root.startswith("s3://"):
            raise ConfigurationError(
                f"{ingestion.name} reads {source.uri}, and notifications are for s3:// sources."
            )
        self._address, self._connection = source.uri, connection
        self._declared_url = source.discovery.queue_url
        with explained(self._address):
            self.route = self._found_route(ingestion, through)

    def _found_route(self, ingestion: Ingestion, through: Through) -> Route:
        source, name = ingestion.source, f"ingest-{ingestion.name}"
        bucket = source.root.removeprefix("s3://")
        place = self._s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] or "us-east-1"
        self._region = str(place)
        identity = self._client("sts").get_caller_identity()
        account, partition = identity["Account"], identity["Arn"].split(":")[1]
        url = self._declared_url or f"{self._sqs.meta.endpoint_url}/{account}/{name}"
        where = f"{self._sqs.meta.region_name}:{account}"  # as long as there is no queue to ask
        arn = f"arn:{partition}:sqs:{where}:{url.rsplit('/', 1)[1]}"
        region, prefix = self._region, source.prefix
        return Route(name, through, bucket, prefix, url, arn, account, region, partition)

    def steps(self) -> list[Step]:
        """All that the route takes, in the order in which it is to be done.

        Raises:
            QueueError: AWS refuses or does not answer.
        """
        with explained(self._address):
            return list(self._steps())

    def apply(self) -> list[str]:
        """Everything is as the steps say; in words, what was not so before.

        Raises:
            QueueError: AWS refuses or does not answer; what was done before stays done.
        """
        done = []
        with explained(self._address):
            for step in self._steps():
                if not step.is_done:
                    step.do()
                    done.append(step.what)
        return done

    def _steps(self) -> Iterator[Step]:
        yield self._queue_step()
        yield self._queue_policy_step()
        if self.route.through == "sns":
            yield from topic_steps(self.route, self._client("sns"))
        if self.route.through == "eventbridge":
            yield from rule_steps(self.route, self._client("events"))
        yield self._bucket_step()

    def _queue_step(self) -> Step:
        name, attributes = self.route.queue_name, {"MessageRetentionPeriod": str(RETENTION_SECONDS)}

        def create() -> None:
            url = self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
            self.route = replace(self.route, queue_url=self._declared_url or url)
            self._ask_for_arn()

        return Step(f"queue {name}", None, self._ask_for_arn(), create)

    def _ask_for_arn(self) -> bool:
        """The route has the ARN by which the queue names itself; False where there is no queue."""
        arn = self._queue_attribute("QueueArn")
        if arn is not None:
            self.route = replace(self.route, queue_arn=arn)
        return arn is not None

    def _queue_policy_step(self) -> Step:
        present = self._queue_attribute("Policy")
        policy = policies.queue_policy(present, self.route)
        return Step(
            f"policy of the queue {self.route.queue_name}",
            policy,
            is_same(present, policy),
            lambda: self._sqs.set_queue_attributes(
                QueueUrl=self.route.queue_url, Attributes={"Policy": json.dumps(policy)}
            ),
        )

    def _queue_attribute(self, name: str) -> str | None:
        """None where there is no queue, or it has no such attribute."""
        with missing_is_fine():
            found = self._sqs.get_queue_attributes(
                QueueUrl=self.route.queue_url, AttributeNames=[name]
            )
            value: str | None = found.get("Attributes", {}).get(name)
            return value
        return None

    def _bucket_step(self) -> Step:
        bucket = self.route.bucket
        present = self._s3.get_bucket_notification_configuration(Bucket=bucket)
        wanted = policies.bucket_configuration(present, self.route)
        is_same = policies.is_same_configuration(present, wanted)
        what = f"notification configuration of the bucket {bucket}"
        return Step(what, wanted, is_same, lambda: self._put_configuration(wanted))

    def _put_configuration(self, wanted: Document) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._s3.put_bucket_notification_configuration(
                    Bucket=self.route.bucket, NotificationConfiguration=wanted
                )
            except ClientError as error:
                if attempt == _ATTEMPTS or "Unable to validate" not in str(error):
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    @cached_property
    def _access(self) -> S3Client:
        return S3Client.of(self._connection)

    @property
    def _s3(self) -> Any:
        return self._access.boto3

    @cached_property
    def _sqs(self) -> Any:
        if self._declared_url:
            return queue_client(self._declared_url, self._access)
        return self._client("sqs")

    def _client(self, service: str) -> Any:
        return self._access.session.client(service, region_name=self._region, config=_CONFIG)
