"""What a reader hands over: a few megabytes of a file as rows, and the records it rejected."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ingest_assets.schema.column import Columns, arrow_schema

SOURCE_ROW = "_source_row"
RESCUED_DATA = "_rescued_data"
REJECTED_SCHEMA = pa.schema(
    [("source_row", pa.int64()), ("raw", pa.binary()), ("reason", pa.string())]
)
Rejected = tuple[int, bytes, str]
"""`source_row`, `raw`, `reason` of one record."""


class Stumbled(Exception):
    """The fast path met something that only the careful path judges; nothing is wrong yet."""


@dataclass(frozen=True)
class Taken:
    """Of how many records a transform made rows, rejected ones too, and how many it `filtered`.

    `filtered` is None where rows of the result are no rows of the file. `unused` are the fields
    that the result has nothing of.
    """

    records: int
    filtered: int | None
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chunk:
    """`rows`: the columns that were asked for, in order, then `_source_row` (int64) and
    `_rescued_data` (string, JSON; null when nothing was rescued).

    `rejected`: `source_row` (int64), `raw` (binary), `reason` (string).
    `taken`: what a transform made the rows of; None without one.
    """

    rows: pa.Table
    rejected: pa.Table
    taken: Taken | None = None

    @property
    def records(self) -> int:
        """How many records of the file it is about."""
        if self.taken is not None:
            return self.taken.records
        return int(self.rows.num_rows + self.rejected.num_rows)


def rows_schema(columns: Columns) -> pa.Schema:
    """The schema of `Chunk.rows`."""
    schema = arrow_schema(columns)
    return schema.append(pa.field(SOURCE_ROW, pa.int64())).append(
        pa.field(RESCUED_DATA, pa.string())
    )


def rejected_table(rejected: Sequence[Rejected]) -> pa.Table:
    """The rejected records as `Chunk.rejected` has them."""
    columns = list(zip(*rejected, strict=True)) or [(), (), ()]
    return pa.table(
        [pa.array(column, type=f.type) for column, f in zip(columns, REJECTED_SCHEMA, strict=True)],
        schema=REJECTED_SCHEMA,
    )


NOTHING_REJECTED = rejected_table(())
