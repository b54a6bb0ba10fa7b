"""What the tree of errors says of itself is what its classes are."""

from collections.abc import Iterator

import pytest

from ingest_assets import errors
from ingest_assets.errors import Fate, FinalError, IngestError, RetryableError

_FATES = {
    Fate.ALL_FAILED: {"CatalogError", "CommitConflictError"},
    Fate.ALL_FREE: {"ConfigurationError", "TableChangedError"},
    Fate.UNDECIDED: {"LedgerError", "LeaseLostError", "CommitUnknownError"},
}


def _classes(parent: type[IngestError] = IngestError) -> Iterator[type[IngestError]]:
    for child in parent.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _classes(child)


def test_the_tree_names_every_class_once() -> None:
    tree = (errors.__doc__ or "").split("What becomes")[0]
    named = [line.split("── ")[1].split()[0] for line in tree.splitlines() if "── " in line]
    assert sorted(named) == sorted({found.__name__ for found in _classes()})


@pytest.mark.parametrize(
    "found",
    sorted(set(_classes()), key=lambda found: found.__name__),
    ids=lambda found: found.__name__,
)
def test_every_class_is_final_or_retryable_and_has_the_fate_of_the_table(
    found: type[IngestError],
) -> None:
    assert issubclass(found, FinalError) != issubclass(found, RetryableError)
    assert found.is_retryable == issubclass(found, RetryableError)
    fates = {name: fate for fate, names in _FATES.items() for name in names}
    named = [fates[base.__name__] for base in found.__mro__ if base.__name__ in fates]
    assert found.fate is (named[0] if named else Fate.FILE_FAILED)
