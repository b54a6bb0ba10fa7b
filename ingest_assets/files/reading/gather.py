"""Records fitted one by one, gathered into chunks."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ingest_assets.files.reading.blocks import BLOCK_BYTES
from ingest_assets.files.reading.chunk import (
    Chunk,
    Rejected,
    rejected_table,
    rows_schema,
)
from ingest_assets.schema.column import Columns, as_struct
from ingest_assets.schema.fit import FITS, struct_fitter
from ingest_assets.schema.value_text import text_of


class Gatherer:
    """Holds fitted records until they make a chunk."""

    def __init__(self, columns: Columns, ignored: frozenset[str]) -> None:
        self._columns = columns
        self._type = as_struct(columns)
        self._fit = struct_fitter(self._type, ignored)
        self._schema = rows_schema(columns)
        self._clear()

    def _clear(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._numbers: list[int] = []
        self._rescued: list[str | None] = []
        self._rejected: list[Rejected] = []
        self._size_bytes = 0

    def add(self, number: int, record: dict[str, Any], size_bytes: int) -> None:
        """The record's values are in columns or in `_rescued_data`."""
        fitted, left = self._fit(record)
        self._rows.append(fitted)
        self._numbers.append(number)
        self._rescued.append(None if left is FITS else text_of(left))
        self._size_bytes += size_bytes

    def reject(self, number: int, raw: bytes, reason: str) -> None:
        """The record is among the rejected."""
        self._rejected.append((number, raw, reason))
        self._size_bytes += len(raw)

    def full(self) -> Iterator[Chunk]:
        """A chunk, when there is enough for one."""
        if self._size_bytes >= BLOCK_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[Chunk]:
        """A chunk of what is held, if anything is."""
        if not self._rows and not self._rejected:
            return
        records = pa.array(self._rows, type=self._type)
        arrays = [records.field(index) for index in range(len(self._columns))]
        arrays.append(pa.array(self._numbers, pa.int64()))
        arrays.append(pa.array(self._rescued, pa.string()))
        rows = pa.Table.from_arrays(arrays, schema=self._schema)
        rejected = rejected_table(self._rejected)
        self._clear()
        yield Chunk(rows, rejected)
