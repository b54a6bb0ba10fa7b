"""The SQL of a transform as duckdb parses it: one SELECT over `source`, and nothing else.

What is refused is refused from the text alone, before any file is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from ingest_assets.declaration.declared import did_you_mean
from ingest_assets.schema.names import column_name
from ingest_assets.transforms.errors import TransformDeclarationError
from ingest_assets.transforms.session import SOURCE, session

Node = dict[str, Any]

_ROW_FUNCTIONS = {"unnest", "generate_series", "range"}
_MOMENTS = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
_MOMENT_MACROS = {"ago"}
_TABLES = {"BASE_TABLE", "EXPRESSION_LIST", "EMPTY", "JOIN", "SUBQUERY", "TABLE_FUNCTION"}
_NOT_OF_ROWS = ("modifiers", "group_expressions", "having", "sample", "qualify")


@dataclass(frozen=True)
class Statement:
    """`is_plain`: each row of `source` makes one row of the result or none, as far as the text
    tells; duckdb's plan has the last word. `names` are the lower-case names of columns that are
    anywhere in it; `has_star` says that it takes all columns besides.
    """

    sql: str
    node: Node
    is_plain: bool
    names: frozenset[str]
    has_star: bool

    @property
    def result_names(self) -> frozenset[str] | None:
        """The columns of the result as the table names them; None where only files tell."""
        items = self.node.get("select_list")
        if items is None or any(_may_be_more(part) for part in parts(items)):
            return None
        named = (item["alias"] or (item.get("column_names") or [""])[-1] for item in items)
        return frozenset(column_name(name) for name in named if name)


def parse(sql: str) -> Statement:
    """The statement.

    Raises:
        TransformDeclarationError: it is not one SELECT over `source`, or takes more than that.
    """
    tree = session().tree(sql)
    if tree["error"]:
        is_other = tree["error_type"] == "not implemented"
        why = "it is another statement than SELECT" if is_other else tree["error_message"]
        raise _refused(sql, why, tree.get("position"))
    statements = tree["statements"]
    if len(statements) != 1:
        raise _refused(sql, f"it has {len(statements)} statements, and one SELECT is wanted")
    node = statements[0]["node"]
    nodes = list(parts(node))
    _check_tables(sql, nodes)
    for part in nodes:
        if part.get("class") in ("FUNCTION", "WINDOW"):
            _check_function(sql, part)
        if is_kind(part, "COLUMN_REF") and len(part["column_names"]) == 1:
            _check_moment(sql, part, part["column_names"][0])
        if is_kind(part, "PARAMETER"):
            raise _refused(sql, "it has a parameter, which nobody fills in", _place(part))
        if part.get("sample"):
            raise _refused(sql, "a sample is another one whenever the file is read again")
    names = {n.lower() for part in nodes for n in part.get("column_names", ())}
    names |= {n.lower() for part in nodes for n in part.get("exclude_list", ()) if type(n) is str}
    has_star = any(is_kind(part, "STAR") for part in nodes)
    return Statement(sql, node, _is_plain(node), frozenset(names), has_star)


def parts(tree: Any) -> Iterator[Node]:
    """Every object of the tree."""
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from parts(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from parts(child)


def _may_be_more(part: Node) -> bool:
    """It may make several columns."""
    return is_kind(part, "STAR") or part.get("function_name") == "unnest"


def is_kind(part: Node, kind: str) -> bool:
    """It is an expression of the class."""
    return part.get("class") == kind


def _refused(sql: str, why: str, position: object = None) -> TransformDeclarationError:
    where = ""
    if position is not None and int(str(position)) <= len(sql.encode()):
        before = sql.encode()[: int(str(position))].decode(errors="ignore")
        line = before.count("\n") + 1
        where = f"line {line}, column {len(before) - before.rfind(chr(10))}: "
    return TransformDeclarationError(
        f"{where}{why[0].lower()}{why[1:].rstrip('.')}. Write one SELECT over the file's rows, "
        "which are the table source, as in: select *, price * amount as total from source where "
        "amount > 0; or name a Python function as package.module:function"
    )


def _place(part: Node) -> object:
    return part.get("query_location")


def _check_tables(sql: str, nodes: list[Node]) -> None:
    """It reads `source`, and what it makes of that itself."""
    own = {entry["key"].lower() for part in nodes for entry in _map(part.get("cte_map"))}
    is_read = False
    for part in nodes:
        if "query_location" not in part or "class" in part or "sample" not in part:
            continue  # not a table
        kind = part.get("type")
        if kind not in _TABLES:
            raise _refused(sql, f"{str(kind).lower()} is no SELECT over source", _place(part))
        if kind == "TABLE_FUNCTION":
            name = part["function"]["function_name"].lower()
            if name not in _ROW_FUNCTIONS:
                raise _refused(
                    sql, f"the function {name} reads something else than the file", _place(part)
                )
        if kind == "BASE_TABLE":
            path = [name.lower() for name in part["qualified_name"]["path"]]
            if path == [SOURCE]:
                is_read = True
            elif len(path) != 1 or path[0] not in own:
                raise _refused(
                    sql,
                    f"{'.'.join(path)} is not the table source, and nothing else is there",
                    _place(part),
                )
    if not is_read:
        raise _refused(sql, "it does not read source")


def _map(cte_map: Any) -> list[Node]:
    return [] if not isinstance(cte_map, dict) else cte_map["map"]


@cache
def _functions() -> dict[str, set[tuple[str, str | None]]]:
    return session().functions()


def _check_function(sql: str, part: Node) -> None:
    name = part["function_name"].lower()
    kinds = _functions().get(name)
    if kinds is None:
        meant = did_you_mean(name, list(_functions()))
        raise _refused(sql, f"duckdb has no function {name}{meant}", _place(part))
    is_moment = name in _MOMENT_MACROS
    if name != "error" and (is_moment or any(s not in ("CONSISTENT", None) for _, s in kinds)):
        raise _changing(sql, part, name)


def _check_moment(sql: str, part: Node, name: str) -> None:
    if name.lower() in _MOMENTS:
        raise _changing(sql, part, f"{name} (if it is a column, write source.{name})")


def _changing(sql: str, part: Node, name: str) -> TransformDeclarationError:
    return _refused(
        sql,
        f"{name} may say something else whenever the file is read again; the column _ingested_at "
        "has the moment",
        _place(part),
    )


def _is_plain(node: Node) -> bool:
    source = node.get("from_table") or {}
    return (
        node["type"] == "SELECT_NODE"
        and source.get("type") == "BASE_TABLE"
        and not source.get("sample")
        and not source.get("column_name_alias")
        and not node["cte_map"]["map"]
        and node["aggregate_handling"] == "STANDARD_HANDLING"
        and not any(node[name] for name in _NOT_OF_ROWS)
        and not any(_takes_more_rows(part) for part in parts(node))
    )


def _takes_more_rows(part: Node) -> bool:
    if part.get("class") in ("SUBQUERY", "WINDOW"):
        return True
    if not is_kind(part, "FUNCTION"):
        return False
    kinds = {kind for kind, _ in _functions()[part["function_name"].lower()]}
    return not kinds <= {"scalar", "macro"}
