"""An SQL expression over each row of a table, evaluated by duckdb without files and network.

What is refused: aggregates, window functions, subqueries, and whatever else makes of a row another
number of rows. The parse tree says that the text is one expression, and the plan that duckdb makes
of it, with all macros expanded, that nothing but a projection stands above the rows
(https://duckdb.org/docs/stable/sql/functions/utility, `json_serialize_sql`).
"""

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

from ingest_assets.decision_errors import ReshapeRefusedError
from ingest_assets.locked_duckdb import locked_duckdb

_ROW_BY_ROW = {"PROJECTION", "PYTHON_ARROW_SCAN"}
_NOT_EMPTY = ("modifiers", "where_clause", "group_expressions", "having", "sample", "qualify")


class RowExpression:
    """The expression, known to make one value of each row of `schema`; closed at the end."""

    def __init__(self, sql: str, schema: pa.Schema, column: str) -> None:
        """Ready to evaluate.

        Raises:
            ReshapeRefusedError: it is no such expression, or does not go with the columns.
        """
        self._column = column
        self._query = f"SELECT ({sql}\n) AS value FROM source"
        self._connection = locked_duckdb("512MB")
        try:
            self._check_tree()
            # Over no rows at all duckdb would plan no scan.
            self._connection.register("source", _one_row(schema))
            self._check_plan()
            self.type = self._run().type
        except duckdb.Error as error:
            self.close()
            raise self._refused(str(error).splitlines()[0]) from error
        except ReshapeRefusedError:
            self.close()
            raise

    def close(self) -> None:
        """The connection is closed."""
        self._connection.close()

    def evaluate(self, rows: pa.RecordBatch) -> pa.Array:
        """The value of each row, in their order.

        Raises:
            ReshapeRefusedError: duckdb cannot compute it for some row.
        """
        self._connection.register("source", pa.Table.from_batches([rows]))
        try:
            values = self._run()
        except duckdb.Error as error:
            raise self._refused(str(error).splitlines()[0]) from error
        if len(values) != rows.num_rows:
            raise self._refused("it does not make one value of each row")
        return values

    def _run(self) -> pa.Array:
        found = self._connection.sql(self._query).to_arrow_table()
        if found.num_columns != 1:
            raise self._refused("it makes more than one value of a row")
        chunks: pa.ChunkedArray = found.column(0)
        return pa.concat_arrays(chunks.chunks) if chunks.num_chunks else pa.nulls(0, chunks.type)

    def _rows(self, query: str, parameters: list[str] | None = None) -> list[Any]:
        # All of them: duckdb 2 refuses a second statement before that.
        return self._connection.execute(query, parameters).fetchall()

    def _check_tree(self) -> None:
        [(text,)] = self._rows("SELECT json_serialize_sql($1)", [self._query])
        tree = json.loads(text)
        if tree["error"]:
            raise self._refused(tree["error_message"])
        nodes = [statement["node"] for statement in tree["statements"]]
        if len(nodes) != 1 or not _is_plain_select(nodes[0]):
            raise self._refused("it is more than one expression")
        for kind in _kinds(nodes[0]["select_list"]):
            if kind in ("SUBQUERY", "WINDOW"):
                raise self._refused(f"it has a {kind.lower()}")

    def _check_plan(self) -> None:
        text = dict(self._rows(f"EXPLAIN (FORMAT JSON) {self._query}"))["physical_plan"]
        steps = [name for node in json.loads(text) for name in _steps(node)]
        if strange := set(steps) - _ROW_BY_ROW:
            raise self._refused(f"it needs more than one row ({', '.join(sorted(strange))})")

    def _refused(self, why: str) -> ReshapeRefusedError:
        return ReshapeRefusedError(
            f"The expression for {self._column} cannot be taken: {why}. Nothing was changed. Write "
            "one SQL expression over the columns of a row, such as coalesce(a, b).",
            self._column,
        )


def _one_row(schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays([pa.nulls(1, field.type) for field in schema], schema.names)


def _is_plain_select(node: dict[str, Any]) -> bool:
    source = node.get("from_table") or {}
    return (
        node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and source.get("type") == "BASE_TABLE"
        and source.get("table_name") == "source"
        and not source.get("sample")
        and not node["cte_map"]["map"]
        and not any(node[name] for name in _NOT_EMPTY)
    )


def _kinds(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("class"), str):
            yield tree["class"]
        for child in tree.values():
            yield from _kinds(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _kinds(child)


def _steps(node: dict[str, Any]) -> Iterator[str]:
    yield node["name"].strip()
    for child in node["children"]:
        yield from _steps(child)
