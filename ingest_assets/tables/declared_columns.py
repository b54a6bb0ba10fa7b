"""Columns that a declaration brings into a table between batches: metadata only, no snapshot."""

import random
import time
from collections.abc import Mapping

from ingest_assets.errors import CatalogError, CommitConflictError, CommitUnknownError
from ingest_assets.schema.column import Columns
from ingest_assets.tables import evolution
from ingest_assets.tables.catalog_errors import committing
from ingest_assets.tables.commit import TRIES, WAIT_SECONDS
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
    for number in range(1, TRIES + 1):
        transaction, _ = target.begin_commit()
        evolution.describe(transaction, docs)
        try:
            with committing(target.identifier, "declared columns"):
                transaction.commit_transaction()
            return
        except (CommitConflictError, CommitUnknownError) as error:
            if number == TRIES or isinstance(error, CommitUnknownError):
                raise CatalogError(
                    f"Whether {target.identifier} has its declared columns is not certain "
                    f"({error.__cause__}). The next tick or pass looks, and tries again."
                ) from error
            time.sleep(random.uniform(*WAIT_SECONDS))
