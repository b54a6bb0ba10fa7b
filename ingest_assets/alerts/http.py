"""Alerts over HTTP: JSON to an endpoint of one's own, and to incoming webhooks of Slack.

No address, header or answer of an endpoint is in an error or a log: each may hold a secret.
"""

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from ingest_assets.alerts.channels import Slack, Webhook, secret
from ingest_assets.alerts.errors import ChannelError
from ingest_assets.alerts.message import Message

TIMEOUT_SECONDS = (3.0, 5.0)
"""To connect, and between two parts of the answer."""
_SLACK_CODE = re.compile(r"[a-z_]{2,60}")
_HEADER_CHARACTERS, _SECTION_CHARACTERS = 150, 3000
"""What Slack takes: https://docs.slack.dev/reference/block-kit/blocks (read November 2026)."""


def post_json(channel: Webhook, message: Message, delivery_id: str) -> None:
    """The endpoint has answered with a 2xx to the fields of `Message` and `id`.

    Raises:
        ChannelError: it has not.
    """
    address = channel.url if channel.url_env is None else secret(channel.url_env)
    headers = {name: secret(variable) for name, variable in channel.headers_env.items()}
    status, _ = _post(str(address), {"id": delivery_id, **message.to_json()}, delivery_id, headers)
    if not 200 <= status < 300:
        raise ChannelError(f"it answered with HTTP {status}")


def post_to_slack(channel: Slack, message: Message, delivery_id: str) -> None:
    """Slack has taken the message.

    Raises:
        ChannelError: it has not; the error has Slack's own code.
    """
    status, said = _post(secret(channel.url_env), slack_json(message), delivery_id, {})
    if not 200 <= status < 300:
        code = f" {said}" if _SLACK_CODE.fullmatch(said) else ""
        raise ChannelError(f"it answered with HTTP {status}{code}")


def slack_json(message: Message) -> dict[str, Any]:
    """The message in Slack's JSON: `text` for notifications, blocks for the channel."""
    facts = _escaped(message.facts())
    what = _escaped(message.what)
    return {
        "text": _escaped(f"{message.title}\n{message.what}")[:_SECTION_CHARACTERS],
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": message.title[:_HEADER_CHARACTERS]},
            },
            _section(what),
            _section(facts),
        ],
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SECTION_CHARACTERS]}}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(
    address: str, content: dict[str, Any], delivery_id: str, headers: Mapping[str, str]
) -> tuple[int, str]:
    """The status of the answer and the beginning of its body, if it is no 2xx."""
    sent = {**headers, "Idempotency-Key": delivery_id, "User-Agent": "ingest_assets"}
    # A redirect would repeat the headers, secrets too, at an address that nobody declared.
    # Streamed, because the status decides: a body that never ends takes nothing back.
    with (
        _unlogged(),
        requests.post(
            address,
            json=content,
            headers=sent,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as answer,
    ):
        is_taken = 200 <= answer.status_code < 300
        said = "" if is_taken else answer.raw.read(100).decode(errors="replace")
        return answer.status_code, said


@contextmanager
def _unlogged() -> Iterator[None]:
    """At level DEBUG urllib3 logs the path of each request, which is the secret of a webhook."""
    thread = threading.get_ident()

    def is_of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread

    urllib3_logger = logging.getLogger("urllib3.connectionpool")
    urllib3_logger.addFilter(is_of_another_thread)
    try:
        yield
    finally:
        urllib3_logger.removeFilter(is_of_another_thread)
