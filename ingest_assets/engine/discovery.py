"""Discovery: what the source holds now, written into the ledger."""

import time
from datetime import timedelta

from ingest_assets.deployment import Deployment
from ingest_assets.files.discovery import wanted_pages
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import listing
from ingest_assets.ledger.listing import Progress, Seen


def discover(
    deployment: Deployment, ingestion: Ingestion, time_limit: timedelta | None = None
) -> Seen:
    """Every file under the prefix that matches the pattern is in the ledger at its newest content.

    Written page by page, so that a crash keeps what was found. With a `time_limit` a listing that
    takes longer is cut off after a page, and the next call goes on there: a prefix of millions of
    files does not keep a tick from planning. Without one the whole prefix is listed.

    Raises:
        ObjectStoreError: the source cannot be listed; what was found before stays recorded.
        LedgerError: Postgres does not answer.
    """
    ledger, name = deployment.ledger, ingestion.name
    started = time.monotonic()
    with ledger.transaction() as connection:
        progress = listing.listing_progress(connection, name)
    if time_limit is None:
        progress = Progress(progress.first_since, None)
    seen = Seen()
    for page in wanted_pages(
        ingestion.source,
        deployment.store(ingestion),
        first_since=progress.first_since,
        after=progress.after,
    ):
        is_over = time_limit is not None and time.monotonic() - started > time_limit.total_seconds()
        with ledger.transaction() as connection:
            if page.files:
                seen += listing.record_listing(connection, name, page.files, page.skipped_keys)
            if is_over:
                listing.pause_listing(connection, name, page.last_key)
        if is_over:
            return seen
    with ledger.transaction() as connection:
        listing.end_listing(connection, name)
    return seen
