"""Discovery: what the source holds now, written into the ledger."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from ingest_assets.declaration.dead_letter import default_place
from ingest_assets.deployment import Deployment
from ingest_assets.engine.absence import Absence
from ingest_assets.errors import ObjectStoreError
from ingest_assets.files.dead_letters import left_out
from ingest_assets.files.discovery import ListedPage, wanted_pages
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import dead_letters, listing, recorded, source_objects
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.ledger.listing import Seen
from ingest_assets.ledger.listing_progress import (
    Progress,
    end_listing,
    listing_progress,
    pause_listing,
)


def discover(
    deployment: Deployment, ingestion: Ingestion, time_limit: timedelta | None = None
) -> Seen:
    """Every file under the prefix that matches the pattern is in the ledger at its newest content.

    Dead letters that lie under the prefix are left out. A content that the ledger has learnt of
    since a page was asked for stays: the page may be older. Files that the ledger knows and that
    are not there any more are noted as gone, as far as the listing came. Written page by page, so
    that a crash keeps what was found. With a `time_limit` a listing that takes longer is cut off
    after a page, and the next call goes on there: a prefix of millions of files does not keep a
    tick from planning. Without one the whole prefix is listed.

    With a `time_limit`, too, a store that gave no answer a short while ago is not asked, and after
    an error the next call goes on behind the last page that came.

    Raises:
        ObjectStoreError: the source cannot be listed; what was found before stays recorded.
        StoreUnreachableError: it does not answer, or did not a short while ago.
        LedgerError: Postgres does not answer.
    """
    ledger, name = deployment.ledger, ingestion.name
    started = time.monotonic()
    has_queue = ingestion.source.discovery.queue_url is not None
    wanted = wanted_objects(deployment, ingestion) if has_queue else None
    with ledger.transaction() as connection:
        progress = listing_progress(connection, name, wanted)
    after = progress.after if time_limit is not None else None
    absence = Absence(ledger, name, after, progress.now)
    seen, asked_at = Seen(), progress.now
    for page in _pages(deployment, ingestion, progress, after, is_patient=time_limit is None):
        found, asked_at = _record(ledger, ingestion, page, asked_at)
        seen += found
        absence.passed(page)
        if time_limit is not None and time.monotonic() - started > time_limit.total_seconds():
            with ledger.transaction() as connection:
                pause_listing(connection, name, progress, page.last_key)
            return seen + Seen(gone=absence.gone)
    absence.ended()
    with ledger.transaction() as connection:
        end_listing(connection, name, progress)
    return seen + Seen(gone=absence.gone)


def _record(
    ledger: Ledger, ingestion: Ingestion, page: ListedPage, asked_at: datetime
) -> tuple[Seen, datetime]:
    """What the page brought is in the ledger; and a moment before the next one is asked for."""
    name, found = ingestion.name, Seen()
    with ledger.transaction() as connection:
        if page.files:
            found = listing.record_listing(
                connection, name, page.files, page.skipped_keys, asked_at
            )
        listing.note_arrival(connection, name, found)
        now = recorded.now(connection)
    if page.files and ingestion.source.after_success.action != "keep":
        with ledger.transaction() as connection:  # which locks its files in key order, too
            source_objects.note_returned(connection, name, page.files)
    return found, now


def dead_letters_in(deployment: Deployment, ingestion: Ingestion) -> Callable[[str], bool]:
    """Whether a key of the source is a dead letter: of this place, or of any that names none.

    Or in a folder that dead letters were ever copied to, whoever declared that then.
    """
    return left_out(ingestion.source, _dead_letter_places(deployment, ingestion), ingestion.name)


def wanted_objects(deployment: Deployment, ingestion: Ingestion) -> str:
    """Which objects are files of the ingestion, in words that are others when that changes."""
    source, places = ingestion.source, _dead_letter_places(deployment, ingestion)
    return json.dumps([source.connection, source.address, source.pattern, sorted(places)])


def _dead_letter_places(deployment: Deployment, ingestion: Ingestion) -> set[str]:
    home, source = deployment.settings.home, ingestion.source
    places, address = {ingestion.dead_letter.place(home), default_place(home)}, source.uri_of("")
    is_out = left_out(source, places, ingestion.name)
    with deployment.ledger.transaction() as connection:
        folders = dead_letters.folders_in(connection, address)
    return places.union(folder for folder in folders if not is_out(folder.removeprefix(address)))


def _pages(
    deployment: Deployment,
    ingestion: Ingestion,
    progress: Progress,
    after: str | None,
    *,
    is_patient: bool,
) -> Iterator[ListedPage]:
    store = deployment.store(ingestion)
    pages = wanted_pages(
        ingestion.source,
        store,
        first_since=progress.first_since,
        after=after,
        left_out=dead_letters_in(deployment, ingestion),
    )
    if is_patient:
        yield from pages
        return
    last_key = None
    while True:
        try:
            with deployment.unreachable.asking(store.place):
                page = next(pages, None)
        except ObjectStoreError:
            if last_key is not None:
                with deployment.ledger.transaction() as connection:
                    pause_listing(connection, ingestion.name, progress, last_key)
            raise
        if page is None:
            return
        yield page
        last_key = page.last_key
