"""The columns that files are compared with: the active version, as the table bears it out."""

from dataclasses import replace

from ingest_assets.schema.column import Columns


def effective_columns(active: Columns | None, table: Columns | None) -> Columns | None:
    """What the table really has, with what the ledger knows about it; None for neither.

    The table decides which columns there are and of which type, so that a column somebody added or
    widened by another engine is used from the next batch on. The ledger adds what Iceberg does not
    keep: which columns files must have, and how files spell their names.
    """
    if table is None:
        return active
    known = {column.name: column for column in active or ()}
    columns = []
    for column in table:
        version = known.get(column.name)
        if version is None:
            columns.append(replace(column, is_required=False))
        elif version.type == column.type:
            columns.append(version)
        else:
            columns.append(replace(version, type=column.type))
    return tuple(columns)
