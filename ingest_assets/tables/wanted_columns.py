"""The operations after which a table has the columns that somebody decided it should have."""

from collections.abc import Iterator

import pyarrow as pa

from ingest_assets.schema.column import Columns
from ingest_assets.schema.promotion import is_promotion
from ingest_assets.tables.operations import AddColumn, Operation, Path, Promote, Retype


def operations_to_hold(present: Columns, wanted: Columns) -> tuple[Operation, ...]:
    """What makes a table of the columns `present` hold all of `wanted`; nothing is dropped.

    `present` are the table's as the ledger knows them, with the names that files spell.
    """
    known = {column.name: column.type for column in present}
    found: list[Operation] = []
    for column in wanted:
        if column.name not in known:
            doc = column.description or column.source_name
            found.append(AddColumn((column.name,), column.type, doc))
        else:
            found += _between(known[column.name], column.type, (column.name,))
    return tuple(found)


def _between(before: pa.DataType, after: pa.DataType, path: Path) -> Iterator[Operation]:
    if before == after or is_promotion(after, before):  # a wider one holds the narrower
        return
    if pa.types.is_struct(before) and pa.types.is_struct(after):
        known = {field.name: field.type for field in before}
        for field in after:
            if field.name in known:
                yield from _between(known[field.name], field.type, (*path, field.name))
            else:
                yield AddColumn((*path, field.name), field.type)
    elif pa.types.is_list(before) and pa.types.is_list(after):
        yield from _between(before.value_type, after.value_type, (*path, "element"))
    elif pa.types.is_map(before) and pa.types.is_map(after) and before.key_type == after.key_type:
        yield from _between(before.item_type, after.item_type, (*path, "value"))
    elif is_promotion(before, after):
        yield Promote(path, after)
    else:
        yield Retype(path, after, before)
