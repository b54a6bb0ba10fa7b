"""One message over each channel, to a real server, and what is said when it is not taken."""

import json
import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ingest_assets.alerts.channels import Channel, Slack, Smtp, Sns, Webhook
from ingest_assets.alerts.errors import ChannelError, MessageRefusedError
from ingest_assets.alerts.http import slack_json
from ingest_assets.alerts.message import Message
from ingest_assets.alerts.sending import send
from ingest_assets.alerts.sns import subject
from ingest_assets.files.connections import Connection
from ingest_assets_tests.alerts.receivers import (
    HttpReceiver,
    SmtpReceiver,
    SnsReceiver,
    unused_port,
)

MESSAGE = Message(
    kind="dead_letter",
    title="orders: 3 files dead-lettered",
    what="a.jsonl, b.jsonl & <c>.jsonl are damaged.",
    ingestion="orders",
    table="raw.orders",
    since="2026-11-21T12:00:00+00:00",
    count=3,
    link="https://dagster.example/assets/raw/orders",
    next_step="`ingest-assets files orders --status DEAD_LETTER`",
)
CONNECTIONS = {"default": Connection()}


def sent(channel: Channel, connections: dict[str, Connection] | None = None) -> None:
    send("ops", channel, MESSAGE, "id-1", connections or CONNECTIONS)


def refusal(channel: Channel, connections: dict[str, Connection] | None = None) -> str:
    with pytest.raises(ChannelError) as raised:
        sent(channel, connections)
    assert raised.type is ChannelError
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_a_webhook_gets_every_field_and_the_headers_of_the_environment(
    web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER_TOKEN", "Bearer t0ken")
    sent(
        Webhook(type="webhook", url=f"{web.url}/hook", headers_env={"Authorization": "PAGER_TOKEN"})
    )
    (request,) = web.requests
    assert request.content == {"id": "id-1", **MESSAGE.to_json()}
    assert request.headers["Idempotency-Key"] == "id-1"
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["Content-Type"] == "application/json"


def test_slack_gets_its_own_json(web: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", f"{web.url}/services/T0/B0/s3cret")
    sent(Slack(type="slack", url_env="SLACK_URL"))
    (request,) = web.requests
    assert request.content["text"].startswith("orders: 3 files dead-lettered\n")
    header, what, facts = request.content["blocks"]
    assert header["text"] == {"type": "plain_text", "text": "orders: 3 files dead-lettered"}
    assert what["text"]["text"] == "a.jsonl, b.jsonl &amp; &lt;c&gt;.jsonl are damaged."
    assert facts["text"]["text"].splitlines() == [
        "Ingestion: orders (table raw.orders)",
        "Since: 2026-11-21 12:00:00 UTC",
        "Look at: https://dagster.example/assets/raw/orders",
        "Next step: `ingest-assets files orders --status DEAD_LETTER`",
    ]


def test_what_knows_no_blocks_gets_all_of_it_as_text() -> None:
    said = slack_json(MESSAGE)["text"]
    assert "a.jsonl, b.jsonl &amp; &lt;c&gt;.jsonl are damaged." in said
    for fact in MESSAGE.facts().splitlines():
        assert fact in said


def test_slack_makes_no_mention_of_a_file_and_gets_no_more_than_it_takes() -> None:
    long = replace(MESSAGE, title="t" * 400, what="@channel " + "<&" * 3000)
    header, what, _ = slack_json(long)["blocks"]
    assert len(header["text"]["text"]) == 150
    assert what["text"]["verbatim"] is True
    assert 2990 < len(what["text"]["text"]) <= 3000
    assert what["text"]["text"].endswith(";"), "no half of an escape"


def test_the_secrets_of_a_webhook_are_in_no_error_and_no_log(
    web: HttpReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SLACK_URL", f"{web.url}/services/T0/B0/s3cret")
    slack = Slack(type="slack", url_env="SLACK_URL")
    sent(slack)
    web.status, web.body = 404, b"no_service"
    assert refusal(slack) == "ops (slack): it answered with HTTP 404 no_service"
    web.body = b"unknown webhook /services/T0/B0/s3cret"
    assert refusal(slack) == "ops (slack): it answered with HTTP 404"
    monkeypatch.setenv("SLACK_URL", f"http://127.0.0.1:{unused_port()}/services/T0/B0/s3cret")
    assert refusal(slack) == "ops (slack): Connection refused"
    monkeypatch.setenv("SLACK_URL", "ftp://s3cret")
    assert refusal(slack) == "ops (slack): it cannot be reached (InvalidSchema)"
    assert "s3cret" not in caplog.text


def test_a_redirect_is_not_followed(web: HttpReceiver) -> None:
    web.status = 302
    said = refusal(Webhook(type="webhook", url=web.url))
    assert said == "ops (webhook): it answered with HTTP 302"
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("300", 300), ("", 0), ("Sat, 21 Nov 2026 12:00:00 GMT", 0)]
)
def test_an_endpoint_says_how_long_it_is_to_be_left_alone(
    web: HttpReceiver, retry_after: str, seconds: int
) -> None:
    web.status, web.headers = 429, {"Retry-After": retry_after}
    with pytest.raises(ChannelError, match=r"it answered with HTTP 429$") as raised:
        sent(web_at(web.url))
    assert raised.value.wait == timedelta(seconds=seconds)


def test_a_refused_message_is_told_apart_from_a_channel_that_is_down(
    web: HttpReceiver, sns: SnsReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for web.status in (400, 413, 422):
        with pytest.raises(MessageRefusedError):
            sent(web_at(web.url))
    for web.status in (401, 404, 500):
        assert refusal(web_at(web.url)) == f"ops (webhook): it answered with HTTP {web.status}"
    monkeypatch.setattr("ingest_assets.alerts.sns._SUBJECT_CHARACTERS", 200)
    topic = Sns(type="sns", topic_arn=sns.topic("refuses")[0], connection="aws")
    long = replace(MESSAGE, title="t" * 200)
    with pytest.raises(MessageRefusedError, match="SNS answered with InvalidParameter"):
        send("ops", topic, long, "id-1", sns_connections(sns, monkeypatch))


def test_a_subject_is_what_sns_takes() -> None:
    said = subject(replace(MESSAGE, title="\u00fc: a\nb\t" + "t" * 200))
    assert said == "?: a b " + "t" * 93


def test_a_secret_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_URL", raising=False)
    said = refusal(Slack(type="slack", url_env="SLACK_URL"))
    assert said == "ops (slack): SLACK_URL is not set in the environment of this process"


def test_an_endpoint_that_says_nothing_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest_assets.alerts.http.TIMEOUT_SECONDS", (0.3, 0.3))
    monkeypatch.setattr("ingest_assets.alerts.mail.TIMEOUT_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        said = refusal(Webhook(type="webhook", url=f"http://127.0.0.1:{port}/"))
        assert said == "ops (webhook): it did not answer in time"
        assert refusal(mail_to(port)) == "ops (smtp): it did not answer in time"


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\n", b"220-"])
def test_an_endpoint_that_never_comes_to_an_end_is_given_up_in_time(
    beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest_assets.alerts.sending.SECONDS_AT_MOST", 0.5)
    is_over = threading.Event()

    def drip(listening: socket.socket) -> None:
        with listening.accept()[0] as accepted, suppress(OSError):
            accepted.sendall(beginning)
            while not is_over.wait(0.1):
                accepted.sendall(b"220-a: b\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        port = listening.getsockname()[1]
        is_mail = beginning.startswith(b"220")
        channel = mail_to(port) if is_mail else web_at(f"http://127.0.0.1:{port}/")
        began = time.monotonic()
        said = refusal(channel)
        seconds = time.monotonic() - began
        is_over.set()
        thread.join()
    assert said == f"ops ({channel.type}): it did not answer in time"
    assert seconds < 2


def test_an_endpoint_without_tls_is_said_to_have_none(web: HttpReceiver) -> None:
    said = refusal(web_at(web.url.replace("http://", "https://")))
    assert said == "ops (webhook): it does not speak TLS as it should (WRONG_VERSION_NUMBER)"


def web_at(url: str) -> Webhook:
    return Webhook(type="webhook", url=url)


def mail_to(port: int, **fields: Any) -> Smtp:
    declared = {"from": "ingest@shop.example", "to": ["a@shop.example", "b@shop.example"]}
    plain = {"host": "127.0.0.1", "port": port, "starttls": False}
    return Smtp.model_validate({"type": "smtp", **plain, **declared, **fields})


def test_a_mail_reaches_a_real_server(mail: SmtpReceiver) -> None:
    sent(mail_to(mail.port))
    (received,) = mail.mailbox.mails
    assert received["Subject"] == "[ingest_assets] orders: 3 files dead-lettered"
    assert received["Message-ID"] == "<id-1@shop.example>"
    assert received["X-Receivers"] == "a@shop.example,b@shop.example"
    text = received.get_content().replace("\r\n", "\n")
    assert text.startswith("a.jsonl, b.jsonl & <c>.jsonl are damaged.\n\nIngestion: orders")
    assert "Since: 2026-11-21 12:00:00 UTC" in text
    mail.mailbox.refuses = "554 not from s3cret"
    assert refusal(mail_to(mail.port)) == "ops (smtp): it answered with 554"
    assert refusal(mail_to(unused_port())) == "ops (smtp): Connection refused"


def test_a_mail_goes_over_starttls_with_a_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "localhost.pem"
    certificate.write_bytes(self_signed())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("MAIL_USER", "robot")
    monkeypatch.setenv("MAIL_PASSWORD", "mail-secret")
    login = {"username_env": "MAIL_USER", "password_env": "MAIL_PASSWORD"}
    with SmtpReceiver(context) as server:
        channel = mail_to(server.port, starttls=True, host="localhost", **login)
        assert "its certificate is not trusted" in refusal(channel)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        sent(channel)
        assert len(server.mailbox.mails) == 1
        monkeypatch.setenv("MAIL_PASSWORD", "wr0ng")
        assert refusal(channel) == "ops (smtp): it refused the login with 535"
    with SmtpReceiver() as plain:
        said = refusal(mail_to(plain.port, starttls=True))
        assert said.startswith("ops (smtp): it lacks what the channel needs of it: STARTTLS, ")


def self_signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(encoding)


def sns_connections(sns: SnsReceiver, monkeypatch: pytest.MonkeyPatch) -> dict[str, Connection]:
    monkeypatch.setenv("TOPIC_KEY", "moto")
    keys = {"access_key_id_env": "TOPIC_KEY", "secret_access_key_env": "TOPIC_KEY"}
    return {"aws": Connection(endpoint_url=sns.url, **keys)}


def test_a_topic_passes_the_message_on(sns: SnsReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = sns_connections(sns, monkeypatch)
    topic, queue = sns.topic("ingest")
    sent(Sns(type="sns", topic_arn=topic, connection="aws"), connections)
    (received,) = sns.received(queue)
    assert received["Subject"] == MESSAGE.title
    assert received["Message"] == MESSAGE.text()
    attributes = {name: value["Value"] for name, value in received["MessageAttributes"].items()}
    assert json.loads(attributes.pop("alert")) == MESSAGE.to_json()
    assert attributes == {"id": "id-1", "kind": "dead_letter", "ingestion": "orders"}
    nowhere = Sns(type="sns", topic_arn=f"{topic}-gone", connection="aws")
    assert refusal(nowhere, connections) == "ops (sns): SNS answered with NotFound"
    assert "connections.yaml has no 'aws'" in refusal(nowhere)


def test_a_fifo_topic_drops_what_comes_twice(
    sns: SnsReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = sns_connections(sns, monkeypatch)
    topic, queue = sns.topic("ingest.fifo")
    for _ in range(2):
        sent(Sns(type="sns", topic_arn=topic, connection="aws"), connections)
    assert len(sns.received(queue)) == 1
