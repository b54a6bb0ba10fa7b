"""SQL that makes of each row one row or none: a filter, and then columns.

The filter is computed as a column of truth values, so it is known which rows of the file are left.
Columns that are taken over as they are never pass through duckdb: they are Arrow's own arrays, bit
for bit. What is computed is computed over the rows that are left, and over no others, as SQL asks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.schema.column import Column
from ingest_assets.transforms.errors import TransformError
from ingest_assets.transforms.made import (
    Made,
    MadeField,
    Source,
    SourceRows,
    as_columns,
    whole,
)
from ingest_assets.transforms.result_types import checked, said
from ingest_assets.transforms.session import SOURCE, session
from ingest_assets.transforms.statement import Node, Statement, is_kind, parts

_BY_ROW = {"PROJECTION", "FILTER", "PYTHON_ARROW_SCAN"}
_KEEP = "keep this row"
_NOT_PLAIN = ("expr", "replace_list", "rename_list", "qualified_exclude_list", "columns")


class NotRowWise(Exception):
    """duckdb's plan has more than a filter and columns; nothing is wrong."""


def plain_name(item: Node, statement: Statement) -> str | None:
    """The column that the item of the select list is, under whatever name; None for another."""
    if not is_kind(item, "COLUMN_REF"):
        return None
    *qualifier, name = (part.lower() for part in item["column_names"])
    return name if qualifier in ([], [_alias(statement)]) else None


def star_without(item: Node, statement: Statement) -> frozenset[str] | None:
    """What the item, which takes all columns as they are, leaves out; None for another item."""
    is_star = is_kind(item, "STAR") and not any(item[name] for name in _NOT_PLAIN)
    if not is_star or item["relation_name"].lower() not in ("", _alias(statement)):
        return None
    if any(type(name) is not str for name in item["exclude_list"]):
        return None
    return frozenset(name.lower() for name in item["exclude_list"])


def _alias(statement: Statement) -> str:
    return str(statement.node["from_table"]["alias"] or SOURCE).lower()


@dataclass(frozen=True)
class _Item:
    """An item of the select list: columns that are taken over (None: it has others).

    `count`: so many columns of the query are this item's.
    """

    taken: tuple[tuple[str, Column], ...] | None
    count: int


class RowWise:
    """The statement for files of one shape."""

    def __init__(self, statement: Statement, source: Source) -> None:
        """Ready to run.

        Raises:
            NotRowWise: duckdb computes it otherwise than row by row.
            TransformError: it does not go with the columns.
        """
        self._statement, self._source = statement, source
        self._items: list[_Item] = []
        self._queried: list[Node] = []
        self._projection = ""
        self._filter: str | None = None
        all_columns = {column.name: column for column in (*source.present, *source.absent)}
        one_row = as_columns(pa.table({}), list(all_columns.values()), 1)
        try:
            if session().steps(statement.sql, one_row) - _BY_ROW:
                raise NotRowWise
            self._split(all_columns)
            self._types: list[tuple[str, pa.DataType]] = []
            if self._queried:
                found = session().types(self._projection, one_row)
                self._types = checked(found, session().run(self._projection, one_row).schema)
        except duckdb.Error as error:
            raise said(error, source) from error
        self._items = list(self._counted())
        self._fields = list(self._made_fields())
        self._columns = self._needed(all_columns)

    def _split(self, known: dict[str, Column]) -> None:
        """Which items are taken over, and the queries for the others and the filter."""
        node, statement = self._statement.node, self._statement
        present = {column.name: column for column in self._source.present}
        self._items, self._queried = [], []
        for item in node["select_list"]:
            left_out = star_without(item, statement)
            name = plain_name(item, statement)
            if left_out is not None:
                taken = tuple((n, c) for n, c in present.items() if n not in left_out)
                self._items.append(_Item(taken, 0))
            elif name is not None and name in known:
                column = present.get(name)
                taken = () if column is None else ((item["alias"] or name, column),)
                if item["alias"]:  # other items may name it
                    self._queried.append(item)
                self._items.append(_Item(taken, count=1 if item["alias"] else 0))
            else:
                self._queried.append(item)
                several = any(is_kind(part, "STAR") for part in parts(item))
                self._items.append(_Item(None, -1 if several else 1))
        rest = {**node, "where_clause": None, "select_list": self._queried}
        if self._queried:
            self._projection = session().text(rest)
        if node["where_clause"] is not None:
            keep = {**node["where_clause"], "alias": _KEEP}
            inner = session().text({**rest, "select_list": [*self._queried, keep]})
            self._filter = f'SELECT coalesce(CAST("{_KEEP}" AS BOOLEAN), false) FROM ({inner})'

    def _needed(self, known: dict[str, Column]) -> list[Column]:
        """The columns that duckdb is given."""
        node = self._statement.node
        named = [*self._queried, node["where_clause"]]
        if any(is_kind(part, "STAR") for part in parts(named)):
            return list(known.values())
        names = {n.lower() for part in parts(named) for n in part.get("column_names", ())}
        found = [column for name, column in known.items() if name in names]
        lost = sorted(self._source.lost & {column.name for column in found} - self._taken_names())
        if lost:
            raise TransformError(
                f"the file has no {' and no '.join(lost)}, which every file had when the source "
                "was first seen and which the transform computes with. If a file may lack it, "
                "declare schema.optional_columns or on_missing_column: allow"
            )
        return found or list(known.values())[:1]

    def _taken_names(self) -> set[str]:
        """Columns that are only taken over, under another name: then the table's rules judge."""
        others = [i for i in self._queried if plain_name(i, self._statement) is None]
        computed = parts([*others, self._statement.node["where_clause"]])
        used = {n.lower() for part in computed for n in part.get("column_names", ())}
        return {plain_name(i, self._statement) or "" for i in self._queried} - used

    def _counted(self) -> Iterator[_Item]:
        """The items, also one that takes several columns with the number of its own."""
        if [item.count for item in self._items].count(-1) > 1:
            raise NotRowWise  # which of them has which columns is not told
        several = len(self._types) - sum(item.count for item in self._items if item.count > 0)
        for item in self._items:
            yield item if item.count >= 0 else _Item(None, several)

    def fields(self, rows: Callable[[], Iterator[SourceRows]]) -> Sequence[MadeField]:
        """The columns of the result, which the source's types tell."""
        return self._fields

    def _made_fields(self) -> Iterator[MadeField]:
        computed = iter(self._types)
        for item in self._items:
            own = [next(computed) for _ in range(item.count)]
            if item.taken is None:
                yield from (MadeField(name, type_) for name, type_ in own)
            else:
                yield from (MadeField(name, column.type, column) for name, column in item.taken)

    def run(self, rows: Iterator[SourceRows]) -> Iterator[Made]:
        """The result of each piece."""
        for piece in rows:
            if len(piece.numbers):
                yield self.of(piece)

    def of(self, piece: SourceRows) -> Made:
        """The result of these rows; raises as `run`."""
        count = len(piece.numbers)
        kept = self._kept(piece)
        columns, numbers, rescued = piece.columns, piece.numbers, piece.rescued
        if kept is not None and len(kept) < count:
            columns, numbers = columns.take(kept), numbers.take(kept)
            rescued = rescued.take(kept)
        arrays = self._arrays(columns, numbers)
        left = len(numbers)
        return Made(self._fields, arrays, numbers, rescued, count, count - left)

    def _kept(self, piece: SourceRows) -> pa.Array | None:
        if self._filter is None:
            return None
        found = self._computed(self._filter, piece.columns, piece.numbers)
        return pc.indices_nonzero(found.column(0))

    def _arrays(self, columns: pa.Table, numbers: pa.Array) -> list[pa.Array]:
        computed: Iterator[pa.Array] = iter(())
        if self._queried and len(numbers):
            found = self._computed(self._projection, columns, numbers)
            computed = iter([whole(column) for column in found.columns])
        elif self._queried:
            computed = iter([pa.nulls(0, type_) for _, type_ in self._types])
        arrays: list[pa.Array] = []
        for item in self._items:
            own = [next(computed) for _ in range(item.count)]
            taken = item.taken
            arrays += own if taken is None else [whole(columns.column(c.name)) for _, c in taken]
        return arrays

    def _computed(self, sql: str, columns: pa.Table, numbers: pa.Array) -> pa.Table:
        given = as_columns(columns, self._columns, len(numbers))
        try:
            found = session().run(sql, given)
        except duckdb.Error as error:
            number = numbers[self._first_bad(sql, given)].as_py()
            raise said(error, self._source, f"row {number}") from error
        if found.num_rows != given.num_rows:
            raise RuntimeError(f"{sql} made {found.num_rows} rows of {given.num_rows}")
        return found

    @staticmethod
    def _first_bad(sql: str, given: pa.Table) -> int:
        """The first row for which the query fails, by halves."""
        start, count = 0, given.num_rows
        while count > 1:
            half = count // 2
            try:
                session().run(sql, given.slice(start, half))
            except duckdb.Error:
                count = half
            else:
                start, count = start + half, count - half
        return start
