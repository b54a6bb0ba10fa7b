"""Typed arrays as rows of the table: cast whole, or value by value with what is left."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.files.reading.typed_columns import FileColumn, cast_whole, fit_each
from ingest_assets.schema.column import Columns
from ingest_assets.schema.value_text import text_of


def fitted(
    columns: Columns,
    found: Iterable[tuple[FileColumn, pa.Array]],
    row_count: int,
    ignored: frozenset[str] | None,
) -> tuple[list[pa.Array], dict[int, dict[str, Any]]]:
    """The arrays of `columns`, in order, and by row what did not fit, under the file's names.

    Raises:
        Stumbled: `ignored` is None, and an array does not cast whole.
    """
    arrays: dict[str, pa.Array] = {}
    left: dict[int, dict[str, Any]] = {}
    for column, array in found:
        if column.expected is None and (
            column.name in (ignored or ()) or array.null_count == len(array)
        ):
            continue
        held = None if column.expected is None else cast_whole(array, column.expected.type)
        if held is None:
            if ignored is None:
                raise Stumbled
            held, rests = fit_each(column, array)
            for row, rest in rests.items():
                left.setdefault(row, {})[column.spelled] = rest
        if held is not None:
            arrays[column.name] = held
    return [
        arrays[c.name] if c.name in arrays else pa.nulls(row_count, c.type) for c in columns
    ], left


def rescued(left: dict[int, dict[str, Any]], row_count: int) -> pa.Array:
    """What is left, as `_rescued_data` has it."""
    if not left:
        return pa.nulls(row_count, pa.string())
    texts = [text_of(left[row]) if row in left else None for row in range(row_count)]
    return pa.array(texts, pa.string())


def judged_by_values(
    counted: Iterable[Sequence[tuple[FileColumn, pa.Array]]],
    doubtful: Sequence[FileColumn],
) -> dict[str, pa.DataType | None]:
    """The table's type of each doubtful column, or its own where most of its values do not fit."""
    misfits = dict.fromkeys((column.name for column in doubtful), 0)
    counts, types = dict(misfits), {c.name: c.expected.type for c in doubtful if c.expected}
    for batch in counted:
        for column, array in batch:
            counts[column.name] += len(array) - array.null_count
            if cast_whole(array, types[column.name]) is None:
                misfits[column.name] += len(fit_each(column, array)[1])
    return {
        c.name: c.own if misfits[c.name] * 2 > counts[c.name] else types[c.name] for c in doubtful
    }
