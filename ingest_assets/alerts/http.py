"""Alerts over HTTP: JSON to an endpoint of one's own, and to incoming webhooks of Slack.

No address, header or answer of an endpoint is in an error or a log: each may hold a secret.
"""

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate
from typing import Any

import requests

from ingest_assets.alerts.channels import Slack, Webhook, secret
from ingest_assets.alerts.errors import ChannelError, MessageRefusedError
from ingest_assets.alerts.message import Message

TIMEOUT_SECONDS = (3.0, 5.0)
"""To connect, and between two parts of the answer."""
_REFUSALS = (400, 413, 422)
_SLACK_CODE = re.compile(r"[a-z_]{2,60}")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_HEADER_CHARACTERS, _SECTION_CHARACTERS = 150, 3000
"""What Slack takes: https://docs.slack.dev/reference/block-kit/blocks (read November 2026)."""


def post_json(channel: Webhook, message: Message, delivery_id: str) -> None:
    """The endpoint has answered with a 2xx to the fields of `Message` and `id`.

    Raises:
        ChannelError: it has not.
    """
    address = channel.url if channel.url_env is None else secret(channel.url_env)
    headers = {name: secret(variable) for name, variable in channel.headers_env.items()}
    _post(str(address), {"id": delivery_id, **message.to_json()}, delivery_id, headers)


def post_to_slack(channel: Slack, message: Message, delivery_id: str) -> None:
    """Slack has taken the message.

    Raises:
        ChannelError: it has not; the error has Slack's own code.
    """
    _post(secret(channel.url_env), slack_json(message), delivery_id, {}, code=_SLACK_CODE)


def slack_json(message: Message) -> dict[str, Any]:
    """The message in Slack's JSON: blocks for Slack, and all of it as `text` for what has none."""
    facts = _escaped(message.facts(), _SECTION_CHARACTERS)
    what = _escaped(message.what, _SECTION_CHARACTERS)
    title = message.title[:_HEADER_CHARACTERS]
    return {
        "text": f"{_escaped(title, _SECTION_CHARACTERS)}\n{what}\n{facts}",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title}},
            # A file may be called @channel; `verbatim` makes no mention of it.
            _section({"type": "mrkdwn", "text": what, "verbatim": True}),
            _section({"type": "mrkdwn", "text": facts}),
        ],
    }


def _section(text: dict[str, Any]) -> dict[str, Any]:
    return {"type": "section", "text": text}


def _escaped(text: str, characters: int) -> str:
    """As much of the text as fits once it is escaped, and no half of an escape."""
    escaped = [_ESCAPES.get(char, char) for char in text[:characters]]
    fitting = sum(length <= characters for length in accumulate(map(len, escaped)))
    return "".join(escaped[:fitting])


def _post(
    address: str,
    content: dict[str, Any],
    delivery_id: str,
    headers: Mapping[str, str],
    *,
    code: re.Pattern[str] | None = None,
) -> None:
    """The answer was a 2xx.

    Raises:
        ChannelError: it was not; the error has its body only where that is no more than a `code`.
    """
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
        if 200 <= answer.status_code < 300:
            return
        said = answer.raw.read(100).decode(errors="replace") if code is not None else ""
        is_code = code is not None and code.fullmatch(said)
        problem = f"it answered with HTTP {answer.status_code}{f' {said}' if is_code else ''}"
        if answer.status_code in _REFUSALS:
            raise MessageRefusedError(problem)
        raise ChannelError(problem, wait=_asked_wait(answer.headers.get("Retry-After", "")))


def _asked_wait(retry_after: str) -> timedelta:
    """The header's seconds; its other form, a date, is for pages that are down for maintenance."""
    return timedelta(seconds=int(retry_after[:6]) if retry_after.isdecimal() else 0)


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
