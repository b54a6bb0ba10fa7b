"""Row locks; those on files are taken in key order, so that no two transactions wait in a ring."""

from sqlalchemy import Connection, text


def lock_files_of(connection: Connection, batch_id: str) -> None:
    """The batch's file rows stay as they are now until the transaction ends.

    A listing may be writing a new content into one of them. A statement that met it half-way would
    judge the file by what it was before; the next statement after this call sees what it is.
    """
    connection.execute(
        text("""
            SELECT 1 FROM ingest.files WHERE batch_id = :batch_id
            ORDER BY key FOR NO KEY UPDATE
        """),
        {"batch_id": batch_id},
    )


def lock_ingestion(connection: Connection, ingestion: str) -> None:
    """Nobody else decides, declares or numbers a schema version before this transaction ends."""
    row = text("SELECT 1 FROM ingest.ingestions WHERE name = :name FOR NO KEY UPDATE")
    connection.execute(row, {"name": ingestion})
