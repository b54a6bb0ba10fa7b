"""Former ingestions: what the ledger has of one goes under another name, and its own is free.

`orders~1` was `orders` before its table was dropped. No declaration can have such a name.
"""

from sqlalchemy import Connection, text

from ingest_assets.ledger import audit


def set_aside(connection: Connection, ingestion: str, actor: str, note: str) -> str:
    """The name under which the history of the ingestion is from now on; its own begins anew.

    Every table of the ledger that names ingestions is changed, whichever there are.
    """
    former = _free_name(connection, ingestion)
    values = {"former": former, "name": ingestion}
    tables = connection.execute(
        text("""
            SELECT c.table_name FROM information_schema.columns c
            JOIN information_schema.tables t USING (table_schema, table_name)
            WHERE c.table_schema = 'ingest' AND c.column_name = 'ingestion'
              AND t.table_type = 'BASE TABLE' ORDER BY c.table_name
        """)
    ).scalars()
    for table in list(tables):
        change = f"UPDATE ingest.{table} SET ingestion = :former WHERE ingestion = :name"
        connection.execute(text(change), values)
    change = "UPDATE ingest.ingestions SET name = :former WHERE name = :name"
    connection.execute(text(change), values)
    audit.note(connection, former, actor, "set_aside", {"was": ingestion, "note": note})
    return former


def is_former(name: str) -> bool:
    """The name is one that `set_aside` gave."""
    return "~" in name


def former_names(connection: Connection, ingestion: str) -> list[str]:
    """Under which names former ingestions of this name are, oldest first."""
    names = connection.execute(
        text("SELECT name FROM ingest.ingestions WHERE starts_with(name, :begin)"),
        {"begin": f"{ingestion}~"},
    ).scalars()
    return sorted(names, key=lambda name: int(name.rpartition("~")[2]))


def _free_name(connection: Connection, ingestion: str) -> str:
    return f"{ingestion}~{len(former_names(connection, ingestion)) + 1}"
