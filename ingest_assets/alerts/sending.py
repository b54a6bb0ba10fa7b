"""One message sent over one channel, whatever it is; what goes wrong is said without secrets."""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import partial

import requests

from ingest_assets.alerts.channels import Channel, Slack, Smtp, Webhook
from ingest_assets.alerts.errors import ChannelError
from ingest_assets.alerts.http import post_json, post_to_slack
from ingest_assets.alerts.mail import send_mail
from ingest_assets.alerts.message import Message
from ingest_assets.alerts.sns import publish
from ingest_assets.errors import ConfigurationError
from ingest_assets.files.connections import Connection

SECONDS_AT_MOST = 15.0
"""Whatever the channel does meanwhile: the timeouts of sockets begin anew with every byte."""


def send(
    name: str,
    channel: Channel,
    message: Message,
    delivery_id: str,
    connections: Mapping[str, Connection],
) -> None:
    """The channel has taken the message.

    It was asked once, for `SECONDS_AT_MOST`. `delivery_id` goes with the message, so that a
    receiver can tell one that comes twice.

    Raises:
        ChannelError: it has not taken it, as far as is known.
    """
    try:
        _in_time(partial(_send, channel, message, delivery_id, connections))
    except ChannelError as error:
        raise type(error)(f"{name} ({channel.type}): {error}", wait=error.wait) from None
    except ConfigurationError as error:
        raise ChannelError(f"{name} ({channel.type}): {error}") from None
    except Exception as error:  # noqa: BLE001  whatever it is, its text may hold an address
        raise ChannelError(f"{name} ({channel.type}): {_cause(error)}") from None


def _in_time(work: Callable[[], None]) -> None:
    """The work is done, or its error is raised here.

    Raises:
        TimeoutError: it is not done in time. Its thread ends with the socket or with the process.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  it is raised in the thread that waits
            raised.append(error)

    thread = threading.Thread(target=run, name="alert", daemon=True)
    thread.start()
    thread.join(SECONDS_AT_MOST)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]


def _send(
    channel: Channel,
    message: Message,
    delivery_id: str,
    connections: Mapping[str, Connection],
) -> None:
    match channel:
        case Slack():
            post_to_slack(channel, message, delivery_id)
        case Webhook():
            post_json(channel, message, delivery_id)
        case Smtp():
            send_mail(channel, message, delivery_id)
        case _:
            if channel.connection not in connections:
                raise ChannelError(f"connections.yaml has no {channel.connection!r}")
            publish(channel, message, delivery_id, connections[channel.connection])


def _cause(error: BaseException) -> str:
    """What the operating system or the class of the error says of it, and never its own text."""
    found: BaseException | None = error
    seen: list[BaseException] = []
    while found is not None and found not in seen:
        seen.append(found)
        for part in (found, *found.args, getattr(found, "reason", None)):
            if isinstance(part, ssl.SSLCertVerificationError):
                return f"its certificate is not trusted: {part.verify_message}"
            if isinstance(part, ssl.SSLError):  # its errno is none of the operating system's
                return f"it does not speak TLS as it should ({part.reason})"
            if isinstance(part, TimeoutError | requests.Timeout):
                return "it did not answer in time"
            if isinstance(part, socket.gaierror):
                return "its host name is not known"
            if isinstance(part, OSError) and isinstance(part.errno, int):
                return os.strerror(part.errno)
        found = found.__cause__ or found.__context__
    return f"it cannot be reached ({type(error).__name__})"
