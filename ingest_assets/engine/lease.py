"""The lease of a batch, renewed in the background for as long as its work goes on."""

import logging
import threading
from datetime import timedelta

from ingest_assets.engine import progress
from ingest_assets.errors import LedgerError
from ingest_assets.ledger import leases
from ingest_assets.ledger.batches import ClaimedBatch
from ingest_assets.ledger.ledger import Ledger

logger = logging.getLogger(__name__)

STALLED = timedelta(hours=1)
"""A worker that did not get on for so long hangs, in a call that should have ended by itself."""


class KeptLease:
    """Between `start` and `stop` the batch's lease is renewed every `RENEWAL`.

    A renewal that Postgres does not answer is tried again at the next turn; one that says the batch
    is somebody else's ends the renewals, and `is_held` says so before the commit. A worker that
    hangs for `STALLED` renews no more, so the lease runs out and somebody else does the work.
    """

    def __init__(self, ledger: Ledger, batch: ClaimedBatch) -> None:
        self._ledger = ledger
        self._batch = batch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def start(self) -> None:
        """The lease is renewed from now on."""
        self._thread.start()

    def stop(self) -> None:
        """The lease is renewed no more; stopping twice is fine."""
        self._stop.set()

    def is_held(self) -> bool:
        """Asks Postgres: the batch is ours, and the lease runs for its full time again.

        Raises:
            LedgerError: Postgres does not answer, so nobody knows.
        """
        with self._ledger.transaction() as connection:
            return leases.renew(connection, self._batch.batch_id, self._batch.token)

    def _renew(self) -> None:
        while not self._stop.wait(leases.RENEWAL.total_seconds()):
            if progress.since_last() > STALLED:
                logger.error(
                    "Batch %s has not got on for %s. Its lease runs out, and another worker does "
                    "it; end this process, which hangs.",
                    self._batch.batch_id,
                    progress.since_last(),
                )
                return
            try:
                if not self.is_held():
                    logger.warning("The lease of batch %s is lost", self._batch.batch_id)
                    return
            except LedgerError as error:
                logger.warning("The lease of %s was not renewed: %s", self._batch.batch_id, error)
