"""duckdb for rows at hand: in memory, on one thread, and locked.

It reaches no file, no network and no variable of this program, and loads no extension; what a
declaration has of SQL cannot change that (https://duckdb.org/docs/stable/operations_manual/securing_duckdb).
"""

import duckdb

_ALWAYS: dict[str, str | bool] = {
    "TimeZone": "UTC",
    "explain_output": "all",
    # Else SQL could name the variables of this program as tables.
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "enable_external_access": False,
    "lock_configuration": True,
}


def locked_duckdb(
    memory_limit: str, folder: str = "", *, keeps_order: bool = True
) -> duckdb.DuckDBPyConnection:
    """A database of its own, to be closed; opening takes about 20 ms.

    `folder` is where it may put what exceeds `memory_limit`, as in 256MB; none: nowhere.
    `keeps_order`: a result has its rows in the order in which they were given.
    """
    connection = duckdb.connect()
    connection.execute("LOAD icu")  # is part of the wheel, and has the time zones
    settings = {
        "threads": 1,
        "memory_limit": memory_limit,
        "temp_directory": folder,
        "preserve_insertion_order": keeps_order,
        **_ALWAYS,
    }
    for name, value in settings.items():
        text = value.replace("'", "''") if isinstance(value, str) else value
        connection.execute(f"SET {name} = '{text}'")
    return connection


def quoted(name: str) -> str:
    """The name of a column as SQL has it."""
    return '"' + name.replace('"', '""') + '"'
