"""Several small files read at once."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from ingest_assets.files.reading.chunk import Chunk, Stumbled, rows_schema
from ingest_assets.files.reading.opened import Content
from ingest_assets.schema.column import Columns

TOGETHER_BYTES = 32 * 1024**2
"""Unpacked, in memory; what comes to more is not small."""

Together = tuple[pa.Table, list[int]]
"""The rows of all files, one after another, as `Chunk.rows`; and how many are of each."""


def one_after_another(
    read_fast: Callable[[Content, Columns], Iterator[Chunk]],
    contents: Sequence[Content],
    columns: Columns,
) -> Together:
    """What the fast path makes of each file.

    Raises:
        Stumbled: one of them is not for the fast path, has rejected rows, or they are too large.
    """
    tables, counts, size_bytes = [rows_schema(columns).empty_table()], [], 0
    for content in contents:
        counts.append(0)
        for chunk in read_fast(content, columns):
            size_bytes += chunk.rows.nbytes
            if size_bytes > TOGETHER_BYTES or chunk.rejected.num_rows:
                raise Stumbled
            tables.append(chunk.rows)
            counts[-1] += chunk.rows.num_rows
    return pa.concat_tables(tables), counts
