"""Planning: files that wait, or that a person asks for, are set aside in batches."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, text

from ingest_assets.ledger.leases import Holder
from ingest_assets.ledger.standing import may_plan

Origin = Literal["sensor", "schedule", "command", "person"]

SETTLED = "least(modified_at, seen_at) + CAST(:settle AS interval) <= now()"
"""As SQL: the file's content has been there for `settle`, by the store's word or the ledger's."""

CRASHES_BEFORE_ALONE = 2
"""A file that was in so many batches whose worker died is planned in a batch of its own."""


@dataclass(frozen=True)
class PlannedBatch:
    """Files that wait for a run: their keys in the order in which they will be judged.

    `run_id` is the run that planned them for itself; None when a run is still to be asked for.
    `route` is the table that they go into, as in `ledger.tables`.
    """

    batch_id: str
    keys: tuple[str, ...]
    created_at: datetime
    run_id: str | None = None
    route: str = ""


def plan(
    connection: Connection,
    ingestion: str,
    *,
    max_files: int,
    max_bytes: int,
    origin: Origin,
    without: Sequence[str] = (),
    settle: timedelta = timedelta(0),
) -> PlannedBatch | None:
    """The next files in the order `(modified_at, key)` belong to a new PLANNED batch.

    Takes DISCOVERED files and FAILED ones whose backoff has passed, as many as `max_files` and
    `max_bytes` (compressed) allow but at least one; None when there is none. Rows that another
    planner holds are passed over, so two planners never take one file; so are files of the tables
    `without`, and those whose content is not `settle` old. None of an ingestion that is paused.
    """
    if not may_plan(connection, ingestion, is_person=False):
        return None
    rows = connection.execute(
        text(f"""
            SELECT file_id, content_id, key, size_bytes, crashes,
                   coalesce(also_in[1], route) AS route
            FROM ingest.files
            WHERE ingestion = :ingestion AND batch_id IS NULL
              AND status IN ('DISCOVERED', 'FAILED')
              AND (next_attempt_at IS NULL OR next_attempt_at <= now())
              AND coalesce(also_in[1], route) <> ALL(:without) AND {SETTLED}
            ORDER BY modified_at, key LIMIT :max_files
            FOR NO KEY UPDATE SKIP LOCKED
        """),
        {
            "ingestion": ingestion,
            "max_files": max_files,
            "without": list(without),
            "settle": settle,
        },
    ).all()
    return _insert(connection, ingestion, origin, _first_batch(rows, max_bytes)) if rows else None


def _first_batch(rows: Sequence[Any], max_bytes: int) -> list[Any]:
    """As many of the rows as fit, one at least; one whose worker died too often is by itself.

    All of them are of one table, the first one's.
    """
    taken, left_bytes = list[Any](), max_bytes
    for row in rows:
        if row.route != rows[0].route:
            continue
        is_alone = row.crashes >= CRASHES_BEFORE_ALONE
        left_bytes -= row.size_bytes
        if taken and (is_alone or left_bytes < 0):
            break
        taken.append(row)
        if is_alone:
            break
    return taken


def settling(connection: Connection, ingestion: str, settle: timedelta) -> int:
    """How many files wait for nothing but that their content is `settle` old."""
    if not settle:
        return 0
    waiting = text(f"""
        SELECT count(*) FROM ingest.files
        WHERE ingestion = :ingestion AND batch_id IS NULL AND status IN ('DISCOVERED', 'FAILED')
          AND (next_attempt_at IS NULL OR next_attempt_at <= now()) AND NOT ({SETTLED})
    """)
    values = {"ingestion": ingestion, "settle": settle}
    return int(connection.execute(waiting, values).scalar_one())


def plan_keys(
    connection: Connection,
    ingestion: str,
    keys: Sequence[str],
    *,
    max_files: int,
    max_bytes: int,
    run_id: str,
    holder: Holder,
) -> list[PlannedBatch]:
    """The asked-for files, whatever their state, belong to PLANNED batches of this run, in order.

    The batches are as large as those of `plan`. Files that another batch holds, and keys that the
    ledger does not know, are left out. `holder` is the process that will claim the batches, one
    after the other. None of an ingestion that is deleted.
    """
    if not may_plan(connection, ingestion, is_person=True):
        return []
    rows = connection.execute(
        text("""
            SELECT file_id, content_id, key, size_bytes, crashes, modified_at,
                   coalesce(also_in[1], route) AS route
            FROM ingest.files
            WHERE ingestion = :ingestion AND key = ANY(:keys) AND batch_id IS NULL
            ORDER BY key FOR NO KEY UPDATE
        """),
        {"ingestion": ingestion, "keys": list(keys)},
    ).all()
    waiting, planned = sorted(rows, key=_table_and_arrival), list[PlannedBatch]()
    while waiting:
        taken = _first_batch(waiting[:max_files], max_bytes)
        planned.append(_insert(connection, ingestion, "person", taken, run_id, holder))
        waiting = waiting[len(taken) :]
    return planned


def _insert(
    connection: Connection,
    ingestion: str,
    origin: Origin,
    rows: Sequence[Any],
    run_id: str | None = None,
    holder: Holder | None = None,
) -> PlannedBatch:
    """A new PLANNED batch of these rows (file_id, content_id, key), which now belong to it."""
    batch_id = uuid.uuid4().hex
    insert = text("""
        INSERT INTO ingest.batches
            (batch_id, ingestion, status, origin, route, run_id, holder, created_at)
        VALUES (:batch_id, :ingestion, 'PLANNED', :origin, :route, :run_id,
                CAST(:holder AS jsonb), clock_timestamp())
        RETURNING created_at
    """)
    created_at = connection.execute(
        insert,
        {
            "batch_id": batch_id,
            "ingestion": ingestion,
            "origin": origin,
            "route": rows[0].route,
            "run_id": run_id,
            "holder": holder.as_json() if holder else None,
        },
    ).scalar_one()
    files = {"batch_id": batch_id, "file_ids": [row.file_id for row in rows]}
    connection.execute(
        text("""
            INSERT INTO ingest.attempts (batch_id, file_id, content_id, position)
            SELECT :batch_id, f.file_id, f.content_id, f.position
            FROM unnest(CAST(:file_ids AS bigint[]), CAST(:content_ids AS bigint[]))
                 WITH ORDINALITY AS f(file_id, content_id, position)
        """),
        {**files, "content_ids": [row.content_id for row in rows]},
    )
    connection.execute(
        text("""
            UPDATE ingest.files SET batch_id = :batch_id, retired_at = NULL, updated_at = now()
            WHERE file_id = ANY(:file_ids)
        """),
        files,
    )
    keys = tuple(row.key for row in rows)
    return PlannedBatch(batch_id, keys, created_at, run_id, rows[0].route)


def _table_and_arrival(row: Any) -> tuple[str, datetime, bytes]:
    return row.route, *arrival(row)


def arrival(row: Any) -> tuple[datetime, bytes]:
    """What rows of files are sorted by: the order in which they are judged."""
    return row.modified_at, row.key.encode()
