"""duckdb without files, network and settings of its own: what runs SQL over Arrow tables.

A connection takes 13 ms to open, so each thread keeps one. Nothing stays in it from one file to
the next but the name of what was asked last.
"""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ingest_assets.locked_duckdb import locked_duckdb

SOURCE = "source"
_BATCH_ROWS = 65_536


class Session:
    """One locked duckdb. `folder` is where it may put what exceeds its memory; none: nowhere."""

    def __init__(self, folder: str = "") -> None:
        self._connection = locked_duckdb("512MB", folder)

    def close(self) -> None:
        """Its memory is given back."""
        self._connection.close()

    def tree(self, sql: str) -> dict[str, Any]:
        """The parse tree, by https://duckdb.org/docs/stable/sql/functions/utility; or `error`."""
        found: dict[str, Any] = json.loads(self._rows("SELECT json_serialize_sql($1)", [sql])[0][0])
        return found

    def text(self, node: dict[str, Any]) -> str:
        """The SQL of a statement's node."""
        tree = {"error": False, "statements": [{"node": node, "named_param_map": []}]}
        found: str = self._rows("SELECT json_deserialize_sql($1)", [json.dumps(tree)])[0][0]
        return found

    def functions(self) -> dict[str, set[tuple[str, str | None]]]:
        """Kind and stability of every function, by its name."""
        rows = self._rows("SELECT function_name, function_type, stability FROM duckdb_functions()")
        found: dict[str, set[tuple[str, str | None]]] = {}
        for name, kind, stability in rows:
            found.setdefault(name.lower(), set()).add((kind, stability))
        return found

    def steps(self, sql: str, source: pa.Table) -> set[str]:
        """What duckdb would do, with all macros expanded and before it is optimized.

        Raises:
            duckdb.Error: the SQL does not go with the columns of `source`.
        """
        self._connection.register(SOURCE, source)
        plans = dict(self._rows(f"EXPLAIN (FORMAT JSON) {sql}"))
        return {name for node in json.loads(plans["logical_plan"]) for name in _names(node)}

    def types(self, sql: str, source: pa.Table) -> list[tuple[str, str]]:
        """Each column of the result with duckdb's name of its type; raises as `steps`."""
        self._connection.register(SOURCE, source)
        found = self._connection.sql(sql)
        return [(n, str(t)) for n, t in zip(found.columns, found.types, strict=True)]

    def run(self, sql: str, source: pa.Table | None = None) -> pa.Table:
        """The result, in memory; `source` None is what was inserted.

        Raises:
            duckdb.Error: it cannot be computed.
        """
        if source is None:
            return self._made(sql)
        self._connection.register(SOURCE, source)
        try:
            return self._made(sql)
        finally:
            self._connection.unregister(SOURCE)

    def _made(self, sql: str) -> pa.Table:
        found: pa.Table = self._connection.sql(sql).to_arrow_table()
        return found

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The result of SQL over what was inserted, piece by piece; raises as `run`."""
        yield from self._connection.sql(sql).to_arrow_reader(_BATCH_ROWS)

    def insert(self, rows: pa.Table, *, is_first: bool) -> None:
        """The rows are in the table `source`; raises as `run`."""
        self._connection.register("chunk", rows)
        if is_first:
            self._connection.execute(f"CREATE TABLE {SOURCE} AS SELECT * FROM chunk")
        else:
            self._connection.execute(f"INSERT INTO {SOURCE} SELECT * FROM chunk")
        self._connection.unregister("chunk")

    def _rows(self, query: str, parameters: list[str] | None = None) -> list[Any]:
        # All of them: duckdb 2 refuses a second statement before that.
        return self._connection.execute(query, parameters).fetchall()


def _names(node: dict[str, Any]) -> Iterator[str]:
    yield node["name"].strip()
    for child in node["children"]:
        yield from _names(child)


_of_thread = threading.local()


def session() -> Session:
    """The session of this thread."""
    found: Session | None = getattr(_of_thread, "session", None)
    if found is None:
        found = _of_thread.session = Session()
    return found
