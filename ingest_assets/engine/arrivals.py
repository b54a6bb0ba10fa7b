"""Which files there are, found as the declaration says: by listing, notifications, or both."""

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta

from ingest_assets.cost.meter import METER
from ingest_assets.cost.usage import Usage
from ingest_assets.deployment import Deployment
from ingest_assets.engine.discovery import discover, wanted_objects
from ingest_assets.engine.notifications import Received, drain
from ingest_assets.errors import LedgerError
from ingest_assets.files.notifications.errors import QueueError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import notifications, usage
from ingest_assets.ledger.listing import Seen

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrivals:
    """What was new. `received` is None where there is no queue; `unheard` says why it was not read
    to its end."""

    seen: Seen = field(default_factory=Seen)
    received: Received | None = None
    unheard: QueueError | None = None


def find_files(
    deployment: Deployment, ingestion: Ingestion, time_limit: timedelta | None
) -> Arrivals:
    """The ledger knows the files of the source, as far as the time goes.

    With a queue, the prefix is listed besides until a first listing since then, or since other
    objects are wanted, has come to its end,
    and every `listing_hours` where they are declared; half of the time is the queue's then. A queue
    that cannot be read stops no listing.

    Raises:
        ObjectStoreError: the source cannot be listed, or its objects not be looked at.
        LedgerError: Postgres does not answer.
    """
    with METER.span() as counted:
        try:
            return _found(deployment, ingestion, time_limit)
        finally:
            _note(deployment, ingestion, counted.usage)


def _note(deployment: Deployment, ingestion: Ingestion, used: Usage) -> None:
    """What was asked is in the ledger, for its cost; that it is not is no reason to fail."""
    if used == Usage():
        return
    try:
        with deployment.ledger.transaction() as connection:
            usage.note(connection, ingestion.name, used)
    except LedgerError as error:
        logger.warning("The requests of discovery are not counted: %s", error)


def _found(deployment: Deployment, ingestion: Ingestion, time_limit: timedelta | None) -> Arrivals:
    discovery = ingestion.source.discovery
    if discovery.queue_url is None:
        return Arrivals(discover(deployment, ingestion, time_limit))
    started, unheard, received = time.monotonic(), None, Received()
    every = timedelta(hours=discovery.listing_hours) if discovery.mode == "both" else None
    wanted = wanted_objects(deployment, ingestion)
    with deployment.ledger.transaction() as connection:
        notifications.listen(connection, ingestion.name, discovery.queue_url, wanted)
        is_due = notifications.is_listing_due(connection, ingestion.name, every)
    try:
        received = drain(
            deployment, ingestion, time_limit / 2 if time_limit and is_due else time_limit
        )
    except QueueError as error:
        unheard = error
    seen = received.seen
    if is_due:
        spent = timedelta(seconds=time.monotonic() - started)
        seen += discover(deployment, ingestion, time_limit and time_limit - spent)
    return Arrivals(seen, received, unheard)
