"""Several small files read at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ingest_assets.files.reading.chunk import Chunk, Stumbled, Taken, rows_schema
from ingest_assets.files.reading.opened import Content
from ingest_assets.schema.column import Columns

TOGETHER_BYTES = 32 * 1024**2
"""Unpacked, in memory; what comes to more is not small."""


@dataclass(frozen=True)
class Together:
    """The rows of all files, one after another, as `Chunk.rows`; and how many are of each.

    `taken` is what a transform made them of, for each file; None without one.
    """

    rows: pa.Table
    counts: Sequence[int]
    taken: Sequence[Taken] | None = None


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
    taken: list[Taken | None] = []
    for content in contents:
        counts.append(0)
        taken.append(None)
        for chunk in read_fast(content, columns):
            size_bytes += chunk.rows.nbytes
            if size_bytes > TOGETHER_BYTES or chunk.rejected.num_rows:
                raise Stumbled
            tables.append(chunk.rows)
            counts[-1] += chunk.rows.num_rows
            taken[-1] = added(taken[-1], chunk.taken)
    known = [part for part in taken if part is not None]
    if known:
        known = [part or Taken(0, 0) for part in taken]
    return Together(pa.concat_tables(tables), counts, known or None)


def added(before: Taken | None, taken: Taken | None) -> Taken | None:
    """What was taken for two pieces of one file."""
    if before is None or taken is None:
        return before or taken
    is_told = before.filtered is not None and taken.filtered is not None
    filtered = (before.filtered or 0) + (taken.filtered or 0) if is_told else None
    return Taken(before.records + taken.records, filtered, taken.unused or before.unused)
