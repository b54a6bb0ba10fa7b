"""Objects of ingested files: which are due for `source.after_success`, and what was done with them.

What is recorded is about one content of a file. So a file that is uploaded again is due again, and
what was done with its older content says nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.files.finished_object import FinishedObject, ObjectState
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger.listing import uploaded_again
from ingest_assets.ledger.pattern import LEFT_OUT

FILE_WAIT = timedelta(minutes=10)
"""A file that could not be finished is looked at again after this."""


@dataclass(frozen=True)
class IngestedFile:
    """A file that is SUCCESS, and that no batch holds.

    `route` is its table as in `ledger.tables`, `batch_id` the batch that committed it. `is_whole`:
    its newest content is in that table alone, and its address is where the declaration looks now.
    """

    file_id: int
    content_id: int
    source: SourceFile
    route: str
    batch_id: str
    rows: int
    is_whole: bool


_INGESTED = """
    SELECT file_id, content_id, key, uri, size_bytes, etag, modified_at, route,
           committed_batch_id AS batch_id, rows,
           content_id = committed_content_id AND also_in = '{}' AND uri = :prefix || key AS is_whole
    FROM ingest.files
    WHERE ingestion = :ingestion AND status = 'SUCCESS' AND batch_id IS NULL AND rejected = 0
"""
_DUE = text(f"""
    (SELECT * FROM ({_INGESTED} AND source_retry_at IS NULL
        AND (source_content_id IS DISTINCT FROM content_id OR source_state = 'waiting')
        AND ingested_at <= now() - make_interval(days => :after_days)
        ORDER BY source_retry_at, ingested_at LIMIT :at_most) AS new)
    UNION ALL
    (SELECT * FROM ({_INGESTED} AND source_retry_at <= now()
        AND (source_content_id IS DISTINCT FROM content_id OR source_state = 'waiting')
        AND ingested_at <= now() - make_interval(days => :after_days)
        ORDER BY source_retry_at, ingested_at LIMIT :at_most) AS waiting)
    LIMIT :at_most
""")


def due(
    connection: Connection, ingestion: str, prefix: str, *, after_days: int, at_most: int
) -> list[IngestedFile]:
    """Files that came into the table so many days ago, the oldest first.

    Not those with rejected rows: they may be wanted again. Those that were to wait come last.
    """
    values = {"ingestion": ingestion, "prefix": prefix, "after_days": after_days}
    return [_ingested(row) for row in connection.execute(_DUE, {**values, "at_most": at_most})]


def is_still_due(connection: Connection, file: IngestedFile) -> bool:
    """The file is SUCCESS with the same content, and free: nobody wants it read again."""
    found = text("""
        SELECT status = 'SUCCESS' AND batch_id IS NULL AND content_id = :content_id
        FROM ingest.files WHERE file_id = :file_id
    """)
    values = {"file_id": file.file_id, "content_id": file.content_id}
    return bool(connection.execute(found, values).scalar())


def _ingested(row: Any) -> IngestedFile:
    source = SourceFile(row.key, row.uri, row.size_bytes, row.etag, row.modified_at)
    return IngestedFile(
        row.file_id, row.content_id, source, row.route, row.batch_id, row.rows, row.is_whole
    )


@dataclass(frozen=True)
class Interest:
    """What an ingestion has done so far with one of its files, at the etag that it knows.

    `ingested` is set when the rows are in its table by the ledger; `is_unwanted` when it is never
    to be read.
    """

    etag: str
    ingested: IngestedFile | None
    is_unwanted: bool


def interests(
    connection: Connection, ingestion: str, prefix: str, keys: Sequence[str]
) -> dict[str, Interest]:
    """By key, what the ingestion knows of the files; one that it has not found yet is missing."""
    values = {"ingestion": ingestion, "prefix": prefix, "keys": list(keys)}
    known = connection.execute(
        text("""
            SELECT key, etag, status = 'SKIPPED' AND batch_id IS NULL
                AND error_type IS DISTINCT FROM :pattern AS is_unwanted
            FROM ingest.files WHERE ingestion = :ingestion AND key = ANY(:keys)
        """),
        {**values, "pattern": LEFT_OUT},
    ).all()
    rows = connection.execute(text(f"{_INGESTED} AND key = ANY(:keys)"), values)
    ingested = {row.key: _ingested(row) for row in rows if row.is_whole}
    return {row.key: Interest(row.etag, ingested.get(row.key), row.is_unwanted) for row in known}


def record(connection: Connection, results: Sequence[tuple[IngestedFile, FinishedObject]]) -> None:
    """Each file has what became of its object; one that waits is due again after `FILE_WAIT`.

    A file that has newer content by now is not called gone: that object is there. Of two passes at
    once, the later finds nothing there any more: what the first did with this content stays.
    """
    connection.execute(
        text("""
            UPDATE ingest.files f SET
                source_content_id = r.content_id, source_state = r.state,
                source_moved_to = r.moved_to, source_moved_etag = r.moved_etag,
                gone_at = CASE WHEN r.state IN ('moved', 'deleted', 'gone')
                                    AND f.content_id = r.content_id
                               THEN coalesce(f.gone_at, now()) ELSE f.gone_at END,
                source_error = r.why, source_at = now(), source_retry_at = CASE
                    WHEN r.state = 'waiting' THEN now() + CAST(:wait AS interval) END
            FROM (
                SELECT r.* FROM unnest(
                    CAST(:file_ids AS bigint[]), CAST(:content_ids AS bigint[]),
                    CAST(:states AS text[]), CAST(:moved_to AS text[]),
                    CAST(:moved_etags AS text[]), CAST(:whys AS text[])
                ) AS r(file_id, content_id, state, moved_to, moved_etag, why)
                JOIN ingest.files l USING (file_id) ORDER BY l.key FOR NO KEY UPDATE OF l
            ) AS r
            WHERE f.file_id = r.file_id
              AND (r.state NOT IN ('gone', 'waiting')
                   OR f.source_content_id IS DISTINCT FROM r.content_id
                   OR f.source_state IN ('gone', 'waiting'))
        """),
        {
            "file_ids": [file.file_id for file, _ in results],
            "content_ids": [file.content_id for file, _ in results],
            "states": [done.state.value for _, done in results],
            "moved_to": [done.moved_to for _, done in results],
            "moved_etags": [done.moved_etag for _, done in results],
            "whys": [done.why for _, done in results],
            "wait": FILE_WAIT,
        },
    )


def note_returned(connection: Connection, ingestion: str, listed: Sequence[SourceFile]) -> None:
    """Listed objects that were uploaded again with the same bytes after they were finished are due.

    They bring no new content, so nothing else would look at them again. What was found gone is due
    whatever its time: somebody took its delete marker away, or mounted its folder again. Files that
    a batch holds are left for a later listing.
    """
    connection.execute(
        text(f"""
            UPDATE ingest.files f SET
                source_content_id = NULL, source_state = NULL, source_moved_to = NULL,
                source_moved_etag = NULL, source_error = NULL, source_at = NULL,
                source_retry_at = NULL, modified_at = back.modified_at, updated_at = now()
            FROM (
                SELECT f.file_id, l.modified_at
                FROM unnest(CAST(:keys AS text[]), CAST(:etags AS text[]),
                            CAST(:times AS timestamptz[])) AS l(key, etag, modified_at)
                JOIN ingest.files f ON f.ingestion = :ingestion AND f.key = l.key
                WHERE f.etag = l.etag AND f.batch_id IS NULL
                  AND f.source_content_id = f.content_id AND f.source_state <> 'waiting'
                  AND (f.source_state = 'gone' OR {uploaded_again("l")})
                ORDER BY f.key FOR NO KEY UPDATE OF f
            ) AS back
            WHERE f.file_id = back.file_id
        """),
        {
            "ingestion": ingestion,
            "keys": [file.key for file in listed],
            "etags": [file.etag for file in listed],
            "times": [file.modified_at for file in listed],
        },
    )


def finished_object(row: Any) -> FinishedObject | None:
    """What was done with the object of a row of `files`, at its newest content; or None."""
    if row.source_content_id != row.content_id or row.source_state == ObjectState.WAITING:
        return None
    return FinishedObject(ObjectState(row.source_state), row.source_moved_to, row.source_moved_etag)
