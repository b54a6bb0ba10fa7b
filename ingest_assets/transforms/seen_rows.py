"""The rows of a file that a function was given, for the rows that it gives back."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.transforms.made import SourceRows
from ingest_assets.transforms.whole_file import rescued_of


class SeenRows:
    """The rows that were given so far. `stopped` is the error that ended them, if one did."""

    def __init__(self) -> None:
        self.stopped: Exception | None = None
        self._records = 0
        self._numbers: list[pa.Array] = []
        self._rescued: list[tuple[int, str]] = []

    def watched(self, rows: Iterator[SourceRows]) -> Iterator[SourceRows]:
        """The rows, noted if they end in an error."""
        try:
            yield from rows
        except Exception as error:
            self.stopped = error
            raise

    def see(self, piece: SourceRows) -> None:
        """The rows are about to be given."""
        self._records += len(piece.numbers)
        self._numbers.append(piece.numbers)
        self._rescued += rescued_of(piece)

    def has(self, numbers: pa.Array) -> bool:
        """They were given, and none comes again: those before the last of them are forgotten."""
        given = pa.concat_arrays(self._numbers) if self._numbers else pa.array([], pa.int64())
        self._numbers = [given.filter(pc.greater(given, numbers[-1]))]
        return bool(pc.all(pc.is_in(numbers, given)).as_py())

    def rescued_for(self, numbers: pa.Array) -> pa.Array:
        """The rescued data of these rows."""
        if not self._rescued:
            return pa.nulls(len(numbers), pa.string())
        known = dict(self._rescued)
        return pa.array([known.get(number) for number in numbers.to_pylist()], pa.string())

    def told(self, *, keeps_rows: bool) -> tuple[int, Sequence[tuple[int, str]]]:
        """So many records, and rescued data without a row, since it was last asked."""
        records, self._records = self._records, 0
        if keeps_rows:
            return records, ()
        homeless, self._rescued = self._rescued, []
        return records, homeless
