"""What a listing saw, written into the ledger: new files, and new contents of known ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger import gone_files


@dataclass(frozen=True)
class Seen:
    """How many files of a listing were new, had new content, or were not wanted (either kind).

    `ignored` have new content that `source.on_changed_file` leaves unread; `gone` were not there.
    `overtaken` are the keys of which the ledger has learnt more since they were looked at.
    """

    new: int = 0
    changed: int = 0
    skipped: int = 0
    ignored: int = 0
    gone: int = 0
    overtaken: frozenset[str] = frozenset()

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(
            self.new + other.new,
            self.changed + other.changed,
            self.skipped + other.skipped,
            self.ignored + other.ignored,
            self.gone + other.gone,
            self.overtaken | other.overtaken,
        )


def uploaded_again(told: str) -> str:
    """As SQL: `told`, the alias of a row, tells of a later upload than `f`, the file, knows of.

    A file that was looked at by itself has its time to the second. A listing that tells the same
    time more exactly has found no other upload.
    """
    return (
        f"(f.modified_at < {told}.modified_at"
        f" AND f.modified_at <> date_trunc('second', {told}.modified_at))"
    )


_UNKNOWN = text(f"""
    SELECT * FROM (
        SELECT l.key, f.file_id, f.gone_at IS NOT NULL AS is_back,
               f.file_id IS NULL OR f.etag <> l.etag
               OR (f.status = 'DEAD_LETTER' AND {uploaded_again("l")}) AS is_news
        FROM unnest(CAST(:keys AS text[]), CAST(:etags AS text[]), CAST(:times AS timestamptz[]))
             AS l(key, etag, modified_at)
        LEFT JOIN ingest.files f ON f.ingestion = :ingestion AND f.key = l.key
    ) AS told WHERE is_news OR is_back
""")

_UPSERT = text(f"""
    INSERT INTO ingest.files AS f
        (ingestion, key, uri, status, content_id, etag, size_bytes, modified_at)
    SELECT :ingestion, l.key, l.uri, l.status, 0, l.etag, l.size_bytes, l.modified_at
    FROM unnest(CAST(:keys AS text[]), CAST(:uris AS text[]), CAST(:statuses AS text[]),
                CAST(:etags AS text[]), CAST(:sizes AS bigint[]), CAST(:times AS timestamptz[]))
         AS l(key, uri, status, etag, size_bytes, modified_at)
    ORDER BY l.key COLLATE "C"
    ON CONFLICT (ingestion, key) DO UPDATE SET
        uri = excluded.uri, etag = excluded.etag, size_bytes = excluded.size_bytes,
        modified_at = excluded.modified_at, updated_at = now(), seen_at = now(),
        attempts = 0, crashes = 0, next_attempt_at = NULL, error = NULL, error_type = NULL,
        status = CASE WHEN f.status = 'PROCESSING' THEN f.status
                      WHEN f.status = 'SUCCESS' AND f.committed_content_id IS NOT NULL AND (
                          SELECT on_changed_file = 'ignore' FROM ingest.ingestions
                          WHERE name = :ingestion) THEN f.status
                      ELSE excluded.status END
    WHERE (f.etag <> excluded.etag
           OR (f.status = 'DEAD_LETTER' AND {uploaded_again("excluded")}))
      AND (CAST(:looked_at AS timestamptz) IS NULL OR f.seen_at <= :looked_at)
    RETURNING f.file_id, f.key, f.status, f.etag, f.size_bytes, f.modified_at
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


def record_listing(
    connection: Connection,
    ingestion: str,
    listed: Sequence[SourceFile],
    skipped_keys: frozenset[str] = frozenset(),
    looked_at: datetime | None = None,
) -> Seen:
    """Each listed file is in the ledger with its newest content; known ones cost one index look.

    A file whose key is in `skipped_keys` becomes SKIPPED. A dead-letter that was uploaded again
    counts as changed even when it has the same bytes. A file that a batch is working on keeps
    its state and learns of its new content; the batch's end sends it round again. Where changed
    files are ignored, one that is SUCCESS stays so. A file that was gone is back. Calling twice
    with the same listing changes nothing.

    With `looked_at`, on Postgres's clock, a file whose content was recorded since then keeps that
    one: it may be the newer of the two.
    """
    columns = {
        "ingestion": ingestion,
        "keys": [file.key for file in listed],
        "etags": [file.etag for file in listed],
        "times": [file.modified_at for file in listed],
    }
    found = connection.execute(_UNKNOWN, columns).all()
    if any(row.is_back for row in found):
        gone_files.note_back(connection, ingestion, [row.key for row in found], looked_at)
    unknown = {row.key: row.file_id for row in found if row.is_news}
    if not unknown:
        return Seen()
    news = [file for file in listed if file.key in unknown]
    statuses = ["SKIPPED" if file.key in skipped_keys else "DISCOVERED" for file in news]
    written = _write(connection, ingestion, news, statuses, looked_at)
    ignored = list(written.values()).count("SUCCESS")
    wanted = [key for key in written if key not in skipped_keys]
    changed = sum(unknown[key] is not None for key in wanted)
    skipped = len(written) - len(wanted)
    overtaken = frozenset(unknown).difference(written) if looked_at else frozenset[str]()
    return Seen(len(wanted) - changed, changed - ignored, skipped, ignored, overtaken=overtaken)


def note_arrival(connection: Connection, ingestion: str, seen: Seen) -> None:
    """The ledger knows when files, or new contents of files, came last.

    To be said after all that is said of files: a batch's end locks its files and then the
    ingestion, so nobody may do it the other way round.
    """
    if seen.new + seen.changed + seen.ignored:
        connection.execute(
            text("UPDATE ingest.ingestions SET last_arrival_at = now() WHERE name = :name"),
            {"name": ingestion},
        )


def _write(
    connection: Connection,
    ingestion: str,
    news: Sequence[SourceFile],
    statuses: Sequence[str],
    looked_at: datetime | None,
) -> dict[str, str]:
    """The files are in the ledger with these contents; by key, the statuses that they have now."""
    written = connection.execute(
        _UPSERT,
        {
            "ingestion": ingestion,
            "keys": [file.key for file in news],
            "uris": [file.uri for file in news],
            "statuses": list(statuses),
            "etags": [file.etag for file in news],
            "sizes": [file.size_bytes for file in news],
            "times": [file.modified_at for file in news],
            "looked_at": looked_at,
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
    return {row.key: row.status for row in written}
