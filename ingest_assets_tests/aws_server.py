"""S3, SQS, SNS, EventBridge and Glue in one server, moto's, which delivers buckets' events."""

import io
import itertools
import json
import threading
import time
from typing import Any, Self

import boto3
import requests
from moto.glue.models import glue_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

_numbers = itertools.count(1)


class _OneAtATime:
    """moto 5.2 with one request at a time.

    Two deletions from a queue lose each other's, and two who receive get the same message. Who
    waits for messages asks again and again meanwhile. Glue refuses an update of a table whose
    version is not the one that the caller has read, as AWS does and moto does not.
    """

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        action = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        if action == "UpdateTable":
            return self._update_table(environ, start_response)
        if action != "ReceiveMessage":
            with self._lock:
                return list(self._moto(environ, start_response))
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        deadline = time.monotonic() + asked.get("WaitTimeSeconds", 0)
        body = json.dumps(asked | {"WaitTimeSeconds": 0}).encode()
        while True:
            head, answer = self._received(environ, body)
            if time.monotonic() >= deadline or b'"Messages"' in b"".join(answer):
                start_response(*head)
                return answer
            time.sleep(0.05)

    def _update_table(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateTable.html"""
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        asked = json.loads(body)
        with self._lock:
            backend = glue_backends[AwsServer.account][AwsServer.region]
            table = backend.get_table(asked["DatabaseName"], asked["TableInput"]["Name"])
            if asked.get("VersionId") in (None, table.as_dict()["VersionId"]):
                return list(self._moto(environ | {"wsgi.input": io.BytesIO(body)}, start_response))
        start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
        error = {"__type": "ConcurrentModificationException", "Message": "another version"}
        return [json.dumps(error).encode()]

    def _received(self, environ: dict[str, Any], body: bytes) -> tuple[Any, list[bytes]]:
        heads: list[Any] = []
        request = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        with self._lock:
            answer = list(self._moto(environ | request, lambda *head: heads.append(head)))
        return heads[-1], answer


class AwsServer:
    """The server as the tests use it; `put` and `env` as the demo's object store has them."""

    region = "eu-central-1"
    account = "123456789012"

    def __init__(self) -> None:
        self._server = make_server(
            "127.0.0.1", 0, _OneAtATime(), threaded=True, request_handler=MotoRequestHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._clients: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """Where all of it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def env(self) -> dict[str, str]:
        """The variables with which any client finds the server."""
        return {
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.url,
        }

    def client(self, service: str) -> Any:
        """A boto3 client of this server."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=self.region,
                aws_access_key_id="moto",
                aws_secret_access_key="moto",
            )
        return self._clients[service]

    def make_bucket(self) -> str:
        """The name of a new bucket."""
        name = f"landing-{next(_numbers)}"
        place = {"LocationConstraint": self.region}
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place)
        return name

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """The object is there."""
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def make_queue(self) -> str:
        """The address of a new queue."""
        name = f"queue-{next(_numbers)}"
        return str(self.client("sqs").create_queue(QueueName=name)["QueueUrl"])

    def queue_arn(self, url: str) -> str:
        """The queue's name in policies and configurations."""
        return f"arn:aws:sqs:{self.region}:{self.account}:{url.rsplit('/', 1)[1]}"

    def notify(self, bucket: str, url: str) -> None:
        """The bucket's events come to the queue straight, and S3's test event first."""
        self.notify_with(
            bucket,
            QueueConfigurations=[
                {
                    "QueueArn": self.queue_arn(url),
                    "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                }
            ],
        )

    def notify_with(self, bucket: str, **configuration: Any) -> None:
        """The bucket's notification configuration is this."""
        self.client("s3").put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=configuration
        )

    def notify_by_topic(self, bucket: str, url: str, *, is_raw: bool) -> None:
        """The bucket's events come to the queue through SNS."""
        sns = self.client("sns")
        topic = sns.create_topic(Name=f"topic-{next(_numbers)}")["TopicArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=self.queue_arn(url),
            Attributes={"RawMessageDelivery": str(is_raw).lower()},
        )
        self.notify_with(
            bucket,
            TopicConfigurations=[
                {"TopicArn": topic, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
            ],
        )

    def notify_by_eventbridge(self, bucket: str, url: str) -> None:
        """The bucket's events come to the queue through EventBridge."""
        events, name = self.client("events"), f"rule-{next(_numbers)}"
        events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.s3"]}))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": self.queue_arn(url)}])
        self.notify_with(bucket, EventBridgeConfiguration={})

    def send(self, url: str, *bodies: str) -> None:
        """The messages are in the queue."""
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(number), "MessageBody": body}
                for number, body in enumerate(bodies[start : start + 10])
            ]
            self.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)

    def messages(self, url: str) -> int:
        """How many messages the queue has, those that somebody received among them."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        # moto keeps what it has for the process, not for the server
        requests.post(f"{self.url}/moto-api/reset", timeout=10)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def s3_event(bucket: str, key: str, name: str = "ObjectCreated:Put") -> str:
    """A message as S3 sends it for the key as it stands there, encoded already."""
    s3 = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}}
    record = {"eventSource": "aws:s3", "eventName": name, "s3": s3}
    return json.dumps({"Records": [record]})
