"""What the declarations say of their dead letters that does not hold, all of them together."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from ingest_assets.errors import ConnectionsFileError
from ingest_assets.files.connections import Connection, load_connections
from ingest_assets.files.dead_letters import left_out
from ingest_assets.ingestion import Declaration, Ingestion

_FIELD = "attributes.dead_letter"


def dead_letter_problems(folder: Path, declarations: list[Declaration]) -> list[str]:
    """A connection that there is not; a place where some source would list the dead letters.

    What lies at an ingestion's own place is left out of its listings. Dead letters of another one
    would be ingested like any file, and come back as its dead letters.
    """
    try:
        known = load_connections(folder)
    except ConnectionsFileError:  # which is a problem of its own
        return []
    sources: dict[str, list[Declaration]] = defaultdict(list)
    for declaration in declarations:
        sources[declaration.ingestion.source.uri_of("")].append(declaration)
    problems = []
    for declaration in declarations:
        dead_letter = declaration.ingestion.dead_letter
        if dead_letter.connection not in known:
            problems.append(
                f"{declaration.path}: {_FIELD}.connection: {dead_letter.connection!r} is not in "
                f"connections.yaml, which has {', '.join(sorted(known))}"
            )
            continue
        for address in _folders_above(declaration.ingestion):
            problems += [
                f"{declaration.path}: {_FIELD}.uri: {dead_letter.uri!r} lies in the source of "
                f"{other.ingestion.name} ({other.path}), which would ingest the dead letters; name "
                "a place outside of it, or the same dead_letter.uri in both"
                for other in sources.get(address, ())
                if _would_list(other.ingestion, declaration.ingestion, known)
            ]
    return problems


def _folders_above(ingestion: Ingestion) -> Iterator[str]:
    """The addresses of all prefixes that hold the ingestion's folder of dead letters."""
    uri = ingestion.dead_letter.uri
    if uri is not None:
        scheme, _, path = uri.partition("://")
        parts = [f"{part}/" for part in (*path.rstrip("/").split("/"), ingestion.name)]
        yield from (f"{scheme}://{above}" for above in accumulate(parts))


def _would_list(reader: Ingestion, writer: Ingestion, known: dict[str, Connection]) -> bool:
    """The reader's source holds the writer's dead letters, and does not leave them out."""
    if reader.name == writer.name or reader.source.connection not in known:
        return False
    source, own = reader.source, reader.dead_letter.uri
    stores = known[source.connection], known[writer.dead_letter.connection]
    if source.root.startswith("s3://") and stores[0].endpoint_url != stores[1].endpoint_url:
        return False
    folder = f"{(writer.dead_letter.uri or '').rstrip('/')}/{writer.name}/"
    is_left_out = left_out(source, [own] if own is not None else [], reader.name)
    return not is_left_out(folder.removeprefix(source.uri_of("")))
