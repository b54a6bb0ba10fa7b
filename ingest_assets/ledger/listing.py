"""What a listing saw, written into the ledger: new files, and new contents of known ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from ingest_assets.files.source_file import SourceFile


@dataclass(frozen=True)
class Seen:
    """How many files of a listing were new, had new content, or were not wanted (either kind)."""

    new: int = 0
    changed: int = 0
    skipped: int = 0

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(
            self.new + other.new, self.changed + other.changed, self.skipped + other.skipped
        )


_UNKNOWN = text("""
    SELECT l.key, f.file_id
    FROM unnest(CAST(:keys AS text[]), CAST(:etags AS text[]), CAST(:times AS timestamptz[]))
         AS l(key, etag, modified_at)
    LEFT JOIN ingest.files f ON f.ingestion = :ingestion AND f.key = l.key
    WHERE f.file_id IS NULL OR f.etag <> l.etag
       OR (f.status = 'DEAD_LETTER' AND f.modified_at < l.modified_at)
""")

_UPSERT = text("""
    INSERT INTO ingest.files AS f
        (ingestion, key, uri, status, content_id, etag, size_bytes, modified_at)
    SELECT :ingestion, l.key, l.uri, l.status, 0, l.etag, l.size_bytes, l.modified_at
    FROM unnest(CAST(:keys AS text[]), CAST(:uris AS text[]), CAST(:statuses AS text[]),
                CAST(:etags AS text[]), CAST(:sizes AS bigint[]), CAST(:times AS timestamptz[]))
         AS l(key, uri, status, etag, size_bytes, modified_at)
    ORDER BY l.key COLLATE "C"
    ON CONFLICT (ingestion, key) DO UPDATE SET
        uri = excluded.uri, etag = excluded.etag, size_bytes = excluded.size_bytes,
        modified_at = excluded.modified_at, updated_at = now(), attempts = 0, crashes = 0,
        next_attempt_at = NULL, error = NULL, error_type = NULL,
        status = CASE WHEN f.status = 'PROCESSING' THEN f.status ELSE excluded.status END
    WHERE f.etag <> excluded.etag
       OR (f.status = 'DEAD_LETTER' AND f.modified_at < excluded.modified_at)
    RETURNING f.file_id, f.etag, f.size_bytes, f.modified_at
""")

_CONTENTS = text("""
    WITH current AS (
        INSERT INTO ingest.contents AS c (file_id, etag, size_bytes, modified_at)
        SELECT l.file_id, l.etag, l.size_bytes, l.modified_at
        FROM unnest(CAST(:file_ids AS bigint[]), CAST(:etags AS text[]),
                    CAST(:sizes AS bigint[]), CAST(:times AS timestamptz[]))
             AS l(file_id, etag, size_bytes, modified_at)
        ON CONFLICT (file_id, etag) DO UPDATE SET modified_at = excluded.modified_at
        RETURNING c.file_id, c.content_id
    )
    UPDATE ingest.files f SET content_id = current.content_id
    FROM current WHERE f.file_id = current.file_id
""")


_ARRIVED = text("UPDATE ingest.ingestions SET last_arrival_at = now() WHERE name = :ingestion")


def record_listing(
    connection: Connection,
    ingestion: str,
    listed: Sequence[SourceFile],
    skipped_keys: frozenset[str] = frozenset(),
) -> Seen:
    """Each listed file is in the ledger with its newest content; known ones cost one index look.

    A file whose key is in `skipped_keys` becomes SKIPPED. A dead-letter that was uploaded again
    counts as changed even when it has the same bytes. A file that a batch is working on keeps
    its state and learns of its new content; the batch's end sends it round again. Calling twice
    with the same listing changes nothing.
    """
    columns = {
        "ingestion": ingestion,
        "keys": [file.key for file in listed],
        "etags": [file.etag for file in listed],
        "times": [file.modified_at for file in listed],
    }
    unknown = {row.key: row.file_id for row in connection.execute(_UNKNOWN, columns)}
    if not unknown:
        return Seen()
    news = [file for file in listed if file.key in unknown]
    written = connection.execute(
        _UPSERT,
        {
            "ingestion": ingestion,
            "keys": [file.key for file in news],
            "uris": [file.uri for file in news],
            "statuses": ["SKIPPED" if file.key in skipped_keys else "DISCOVERED" for file in news],
            "etags": [file.etag for file in news],
            "sizes": [file.size_bytes for file in news],
            "times": [file.modified_at for file in news],
        },
    ).all()
    connection.execute(
        _CONTENTS,
        {
            "file_ids": [row.file_id for row in written],
            "etags": [row.etag for row in written],
            "sizes": [row.size_bytes for row in written],
            "times": [row.modified_at for row in written],
        },
    )
    wanted = [file.key for file in news if file.key not in skipped_keys]
    if wanted:
        connection.execute(_ARRIVED, columns)
    changed = sum(unknown[key] is not None for key in wanted)
    return Seen(len(wanted) - changed, changed, len(news) - len(wanted))


@dataclass(frozen=True)
class Progress:
    """Where the listing of an ingestion stands.

    `first_since` is when the ingestion was first seen, until a listing has come to its end;
    `after` is the key that the last one, cut off by its time, had come to.
    """

    first_since: datetime | None
    after: str | None


def listing_progress(connection: Connection, ingestion: str) -> Progress:
    """Where the listing of the ingestion stands."""
    row = connection.execute(
        text("""
            SELECT CASE WHEN first_listed_at IS NULL THEN created_at END AS first_since,
                   listing_cursor
            FROM ingest.ingestions WHERE name = :name
        """),
        {"name": ingestion},
    ).one()
    return Progress(row.first_since, row.listing_cursor)


def pause_listing(connection: Connection, ingestion: str, after: str) -> None:
    """The next listing goes on after the key `after`."""
    connection.execute(
        text("UPDATE ingest.ingestions SET listing_cursor = :after WHERE name = :name"),
        {"name": ingestion, "after": after},
    )


def end_listing(connection: Connection, ingestion: str) -> None:
    """The ledger knows that a listing came to the end of the prefix; the next begins anew."""
    connection.execute(
        text("""
            UPDATE ingest.ingestions
            SET first_listed_at = coalesce(first_listed_at, now()), last_listed_at = now(),
                listing_cursor = NULL
            WHERE name = :name
        """),
        {"name": ingestion},
    )
