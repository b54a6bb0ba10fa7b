"""Rows on their way through a transform: from the chunks of a reader, and into chunks again."""

from collections.abc import Mapping
from typing import Any

import orjson
import pyarrow as pa

from ingest_assets.files.reading.chunk import (
    NOTHING_REJECTED,
    RESCUED_DATA,
    SOURCE_ROW,
    Chunk,
    rejected_table,
    rows_schema,
)
from ingest_assets.files.reading.made_columns import MadeColumns
from ingest_assets.schema.column import Columns
from ingest_assets.schema.value_text import text_of
from ingest_assets.transforms.made import Made, SourceRows

_HOMELESS = (
    "does not fit its field, and the transform's rows are no rows of the file to rescue it in"
)


def source_rows_of(rows: pa.Table) -> SourceRows:
    """The rows of a chunk, or of several files, as a transform is given them."""
    rows = rows.combine_chunks()
    return SourceRows(
        rows.drop_columns([SOURCE_ROW, RESCUED_DATA]),
        _one(rows.column(SOURCE_ROW)),
        _one(rows.column(RESCUED_DATA)),
    )


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.nulls(0, column.type)


def chunk_of(made: Made, columns: Columns, ignored: frozenset[str] | None) -> Chunk:
    """The rows as those of the table.

    Raises:
        Stumbled: `ignored` is None, and a value does not fit.
    """
    placed = MadeColumns(made.fields, columns)
    arrays, left = placed.fitted(made.arrays, len(made.numbers), ignored)
    rescued = _with_left(made.rescued, left)
    rows = pa.Table.from_arrays([*arrays, made.numbers, rescued], schema=rows_schema(columns))
    if not made.homeless:
        return Chunk(rows, NOTHING_REJECTED)
    rejected = [(number, text.encode(), _HOMELESS) for number, text in made.homeless]
    return Chunk(rows, rejected_table(rejected))


def _with_left(rescued: pa.Array, left: Mapping[int, dict[str, Any]]) -> pa.Array:
    """The rescued data of the source with that of the result; the file's own words come first."""
    if not left:
        return rescued
    texts = rescued.to_pylist()
    for row, values in left.items():
        earlier = texts[row]
        own = {} if earlier is None else orjson.loads(earlier)
        texts[row] = text_of({**values, **own})
    return pa.array(texts, pa.string())
