"""SQL over rows where they are: expressions that hold for a row or do not, and hashes of keys.

duckdb reads the Arrow data in place.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from ingest_assets.locked_duckdb import locked_duckdb, quoted
from ingest_assets.quality.typed_values import UnfitRuleError

_SOURCE = "source"


class Expressions:
    """One locked database; several threads may ask it, one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database: duckdb.DuckDBPyConnection | None = None

    def _opened(self) -> duckdb.DuckDBPyConnection:
        if self._database is None:
            self._database = locked_duckdb("256MB")
        return self._database

    @contextmanager
    def _over(self, rows: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._lock:
            database = self._opened()
            database.register(_SOURCE, rows)
            try:
                yield database
            finally:
                database.unregister(_SOURCE)

    def check(self, expression: str, schema: pa.Schema) -> None:
        """Nothing, if the expression says of each row of the schema by itself whether it holds.

        Raises:
            UnfitRuleError: it names no such column, is not a claim, or is about several rows.
        """
        with self._over(schema.empty_table()) as database:
            try:
                source = database.table(_SOURCE)
                columns = ", ".join(
                    f"{quoted(name)} {type_}"
                    for name, type_ in zip(source.columns, source.types, strict=True)
                )
                # A CHECK has no subqueries, aggregates or windows, and neither has a rule.
                database.execute(
                    f"CREATE OR REPLACE TEMP TABLE probe ({columns}, CHECK (\n{expression}\n))"
                )
                (type_,) = database.sql(f"SELECT (\n{expression}\n) FROM {_SOURCE}").types
            except duckdb.Error as error:
                there = ", ".join(name for name in schema.names if not name.startswith("_"))
                raise UnfitRuleError(
                    f"{_first_line(error)}; the columns are {there or 'none'}"
                ) from error
        if str(type_) != "BOOLEAN":
            raise UnfitRuleError(f"it is a {type_}, and neither true nor false")

    def parse(self, expression: str) -> None:
        """Nothing, if it is one expression of SQL; which columns there are is not asked.

        Raises:
            UnfitRuleError: it is none.
        """
        with self._lock:
            try:
                statements = self._opened().extract_statements(f"SELECT (\n{expression}\n)")
            except duckdb.Error as error:
                raise UnfitRuleError(_first_line(error)) from error
        if len(statements) != 1:
            raise UnfitRuleError("it is more than one expression")

    def masks(self, expressions: Sequence[str], rows: pa.Table) -> list[pa.ChunkedArray]:
        """Of each expression, which have passed `check`, true where it does not hold.

        As a CHECK of a table it holds where it is null.

        Raises:
            UnfitRuleError: one of them cannot be computed for a row.
        """
        asked = ", ".join(
            f"coalesce(NOT (\n{expression}\n), false) AS c{number}"
            for number, expression in enumerate(expressions)
        )
        with self._over(rows) as database:
            try:
                found = database.sql(f"SELECT {asked} FROM {_SOURCE}").to_arrow_table()
            except duckdb.Error as error:
                raise UnfitRuleError(_first_line(error)) from error
        return list(found.columns)

    def hashes(self, rows: pa.Table, columns: Sequence[str]) -> np.ndarray:
        """64 bits of each row's values in the columns (uint64).

        A value has the same ones in every type that Iceberg promotes its type to; duckdb hashes -1
        as `integer` otherwise than as `bigint`.
        """
        asked = ", ".join(_widest(quoted(name), rows.schema.field(name).type) for name in columns)
        with self._over(rows.select(list(columns))) as database:
            found = database.sql(f"SELECT hash({asked}) AS h FROM {_SOURCE}").to_arrow_table()
        hashes: np.ndarray = found["h"].to_numpy()
        return hashes


def _widest(column: str, type_: pa.DataType) -> str:
    if pt.is_integer(type_):
        return f"{column}::BIGINT"
    if pt.is_floating(type_):
        return f"{column}::DOUBLE"
    if pt.is_decimal(type_):
        return f"{column}::DECIMAL(38, {type_.scale})"
    return column


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].removesuffix("!").removesuffix(".")
