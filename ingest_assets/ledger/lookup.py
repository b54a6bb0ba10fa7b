"""Where is a file, and why: the ledger asked by key, by state, or as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class FileRow:
    """One file as people ask for it. `key` is the raw relative key."""

    key: str
    status: str
    rows: int | None
    rescued: int | None
    rejected: int | None
    attempts: int
    error_type: str | None
    error: str | None
    etag: str
    committed_etag: str | None
    schema_version: int | None
    snapshot_id: int | None
    batch_id: str | None
    size_bytes: int
    modified_at: datetime
    next_attempt_at: datetime | None
    ingested_at: datetime | None


_FILES = """
    SELECT key, status, rows, rescued, rejected, attempts, error_type, error, etag, committed_etag,
           schema_version, snapshot_id, coalesce(batch_id, committed_batch_id) AS batch_id,
           size_bytes, modified_at, next_attempt_at, ingested_at
    FROM ingest.files
    WHERE ingestion = :ingestion {condition} ORDER BY key
"""


def files(
    connection: Connection,
    ingestion: str,
    *,
    status: str | None = None,
    keys: Sequence[str] | None = None,
) -> list[FileRow]:
    """The files of the ingestion in key order, all or those of one status or of given keys."""
    condition = ""
    if status is not None:
        condition += " AND status = :status"
    if keys is not None:
        condition += " AND key = ANY(:keys)"
    rows = connection.execute(
        text(_FILES.format(condition=condition)),
        {"ingestion": ingestion, "status": status, "keys": list(keys or ())},
    )
    return [FileRow(**row._mapping) for row in rows]


def file_ids(connection: Connection, ingestion: str, keys: Sequence[str]) -> list[int]:
    """The `_file_id`s of the keys that the ledger knows."""
    rows = connection.execute(
        text("SELECT file_id FROM ingest.files WHERE ingestion = :ingestion AND key = ANY(:keys)"),
        {"ingestion": ingestion, "keys": list(keys)},
    )
    return [row.file_id for row in rows]


def routes(connection: Connection, file_ids: Sequence[int]) -> list[str]:
    """The tables that have the rows of these files, as in `ledger.tables`: route."""
    found = text("""
        SELECT DISTINCT route FROM ingest.files
        WHERE file_id = ANY(:file_ids) AND committed_content_id IS NOT NULL ORDER BY route
    """)
    return list(connection.execute(found, {"file_ids": list(file_ids)}).scalars())


def last_listed_at(connection: Connection, ingestion: str) -> datetime | None:
    """When a listing of the ingestion last came to its end; None if none has."""
    return connection.execute(
        text("SELECT last_listed_at FROM ingest.ingestions WHERE name = :ingestion"),
        {"ingestion": ingestion},
    ).scalar()


def counts(connection: Connection, ingestion: str) -> dict[str, int]:
    """How many files there are in each state that has any."""
    rows = connection.execute(
        text("""
            SELECT status, count(*) AS files FROM ingest.files
            WHERE ingestion = :ingestion GROUP BY status ORDER BY status
        """),
        {"ingestion": ingestion},
    )
    return {row.status: row.files for row in rows}
