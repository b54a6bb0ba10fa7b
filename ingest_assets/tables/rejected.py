"""The table `<table>__rejected`: rows that could not be parsed or broke a rule, with the reason."""

import contextlib
import logging
from collections.abc import Callable, Collection

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from ingest_assets.errors import CommitConflictError, LeaseLostError
from ingest_assets.schema.column import Column, Columns
from ingest_assets.tables.catalog_errors import committing, reachable
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import BATCH_PROPERTY, LINEAGE
from ingest_assets.tables.main_branch import CONTENT_ID, ancestor_with
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.racing import until_won
from ingest_assets.tables.replacement import is_in
from ingest_assets.tables.sending import keeping_manifests
from ingest_assets.tables.target import Target, open_target, without_client_retries

logger = logging.getLogger(__name__)

SUFFIX = "__rejected"
COLUMNS: Columns = (
    Column("reason", pa.string(), description="Why the row was rejected."),
    Column("raw", pa.string(), description="The row as text; bytes that are not UTF-8 as \\xNN."),
    Column("raw_bytes", pa.binary(), description="The row's bytes, where they are not UTF-8."),
)
REJECTED_LINEAGE = tuple(column for column in LINEAGE if column.name != "_rescued_data")


def open_rejected(catalog: Catalog, identifier: str, owner: Owner) -> Target:
    """The table of rejected rows beside the table `identifier`; made by its first commit.

    Raises:
        TableOwnershipError: a table of that name belongs to somebody else.
        CatalogError: the catalog is out of reach.
    """
    target = open_target(catalog, identifier + SUFFIX, TableLayout(), owner, must_exist=False)
    target.lineage = REJECTED_LINEAGE
    return target


def make_rejected(catalog: Catalog, identifier: str, owner: Owner) -> None:
    """The table of rejected rows is there, empty if it was not; so `fence` has something to fence.

    Raises:
        TableOwnershipError: a table of that name belongs to somebody else.
        CatalogError, CommitUnknownError: the catalog is out of reach; call again.
    """
    target = open_rejected(catalog, identifier, owner)
    if target.base is not None:
        return
    target.evolve(COLUMNS)
    with contextlib.suppress(CommitConflictError):  # somebody else made it by now
        transaction, _ = target.begin_commit()
        with committing(target.identifier, "of recovery"):
            transaction.commit_transaction()


def restore_rejected(
    catalog: Catalog,
    identifier: str,
    batch_id: str,
    content_ids: Collection[int],
    is_held: Callable[[], bool],
) -> int:
    """The rows of these contents that the batch committed are there; so many had to come back.

    None, but for a batch that landed after its lease: another one may have taken its rejected rows
    for what a dead worker had left. A content that has rows has them of whoever read it since.

    Raises:
        LeaseLostError: `is_held` said no; unchanged.
        CommitConflictError: others were faster `racing.TRIES` times; unchanged.
        CommitUnknownError: the answer was lost; call again.
        CatalogError: the services failed before the commit; unchanged.
    """
    name = identifier + SUFFIX

    def attempt() -> int:
        with reachable(name):
            try:
                table = without_client_retries(catalog.load_table(name))
            except NoSuchTableError:
                return 0
            came = ancestor_with(table, BATCH_PROPERTY, batch_id)
            if came is None:
                return 0
            scan = table.scan(is_in(CONTENT_ID, content_ids), selected_fields=(CONTENT_ID,))
            there = scan.to_arrow()[CONTENT_ID].unique().to_pylist()
            missing = set(content_ids) - set(there)
            if not missing:
                return 0
            rows = table.scan(is_in(CONTENT_ID, missing), snapshot_id=came).to_arrow()
            transaction = table.transaction()
            transaction.append(rows, snapshot_properties={BATCH_PROPERTY: batch_id})
        if not is_held():
            raise LeaseLostError(
                f"The lease of batch {batch_id} was lost before its rejected rows came back to "
                f"{name}; nothing was written. Whoever took the batch over looks."
            )
        with committing(name, batch_id):
            keeping_manifests(transaction).commit_transaction()
        logger.info("%s rejected rows of batch %s came back", rows.num_rows, batch_id)
        return int(rows.num_rows)

    return until_won(attempt, f"The rejected rows of batch {batch_id}")


def rejected_rows(rejected: pa.Table) -> pa.Table:
    """The rows of a reader's `rejected` (source_row, raw, reason) as the table has them."""
    texts: list[str] = []
    odd: list[bytes | None] = []
    for raw in rejected["raw"].to_pylist():
        try:
            texts.append(raw.decode())
            odd.append(None)
        except UnicodeDecodeError:
            texts.append(raw.decode(errors="backslashreplace"))
            odd.append(raw)
    return pa.table(
        {
            "_source_row": rejected["source_row"].cast(pa.int64()),
            "reason": rejected["reason"].cast(pa.string()),
            "raw": pa.array(texts, pa.string()),
            "raw_bytes": pa.array(odd, pa.binary()),
        }
    )


def first_reason(rejected: pa.Table) -> str:
    """`line 7: what was wrong`, of the first rejected row."""
    row = rejected.slice(0, 1).to_pylist()[0]
    return f"line {row['source_row']}: {row['reason']}"
