"""The outbox emptied: what waits is sent, a channel that is down is left for later."""

import logging
import time
from collections.abc import Mapping

from ingest_assets.alerts.channels import Channel
from ingest_assets.alerts.errors import ChannelError, MessageRefusedError
from ingest_assets.alerts.message import Message
from ingest_assets.alerts.sending import send
from ingest_assets.files.connections import Connection
from ingest_assets.ledger import alert_deliveries
from ingest_assets.ledger.ledger import Ledger

logger = logging.getLogger(__name__)

MESSAGES_AT_MOST = 20
SECONDS_AT_MOST = 5.0
"""No message is begun later than that, so a tick is held up for no longer than that and one try."""


def deliver(
    ledger: Ledger,
    ingestion: str,
    channels: Mapping[str, Channel],
    connections: Mapping[str, Connection],
) -> int:
    """How many of the ingestion's messages came through; the others are tried again later.

    Each is sent and marked in one transaction that holds its row, so two ticks never send one. One
    that was sent by a process that died before it could mark it is sent again under the same id.

    Raises:
        LedgerError: Postgres went away; what was sent in that moment is sent again.
    """
    began, sent, up = time.monotonic(), 0, set(channels)
    for _ in range(MESSAGES_AT_MOST):
        if not up or time.monotonic() - began > SECONDS_AT_MOST:
            break
        with ledger.transaction() as connection:
            due = alert_deliveries.take_due(connection, ingestion, up)
            if due is None:
                break
            try:
                message = Message(**due.message)
                send(due.channel, channels[due.channel], message, due.delivery_id, connections)
            except MessageRefusedError as error:
                is_dropped = alert_deliveries.mark_refused(connection, due, str(error))
                what = "is dropped" if is_dropped else "waits and is tried again"
                logger.warning("An alert of %s %s: %s.", ingestion, what, error)
            except ChannelError as error:
                alert_deliveries.mark_failed(connection, due, str(error), wait=error.wait)
                up.remove(due.channel)
                logger.warning("An alert of %s waits: %s. It is tried again.", ingestion, error)
            else:
                alert_deliveries.mark_sent(connection, due.delivery_id)
                sent += 1
    return sent
