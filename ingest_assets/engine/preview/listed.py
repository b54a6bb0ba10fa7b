"""What is under the prefix, by a listing that is cut off in time; and how the store is reached."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from ingest_assets.declaration.dead_letter import default_place
from ingest_assets.deployment import Deployment
from ingest_assets.engine.discovery import dead_letters_in
from ingest_assets.engine.preview.services import Services
from ingest_assets.engine.preview.source_report import ConnectionSeen, FoundFiles
from ingest_assets.errors import IngestError
from ingest_assets.files.dead_letters import left_out
from ingest_assets.files.discovery import wanted_pages
from ingest_assets.files.reached import reached
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import PAGE_FILES, SourceStore
from ingest_assets.ingestion import Ingestion

LISTED_AT_MOST = 20_000
LISTING_TIME = timedelta(seconds=4)


@dataclass(frozen=True)
class Listed:
    """The files that an ingestion would take, in the order of the listing."""

    files: list[SourceFile]
    found: FoundFiles


def connection_seen(
    deployment: Deployment, ingestion: Ingestion, refusal: str | None = None
) -> ConnectionSeen:
    """How the store of the source is reached, without its keys."""
    source = ingestion.source
    connection = deployment.connection(ingestion, source.connection)
    way = reached(source, connection, deployment.s3_clients)
    return ConnectionSeen(source.connection, way.endpoint, way.region, way.credentials, refusal)


def listed(services: Services, ingestion: Ingestion, store: SourceStore) -> Listed:
    """Every file that an ingestion would find, or as many as fit into the time.

    Raises:
        ObjectStoreError: the store cannot be reached or refuses.
    """
    started = time.monotonic()
    pages = wanted_pages(
        ingestion.source, store, first_since=None, left_out=_dead_letters(services, ingestion)
    )
    files: list[SourceFile] = []
    seen = out = requests = 0
    is_cut, example = False, None
    for page in pages:
        requests += 1
        seen += len(page.keys)
        out += len(page.skipped_keys)
        files += [file for file in page.files if file.key not in page.skipped_keys]
        if example is None and not page.files:
            example = page.keys[0]
        is_late = time.monotonic() - started > LISTING_TIME.total_seconds()
        if len(page.keys) == PAGE_FILES and (seen >= LISTED_AT_MOST or is_late):
            is_cut = True
            break
    return Listed(files, _found(files, seen, out, is_cut, requests, started, example))


def _found(
    files: list[SourceFile],
    seen: int,
    out: int,
    is_cut: bool,
    requests: int,
    started: float,
    example: str | None,
) -> FoundFiles:
    sizes = [file.size_bytes for file in files]
    moments = [file.modified_at for file in files]
    return FoundFiles(
        count=len(files),
        size_bytes=sum(sizes),
        listed=seen,
        left_out=out,
        is_cut=is_cut,
        requests=max(1, requests),
        seconds=time.monotonic() - started,
        smallest_bytes=min(sizes, default=None),
        largest_bytes=max(sizes, default=None),
        oldest=min(moments, default=None),
        newest=max(moments, default=None),
        example_left_out=example if not files else None,
    )


def _dead_letters(services: Services, ingestion: Ingestion) -> Callable[[str], bool]:
    """Which keys are dead letters; the ledger knows of more places than the declaration."""
    deployment = services.deployment
    if services.has_ledger:
        try:
            return dead_letters_in(deployment, ingestion)
        except IngestError:
            pass
    home = deployment.settings.home
    places = {ingestion.dead_letter.place(home), default_place(home)}
    return left_out(ingestion.source, places, ingestion.name)
