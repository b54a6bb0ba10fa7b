"""The one call that commits a transaction, and what is known when its answer says no.

A client may send a commit again when its answer is lost (the AWS one of a Glue catalog does), and
is then refused by its own first sending. PyIceberg (read in 0.12.0) takes any refusal for certain
and deletes the manifests, which the table then names in vain. So they are taken out of its hands
until the table has been asked. Drop this when PyIceberg looks first.
"""

from pyiceberg.catalog import Catalog
from pyiceberg.table import Transaction

from ingest_assets.errors import CatalogError, CommitConflictError, CommitUnknownError
from ingest_assets.tables.catalog_errors import committing, reachable
from ingest_assets.tables.lineage import BATCH_PROPERTY
from ingest_assets.tables.main_branch import ancestor_with
from ingest_assets.tables.target import load_or_none


def send(
    transaction: Transaction,
    catalog: Catalog,
    identifier: str,
    batch_id: str,
    id_property: str = BATCH_PROPERTY,
) -> None:
    """The transaction, whose snapshot carries the id of a batch or of other work, is in the table.

    Raises:
        CommitConflictError: another writer came first; the table is unchanged by us.
        CommitUnknownError: the answer was lost, or what became of an earlier sending cannot be
            seen; nothing may be deleted.
    """
    producers = transaction._snapshot_producers
    try:
        with committing(identifier, batch_id):
            keeping_manifests(transaction).commit_transaction()
    except CommitConflictError:
        if _has_landed(catalog, identifier, batch_id, id_property):
            return
        for producer in producers:
            producer._clean_all_uncommitted()
        raise


def keeping_manifests(transaction: Transaction) -> Transaction:
    """The transaction, which now leaves its manifests where they are when it is refused."""
    transaction._snapshot_producers = []
    return transaction


def _has_landed(catalog: Catalog, identifier: str, batch_id: str, id_property: str) -> bool:
    try:
        with reachable(identifier):
            table = load_or_none(catalog, identifier)
    except CatalogError as error:
        raise CommitUnknownError(
            f"The commit of batch {batch_id} to {identifier} was refused, and "
            "whether an earlier sending of it came through cannot be seen now. Recovery decides."
        ) from error
    return table is not None and ancestor_with(table, id_property, batch_id) is not None
