"""The table `<table>__rejected`: rows that could not be parsed or broke a rule, with the reason."""

import contextlib

import pyarrow as pa
from pyiceberg.catalog import Catalog

from ingest_assets.errors import CommitConflictError
from ingest_assets.schema.column import Column, Columns
from ingest_assets.tables.catalog_errors import committing
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import LINEAGE
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import Target, open_target

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
