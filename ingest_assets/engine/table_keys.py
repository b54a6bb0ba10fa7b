"""Keys of a batch's files compared with those of a table: of its own, or of one it refers to.

The table is read as it was when the batch began, only the columns of the key, and only data files
that may have one. Of its own table the rows that a file replaces do not count; files are judged in
order, so those that an earlier good file of the batch replaces do not count either, and those that
it brings do. One batch does not see another one that goes on beside it.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from ingest_assets.declaration.quality_parameters import ForeignKey
from ingest_assets.quality.key_set import KeySet
from ingest_assets.quality.typed_values import UnfitRuleError
from ingest_assets.schema.types import format_type
from ingest_assets.tables.key_rows import KeyRows

Hashing = Callable[[pa.Table, Sequence[str]], tuple[np.ndarray, np.ndarray]]
"""A hash of each row's values in the columns, and whether none of them is null."""


class OwnKeys:
    """The keys of the ingestion's own table. `owner` is the column that tells what a file replaces.

    `claimed` are the owners in the batch; None for rows, where the table is not there yet.
    """

    def __init__(
        self,
        rows: KeyRows | None,
        columns: Sequence[str],
        hashing: Hashing,
        owner: str,
        claimed: Sequence[int],
    ) -> None:
        self._rows = rows
        self._columns = columns
        self._hashing = hashing
        self._owner = owner
        self._claimed = np.array(sorted(claimed), np.int64)
        self.others = KeySet()
        self._hashes, self._owners = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        self._gone = set[int]()

    def load(self, values: pa.ChunkedArray) -> None:
        """The keys of all rows that may have one of the values in the first column are known."""
        if self._rows is None or not set(self._columns) <= set(self._rows.names):
            return  # what the table has is null in a column that is new to it
        for rows in self._rows.near(values):
            hashes, whole = self._hashing(rows, self._columns)
            is_claimed = np.zeros(len(hashes), bool)
            owners = np.zeros(len(hashes), np.int64)
            if self._owner in rows.column_names:
                owners = rows[self._owner].fill_null(0).to_numpy()
                is_claimed = np.isin(owners, self._claimed)
            self.others.add(hashes[whole & ~is_claimed])
            self._note(hashes[whole & is_claimed], owners[whole & is_claimed])

    def _note(self, hashes: np.ndarray, owners: np.ndarray) -> None:
        if len(hashes):
            hashes = np.concatenate([self._hashes, hashes])
            owners = np.concatenate([self._owners, owners])
            order = np.lexsort((owners, hashes))
            self._hashes, self._owners = hashes[order], owners[order]

    def are_there(self, hashes: np.ndarray, own: Sequence[int]) -> np.ndarray:
        """Which of the keys are in a row that stays, for a file that replaces the owners `own`."""
        found = self.others.contains(hashes)
        if len(self._hashes):
            first = np.searchsorted(self._hashes, hashes, "left")
            after = np.searchsorted(self._hashes, hashes, "right")
            leaving = np.array([*own, *self._gone], np.int64)
            stays = ~np.isin(self._owners, leaving)
            before = np.concatenate([[0], np.cumsum(stays)])
            found = found | (before[after] > before[first])
        return found

    def accept(self, own: Sequence[int], brought: KeySet) -> None:
        """A file of the batch is good: its earlier rows leave, and its keys come."""
        self._gone.update(own)
        self.others.update(brought)


class OwnLookup:
    """One file beside the rows of its own table."""

    def __init__(self, keys: OwnKeys, own: Sequence[int], column: str) -> None:
        self._keys = keys
        self._own = own
        self._column = column
        self._brought = KeySet()

    def failing(self, rows: pa.Table, hashes: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Rows whose key a row of the table has that stays there."""
        if asked.any():
            self._keys.load(rows[self._column].filter(pa.array(asked)))
        found: np.ndarray = asked & self._keys.are_there(hashes, self._own)
        return found

    def keep(self, hashes: np.ndarray) -> None:
        """These keys of the file go into the table, if the file does."""
        self._brought.add(hashes)

    def accept(self) -> None:
        """The file goes into the table."""
        self._keys.accept(self._own, self._brought)


class ReferencedKeys:
    """The keys of another table that rows refer to; one serves all files, and several threads."""

    def __init__(self, rows: KeyRows | None, key: ForeignKey, hashing: Hashing) -> None:
        self._rows = rows
        self._key = key
        self._hashing = hashing
        self._there = KeySet()
        self._lock = threading.Lock()

    def failing(self, rows: pa.Table, _hashes: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Rows whose key no row of the other table has.

        Raises:
            UnfitRuleError: there is no such table, it lacks a column, or has it of another type.
        """
        types = self._common_types(rows.schema)
        hashes, _ = self._hashing(_cast(rows, self._key.columns, types), self._key.columns)
        found = np.zeros(rows.num_rows, bool)
        if not asked.any():
            return found
        referenced = self._key.referenced
        with self._lock:
            values = rows[self._key.columns[0]].filter(pa.array(asked)).cast(types[0])
            assert self._rows is not None
            for there in self._rows.near(values):
                keys, whole = self._hashing(_cast(there, referenced, types), referenced)
                self._there.add(keys[whole])
            places = np.flatnonzero(asked)
            found[places] = ~self._there.contains(hashes[places])
        return found

    def keep(self, _hashes: np.ndarray) -> None:
        """Nothing: the keys are another table's."""

    def accept(self) -> None:
        """Nothing: the keys are another table's."""

    def _common_types(self, schema: pa.Schema) -> list[pa.DataType]:
        name = self._key.references
        if self._rows is None:
            raise UnfitRuleError(f"there is no table {name}")
        missing = [column for column in self._key.referenced if column not in self._rows.names]
        if missing:
            own = ", ".join(column for column in self._rows.names if column[0] != "_")
            raise UnfitRuleError(
                f"{name} has no column {', '.join(missing)}; its columns are {own}"
            )
        types = []
        for column, other in zip(self._key.columns, self._key.referenced, strict=True):
            ours, theirs = schema.field(column).type, self._rows.type_of(other)
            common = _common_type(ours, theirs)
            if common is None:
                raise UnfitRuleError(
                    f"{column} is {format_type(ours)}, and {other} of {name} is "
                    f"{format_type(theirs)}"
                )
            types.append(common)
        return types


def _common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if one == other:
        return None if pt.is_nested(one) else one
    if pt.is_integer(one) and pt.is_integer(other):
        return pa.int64()
    if pt.is_floating(one) and pt.is_floating(other):
        return pa.float64()
    return None


def _cast(rows: pa.Table, columns: Sequence[str], types: Sequence[pa.DataType]) -> pa.Table:
    selected = rows.select(list(columns))
    return selected.cast(pa.schema(list(zip(columns, types, strict=True))))
