"""Whether a file that was read fast has every required column."""

import functools
from collections.abc import Sequence

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.schema.column import Columns


class RequiredPresence:
    """Nulls alone look like an absent column: only the careful path can tell one from the other."""

    def __init__(self, columns: Columns) -> None:
        self._unseen = {index for index, column in enumerate(columns) if column.is_required}
        self._has_rows = False

    def see(self, arrays: Sequence[pa.Array]) -> None:
        """The arrays, in the order of the columns, are noted."""
        self._has_rows = True
        self._unseen = {
            index for index in self._unseen if arrays[index].null_count == len(arrays[index])
        }

    def check(self) -> None:
        """Nothing, at the end of a file that has a value in each required column, or no row.

        Raises:
            Stumbled: it has rows, and in some required column none has a value.
        """
        if self._has_rows and self._unseen:
            raise Stumbled


def check_presence(columns: Columns, rows: pa.Table, block: bytes, numbers: pa.Array) -> None:
    """Nothing, if every object has each required column; `rows` are those of lines `numbers`.

    Raises:
        Stumbled: one has not.
    """
    nulls = {
        column.name_in_files: pc.is_null(rows.column(index).combine_chunks())
        for index, column in enumerate(columns)
        if column.is_required and rows.column(index).null_count
    }
    if not nulls:
        return
    has_null = functools.reduce(pc.or_, nulls.values())
    lines = block.split(b"\n")
    for number in numbers.filter(has_null).to_pylist():
        record = orjson.loads(lines[number])
        if not all(name in record for name in nulls):
            raise Stumbled
