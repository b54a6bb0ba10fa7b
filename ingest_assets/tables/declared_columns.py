"""Columns that a declaration brings into a table between batches: metadata only, no snapshot."""

from collections.abc import Mapping

from ingest_assets.errors import (
    CatalogError,
    CommitConflictError,
    CommitUnknownError,
    TableChangedError,
)
from ingest_assets.schema.column import Columns
from ingest_assets.tables import evolution
from ingest_assets.tables.catalog_errors import committing
from ingest_assets.tables.racing import until_won
from ingest_assets.tables.target import Target


def hold_columns(target: Target, columns: Columns, docs: Mapping[str, str]) -> None:
    """The table holds `columns`, and its columns named in `docs` have those comments.

    A second call changes nothing, so what is in doubt is done again.

    Raises:
        CatalogError: services failed or others were faster; perhaps unchanged, to be tried again.
        TableChangedError: the table's schema was changed meanwhile; unchanged.
        TableOwnershipError: somebody else took the table over meanwhile; unchanged.
        ColumnNameError: a column is there in other letters' case; unchanged.
    """
    target.evolve(columns)

    def attempt() -> None:
        transaction, _ = target.begin_commit()
        evolution.describe(transaction, docs)
        with committing(target.identifier, "declared columns"):
            transaction.commit_transaction()

    try:
        until_won(attempt, f"The declared columns of {target.identifier}")
    except TableChangedError:
        raise
    except (CommitConflictError, CommitUnknownError) as error:
        raise CatalogError(
            f"Whether {target.identifier} has its declared columns is not certain "
            f"({error.__cause__}). The next tick or pass looks, and tries again."
        ) from error
