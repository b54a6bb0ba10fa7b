"""What batches and discovery used, by day: written as it happens, summed up when it is asked."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from ingest_assets.cost.usage import Usage
from ingest_assets.ledger.usage_tables import COUNTED

_FIELDS = (*COUNTED, "cpu_seconds")
_SUMS = ", ".join(f"coalesce(sum(u.{name}), 0) AS {name}" for name in _FIELDS)
_NOTE = f"""
    INSERT INTO ingest.usage (ingestion, day, batch_id, {", ".join(_FIELDS)})
    VALUES (:ingestion, CAST(now() AT TIME ZONE 'UTC' AS date), :batch_id,
            {", ".join(f":{name}" for name in _FIELDS)})
    ON CONFLICT (ingestion, day, batch_id) DO UPDATE SET
        {", ".join(f"{name} = usage.{name} + excluded.{name}" for name in _FIELDS)},
        last_at = now()
"""


@dataclass(frozen=True)
class UsedFiles:
    """What was used in some days, and for which contents: `(first_seen_at, size_bytes)` of each.

    `looking_seconds`: how long discovery went on, in `looking_spans` days.
    """

    discovery: Usage
    batches: Usage
    batch_count: int
    files: Sequence[tuple[datetime, int]]
    looking_seconds: float
    looking_spans: int


@dataclass(frozen=True)
class UsedBatches:
    """What so many of the newest batches used in all."""

    count: int
    usage: Usage


def of_last_batches(connection: Connection, ingestion: str, last: int) -> UsedBatches:
    """What the last batches used that were committed and noted, so many at most."""
    row = connection.execute(
        text(f"""
            SELECT count(*) AS notes, {_SUMS}
            FROM (SELECT * FROM ingest.usage
                  WHERE ingestion = :ingestion AND batch_id <> ''
                  ORDER BY day DESC, last_at DESC LIMIT :last) AS u
        """),
        {"ingestion": ingestion, "last": last},
    ).one()
    return UsedBatches(row.notes, _usage(row))


def note(connection: Connection, ingestion: str, usage: Usage, batch_id: str = "") -> None:
    """So much more was used today: by a batch, or by discovery if none is named."""
    values = {name: value for name, value in asdict(usage).items() if name in _FIELDS}
    connection.execute(text(_NOTE), {"ingestion": ingestion, "batch_id": batch_id, **values})


def of_batch(connection: Connection, batch_id: str) -> Usage | None:
    """What the batch used; None where nobody noted it."""
    row = connection.execute(
        text(f"""
            SELECT {", ".join(_FIELDS)} FROM ingest.usage
            WHERE batch_id = :batch_id AND batch_id <> ''
        """),
        {"batch_id": batch_id},
    ).first()
    return None if row is None else Usage(**row._mapping)


def of_days(connection: Connection, ingestion: str, days: int) -> UsedFiles:
    """What was used in the last `days` days (UTC), today too, and for which files.

    Files are those of the batches whose use was noted.
    """
    parameters = {"ingestion": ingestion, "days": days - 1}
    since = "CAST(now() AT TIME ZONE 'UTC' AS date) - CAST(:days AS int)"
    sums = {
        bool(row.is_batch): row
        for row in connection.execute(
            text(f"""
                SELECT u.batch_id <> '' AS is_batch, count(*) AS notes, {_SUMS},
                       CAST(extract(epoch FROM sum(u.last_at - u.first_at)) AS float8) AS seconds
                FROM ingest.usage u
                WHERE u.ingestion = :ingestion AND u.day >= {since} GROUP BY 1
            """),
            parameters,
        )
    }
    files = connection.execute(
        text(f"""
            SELECT c.first_seen_at, c.size_bytes
            FROM ingest.usage u
            JOIN (SELECT batch_id, content_id FROM ingest.attempts
                  UNION ALL SELECT batch_id, content_id FROM ingest.attempts_archive) AS a
                USING (batch_id)
            JOIN ingest.contents c USING (content_id)
            WHERE u.ingestion = :ingestion AND u.day >= {since} AND u.batch_id <> ''
        """),
        parameters,
    ).all()
    looked, batches = sums.get(False), sums.get(True)
    return UsedFiles(
        _usage(looked),
        _usage(batches),
        0 if batches is None else batches.notes,
        [(row.first_seen_at, row.size_bytes) for row in files],
        0.0 if looked is None else looked.seconds,
        0 if looked is None else looked.notes,
    )


def _usage(row: Row[Any] | None) -> Usage:
    if row is None:
        return Usage()
    counts = {name: int(row._mapping[name]) for name in COUNTED}
    return Usage(**counts, cpu_seconds=float(row._mapping["cpu_seconds"]))
