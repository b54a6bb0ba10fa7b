"""Where is a file, and why: the ledger asked by key, by state, or as a whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from ingest_assets.ledger.states import FileStatus

NEED_ATTENTION = (FileStatus.FAILED, FileStatus.DEAD_LETTER, FileStatus.PARKED)
"""The states that a person should look at."""


@dataclass(frozen=True)
class FileRow:
    """One file as people ask for it. `key` is the raw relative key.

    `source_…`: what `source.after_success` did with the object of this content, as in
    `files.finished_object`.
    `dead_letter_copy` and `dead_letter_report` are where its newest copy and report lie, whatever
    became of the file since; `dead_letter_error` is why they could not be made so far.
    `gone_at`: its object is not in the source since then, as far as listings and events tell.
    `there_since`: its content is there since, by the store's word or the ledger's, if earlier.
    `filtered`: so many rows of the committed content the transform left out; None: none is
    declared, or its rows are no rows of the file.
    `broken_rules`: the checks of the committed content that do not hold.
    `lost_contents`: so many earlier contents had rows that a rollback, or somebody, took for good.
    """

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
    there_since: datetime
    next_attempt_at: datetime | None
    ingested_at: datetime | None
    source_state: str | None
    source_moved_to: str | None
    source_error: str | None
    dead_letter_copy: str | None
    dead_letter_report: str | None
    dead_letter_error: str | None
    gone_at: datetime | None
    lost_contents: int
    retired_at: datetime | None
    filtered: int | None
    broken_rules: list[str]


@dataclass(frozen=True)
class KnownContent:
    """A file as the ledger has it now: its ids, its newest content, and the one in the table."""

    key: str
    uri: str
    file_id: int
    content_id: int
    committed_content_id: int | None
    etag: str
    status: str


_FILES = """
    SELECT f.key, f.status, f.rows, f.rescued, f.rejected, f.attempts, f.error_type, f.error,
           f.etag, f.committed_etag, f.schema_version, f.snapshot_id,
           coalesce(f.batch_id, f.committed_batch_id) AS batch_id,
           f.size_bytes, f.modified_at, least(f.modified_at, f.seen_at) AS there_since,
           f.next_attempt_at, f.ingested_at,
           CASE WHEN f.source_content_id = f.content_id THEN f.source_state END AS source_state,
           CASE WHEN f.source_content_id = f.content_id THEN f.source_moved_to END
               AS source_moved_to,
           CASE WHEN f.source_content_id = f.content_id THEN f.source_error END AS source_error,
           d.copy_uri AS dead_letter_copy, d.report_uri AS dead_letter_report,
           d.error AS dead_letter_error,
           f.gone_at, coalesce(lost.contents, 0) AS lost_contents, f.retired_at,
           CAST(done.detail->>'filtered' AS bigint) AS filtered,
           coalesce(
               jsonb_path_query_array(
                   done.detail, '$.quality.results[*] ? (@.outcome != "passed").name'),
               '[]') AS broken_rules
    FROM ingest.files f
    LEFT JOIN ingest.dead_letter_copies d USING (file_id)
    LEFT JOIN (SELECT c.file_id, count(*) AS contents
               FROM ingest.contents c JOIN ingest.files o USING (file_id)
               WHERE c.lost_at IS NOT NULL AND c.content_id <> o.content_id
               GROUP BY c.file_id) AS lost USING (file_id)
    LEFT JOIN ingest.attempts done
        ON (done.batch_id, done.file_id) = (f.committed_batch_id, f.file_id)
    WHERE f.ingestion = :ingestion {condition} ORDER BY f.key
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
        condition += " AND f.status = :status"
    if keys is not None:
        condition += " AND f.key = ANY(:keys)"
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


def contents(
    connection: Connection, ingestion: str, keys: Sequence[str]
) -> dict[str, KnownContent]:
    """The newest contents of the keys that the ledger knows, by key."""
    rows = connection.execute(
        text("""
            SELECT key, uri, file_id, content_id, committed_content_id, etag, status
            FROM ingest.files WHERE ingestion = :ingestion AND key = ANY(:keys)
        """),
        {"ingestion": ingestion, "keys": list(keys)},
    )
    return {row.key: KnownContent(**row._mapping) for row in rows}


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


def counts(
    connection: Connection, ingestion: str, statuses: Iterable[str] = tuple(FileStatus)
) -> dict[str, int]:
    """How many files there are in each of these states that has any.

    Costs what those files cost to count: a tick asks for `NEED_ATTENTION` alone.
    """
    rows = connection.execute(
        text("""
            SELECT status, count(*) AS files FROM ingest.files
            WHERE ingestion = :ingestion AND status = ANY(:statuses)
            GROUP BY status ORDER BY status
        """),
        {"ingestion": ingestion, "statuses": list(statuses)},
    )
    return {row.status: row.files for row in rows}
