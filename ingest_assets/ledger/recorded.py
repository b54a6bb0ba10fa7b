"""What the ledger says of an ingestion's files and batches, to be compared with everything else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_FILES_PER_FETCH = 10_000


@dataclass(frozen=True, slots=True)
class KeptContent:
    """Rows of an older content, and the route of their table; None: it is not known how many."""

    route: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file. `is_moving`: a batch waits for it or holds it, or it was written to since `since`.

    `held_by` is the state of the batch that has it, None for none, and for one that is unknown.
    `in_table` is the table of its committed batch as in `ledger.tables`, route. `kept` are older
    contents whose rows `append` left where they are. `is_asked`: a person asked for the newest
    content, whatever the mode. `is_moved`: `source.after_success` moved its object, which is read
    from there. `is_shown`: Dagster was told of that batch, and not only since `since`, and the
    partition is in the live window. `is_of_other_mode`: the write mode was another one at some time
    since rows of the file were first planned, so those of others may have overtaken them.
    """

    file_id: int
    key: str
    status: str
    content_id: int
    etag: str
    route: str
    also_in: list[str]
    batch_id: str | None
    held_by: str | None
    is_moving: bool
    discovered_at: datetime
    committed_content_id: int | None
    committed_batch_id: str | None
    kept: Mapping[int, KeptContent]
    in_table: str
    snapshot_id: int | None
    rows: int
    rejected: int
    is_asked: bool
    is_moved: bool
    is_shown: bool
    is_of_other_mode: bool = False


_FILES = text("""
    WITH kept AS (
        SELECT c.file_id, array_agg(c.content_id) AS content_ids, array_agg(w.route) AS routes,
               array_agg(coalesce(a.rows, old.rows)) AS rows, min(w.created_at) AS since
        FROM ingest.contents c
        JOIN ingest.files f ON f.file_id = c.file_id
        JOIN ingest.batches w ON w.batch_id = c.committed_batch_id
        LEFT JOIN ingest.attempts a
            ON (a.batch_id, a.file_id) = (c.committed_batch_id, c.file_id)
        LEFT JOIN ingest.attempts_archive old
            ON (old.batch_id, old.file_id) = (c.committed_batch_id, c.file_id)
        WHERE f.ingestion = :ingestion
          AND c.content_id <> coalesce(f.committed_content_id, f.content_id)
        GROUP BY c.file_id
    ), mode AS (
        SELECT max(at) AS changed_at FROM ingest.audit
        WHERE ingestion = :ingestion AND action = 'declaration' AND detail ? 'table.write_mode'
    )
    SELECT f.file_id, f.key, f.status, f.content_id, f.etag, f.route, f.also_in, f.batch_id,
           held.status AS held_by,
           coalesce(held.status IN ('PLANNED', 'PREPARED'), false) OR f.updated_at >= :since
               AS is_moving,
           f.discovered_at, f.committed_content_id, f.committed_batch_id,
           kept.content_ids AS kept_content_ids, kept.routes AS kept_routes,
           kept.rows AS kept_rows,
           coalesce(done.route, f.route) AS in_table, f.snapshot_id,
           coalesce(f.rows, 0) AS rows, coalesce(f.rejected, 0) AS rejected,
           f.asked_content_id IS NOT DISTINCT FROM f.content_id AS is_asked,
           f.source_content_id IS NOT DISTINCT FROM f.content_id
               AND coalesce(f.source_state = 'moved', false) AS is_moved,
           f.retired_at IS NULL AND coalesce(done.reported_at < :since, false) AS is_shown,
           coalesce(least(done.created_at, kept.since) < mode.changed_at, false)
               AS is_of_other_mode
    FROM ingest.files f
    LEFT JOIN ingest.batches held ON held.batch_id = f.batch_id
    LEFT JOIN ingest.batches done ON done.batch_id = f.committed_batch_id
    LEFT JOIN kept ON kept.file_id = f.file_id
    CROSS JOIN mode
    WHERE f.ingestion = :ingestion ORDER BY f.file_id
""")


def now(connection: Connection) -> datetime:
    """What Postgres's clock says."""
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def files(connection: Connection, ingestion: str, since: datetime) -> Iterator[RecordedFile]:
    """Every file of the ingestion in the order of their ids, some thousands in memory at a time.

    What was read of the table after `since` holds for each file that is not moving: the batch of
    one that came or went meanwhile has it still, or has written to its row.
    """
    streamed = connection.execution_options(yield_per=_FILES_PER_FETCH)
    for row in streamed.execute(_FILES, {"ingestion": ingestion, "since": since}):
        values = dict(row._mapping)
        content_ids = values.pop("kept_content_ids") or ()
        contents = map(KeptContent, values.pop("kept_routes") or (), values.pop("kept_rows") or ())
        yield RecordedFile(**values, kept=dict(zip(content_ids, contents, strict=True)))


def batch_statuses(connection: Connection, batch_ids: Sequence[str]) -> dict[str, str]:
    """The states of those of the batches that the ledger knows."""
    rows = connection.execute(
        text("SELECT batch_id, status FROM ingest.batches WHERE batch_id = ANY(:batch_ids)"),
        {"batch_ids": list(batch_ids)},
    )
    return {row.batch_id: row.status for row in rows}


def lapsed_batches(connection: Connection, ingestion: str) -> dict[str, datetime]:
    """The PREPARED batches whose lease ran out, and when it did."""
    rows = connection.execute(
        text("""
            SELECT batch_id, lease_expires_at FROM ingest.batches
            WHERE ingestion = :ingestion AND status = 'PREPARED' AND lease_expires_at < now()
            ORDER BY created_at
        """),
        {"ingestion": ingestion},
    )
    return {row.batch_id: row.lease_expires_at for row in rows}


@dataclass(frozen=True, slots=True)
class KnownObject:
    """What the ledger knows of an object: its file, the newest etag, and since when it has that."""

    file_id: int
    etag: str
    seen_at: datetime
    committed_batch_id: str | None


def known_objects(
    connection: Connection, ingestion: str, keys: Sequence[str]
) -> dict[str, KnownObject]:
    """Those of the keys that the ledger has, by key."""
    rows = connection.execute(
        text("""
            SELECT key, file_id, etag, seen_at, committed_batch_id FROM ingest.files
            WHERE ingestion = :ingestion AND key = ANY(:keys)
        """),
        {"ingestion": ingestion, "keys": list(keys)},
    )
    return {
        row.key: KnownObject(row.file_id, row.etag, row.seen_at, row.committed_batch_id)
        for row in rows
    }


def owners(connection: Connection, file_ids: Sequence[int]) -> dict[int, str]:
    """The ingestions that have files of these ids."""
    rows = connection.execute(
        text("SELECT file_id, ingestion FROM ingest.files WHERE file_id = ANY(:file_ids)"),
        {"file_ids": list(file_ids)},
    )
    return {row.file_id: row.ingestion for row in rows}
