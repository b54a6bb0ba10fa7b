"""What became of a source file's object after its rows were certain."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ingest_assets.declaration.source import Source
from ingest_assets.files.source_file import SourceFile


class ObjectState(StrEnum):
    """Done by us; gone already when its turn came; or still as it was, for a reason."""

    TAGGED = "tagged"
    MOVED = "moved"
    DELETED = "deleted"
    GONE = "gone"
    WAITING = "waiting"


@dataclass(frozen=True)
class FinishedObject:
    """Where the object is now. `moved_to` is an address, and `moved_etag` what is there.

    `why` it is as it was: only when it waits.
    """

    state: ObjectState
    moved_to: str | None = None
    moved_etag: str | None = None
    why: str | None = None


class Finishing(Protocol):
    """What can be done with the objects of a store; each may be done twice, to the same end.

    Raises:
        SourceChangedError: another content is there by now; it was left alone.
        ObjectStoreError: the store cannot be reached or refuses; says which right is missing. Or
            it has no such bucket or folder: then no object is called gone.
    """

    def tag(self, file: SourceFile) -> FinishedObject: ...

    def move(self, file: SourceFile, to: Source) -> FinishedObject: ...

    def delete(self, file: SourceFile) -> FinishedObject: ...


def names_for(file: SourceFile) -> tuple[str, str]:
    """The keys to move the file to: its own, or with its etag where other content has that."""
    return file.key, f"{file.key}.{file.etag}"


def taken(file: SourceFile, to: Source) -> FinishedObject:
    """It waits, because both places that it could move to have other content."""
    plain, with_etag = (to.uri_of(name) for name in names_for(file))
    return FinishedObject(
        ObjectState.WAITING,
        why=f"{file.uri} was not moved: other content is at {plain} and at {with_etag}. Take the "
        "second away.",
    )
