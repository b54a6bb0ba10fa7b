"""Row locks on files, always taken in key order, so that no two transactions wait in a ring."""

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
