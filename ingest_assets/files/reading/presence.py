"""Whether a file that was read fast has every required column."""

from collections.abc import Sequence

import pyarrow as pa

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
