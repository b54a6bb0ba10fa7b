"""Where declarations move their files to: nowhere that any of them reads or writes others."""

from collections.abc import Sequence
from itertools import combinations

from ingest_assets.declaration.source import Source
from ingest_assets.ingestion import Declaration, Ingestion


def target_problems(declarations: Sequence[Declaration]) -> list[str]:
    """A line for each `after_success.to` where a declaration reads, or puts something else."""
    return [
        *_in_sources(declarations),
        *_among_dead_letters(declarations),
        *_shared(declarations),
    ]


def _in_sources(declarations: Sequence[Declaration]) -> list[str]:
    """A line for each `after_success.to` that overlaps with the source of a declaration.

    A file that came to lie in a source would be ingested again; and one whose key begins like a
    source that lies below the target could.
    """
    sources = [(declaration, declaration.ingestion.source.address) for declaration in declarations]
    return [
        f"{mover.path}: attributes.source.after_success.to: {target.uri!r} overlaps with "
        f"{address}, where {declared.ingestion.name!r} ({declared.path}) looks for files; moved "
        "files could be ingested again. Name a place beside it"
        for mover in declarations
        if (target := mover.ingestion.source.moved_to) is not None
        for declared, address in sources
        if overlap(target.address, address)
    ]


def _among_dead_letters(declarations: Sequence[Declaration]) -> list[str]:
    """A copy of a dead letter takes the place of what has its key, also of a moved file."""
    folders = [
        (declaration, Source(uri=f"{uri.rstrip('/')}/{declaration.ingestion.name}/").address)
        for declaration in declarations
        if (uri := declaration.ingestion.dead_letter.uri) is not None
    ]
    return [
        f"{mover.path}: attributes.source.after_success.to: {target.uri!r} overlaps with "
        f"{folder}, where the dead letters of {writer.ingestion.name!r} ({writer.path}) go; they "
        "could overwrite moved files. Name a place beside it"
        for mover in declarations
        if (target := mover.ingestion.source.moved_to) is not None
        for writer, folder in folders
        if overlap(target.address, folder)
    ]


def _shared(declarations: Sequence[Declaration]) -> list[str]:
    """Of two that move to one key at once, one could overwrite the other's file."""
    return [
        f"{later.path}: attributes.source.after_success.to: {target.uri!r} overlaps with "
        f"{others.address}, where {earlier.ingestion.name!r} ({earlier.path}) moves other files; "
        "one could overwrite the other's. Name a place beside it"
        for earlier, later in combinations(declarations, 2)
        if (others := earlier.ingestion.source.moved_to) is not None
        and (target := later.ingestion.source.moved_to) is not None
        and overlap(target.address, others.address)
        and not _keep_apart(earlier.ingestion, later.ingestion)
    ]


def _keep_apart(one: Ingestion, other: Ingestion) -> bool:
    """Only one object comes to a place: the targets lie to each other as the sources do."""
    if one.source.connection != other.source.connection:
        return False
    targets = [i.source.moved_to.address for i in (one, other) if i.source.moved_to is not None]
    (outer, source), (inner, its_source) = sorted(
        zip(targets, (one.source.address, other.source.address), strict=True)
    )
    return its_source == source + inner.removeprefix(outer)


def overlap(one: str, other: str) -> bool:
    """One of two addresses that end with a slash is inside of the other, or they are the same."""
    return one.startswith(other) or other.startswith(one)
