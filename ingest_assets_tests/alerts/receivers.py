"""The outside ends of alerts, real ones: a web server, a mail server, and SNS on moto's server."""

import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import boto3
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from moto.server import ThreadedMotoServer


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Request:
    """What came over HTTP."""

    path: str
    headers: dict[str, str]
    content: dict[str, Any]


class HttpReceiver:
    """A web server that keeps what is posted to it and answers with `status` and `body`.

    While `is_silent` is set it does not answer.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200
        self.body = b"ok"
        self.headers: dict[str, str] = {}
        self.is_silent = threading.Event()
        self.is_asked = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(self.path, dict(self.headers), json.loads(body))
                receiver.requests.append(request)
                receiver.is_asked.set()
                while receiver.is_silent.is_set():
                    time.sleep(0.05)
                self.send_response(receiver.status)
                self.send_header("Location", "/elsewhere")
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def contents(self) -> list[dict[str, Any]]:
        """The JSON of every request."""
        return [request.content for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class _Mailbox:
    mails: list[EmailMessage] = field(default_factory=list)
    refuses: str | None = None

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.refuses is not None:
            return self.refuses
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        mail["X-Receivers"] = ",".join(envelope.rcpt_tos)
        self.mails.append(mail)
        return "250 taken"


class SmtpReceiver:
    """A mail server; with a certificate it wants STARTTLS and the login `robot`, `mail-secret`."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.mailbox = _Mailbox()
        self._controller = Controller(
            self.mailbox,
            hostname="127.0.0.1",
            port=unused_port(),
            tls_context=context,
            require_starttls=context is not None,
            auth_required=context is not None,
            authenticator=_knows if context is not None else None,
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._controller.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


def _knows(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, login: Any) -> Any:
    assert isinstance(login, LoginPassword)
    is_known = (login.login, login.password) == (b"robot", b"mail-secret")
    return AuthResult(success=is_known, handled=False)


class SnsReceiver:
    """SNS and SQS on moto's server: a topic, and a queue that gets what is published to it."""

    region = "eu-central-1"

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    @property
    def url(self) -> str:
        """Where both listen."""
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def client(self, service: str) -> Any:
        """A boto3 client of this server."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id="moto",
            aws_secret_access_key="moto",
        )

    def topic(self, name: str) -> tuple[str, str]:
        """The ARN of a new topic and the address of the queue behind it."""
        fifo = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
        topic = self.client("sns").create_topic(Name=name, Attributes=fifo)["TopicArn"]
        queue_fifo = {"FifoQueue": "true"} if fifo else {}
        sqs = self.client("sqs")
        queue = sqs.create_queue(QueueName=f"of-{name}", Attributes=queue_fifo)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        self.client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"]
        )
        return topic, queue

    def received(self, queue: str) -> list[dict[str, Any]]:
        """What came to the queue since the last call, as SNS wraps it."""
        found = self.client("sqs").receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600
        )
        return [json.loads(message["Body"]) for message in found.get("Messages", [])]

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
