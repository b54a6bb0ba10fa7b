"""The declared write mode as the tables take it."""

from ingest_assets.declaration.table import Table
from ingest_assets.tables.merging import Merge
from ingest_assets.tables.overwriting import Overwrite


def mode_of(table: Table) -> Merge | Overwrite | None:
    """What a batch does to the rows that are there; None for `append`, where only its own leave."""
    match table.write_mode:
        case "merge":
            deletes = table.delete_when
            return Merge(
                tuple(table.primary_key),
                table.order_by,
                deletes.column if deletes else None,
                deletes.texts if deletes else frozenset(),
            )
        case "overwrite":
            by_partition = table.overwrite_scope == "partitions"
            return Overwrite(by_partition, table.overwrite_by == "folder")
        case _:
            return None
