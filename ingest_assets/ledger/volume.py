"""What was done, counted: a batch is added to the totals and to its hour when it is finished."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from ingest_assets.ledger.volume_tables import COUNTED

DURATION_CLASSES = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""The upper bounds, in seconds, by which finished batches are told apart; the last has none."""

_BATCH = text("""
    SELECT b.ingestion, date_trunc('hour', b.finished_at, 'UTC') AS hour, 1 AS batches,
           CAST(extract(epoch FROM b.finished_at - b.prepared_at) AS float8) AS seconds,
           count(*) FILTER (WHERE a.outcome = 'SUCCESS') AS success_files,
           count(*) FILTER (WHERE a.outcome = 'FAILED') AS failed_files,
           count(*) FILTER (WHERE a.outcome = 'DEAD_LETTER') AS dead_letter_files,
           count(*) FILTER (WHERE a.outcome = 'PARKED') AS parked_files,
           coalesce(sum(a.rows) FILTER (WHERE a.outcome = 'SUCCESS'), 0) AS rows,
           coalesce(sum(a.rescued) FILTER (WHERE a.outcome = 'SUCCESS'), 0) AS rescued_rows,
           coalesce(sum(a.rejected) FILTER (WHERE a.outcome = 'SUCCESS'), 0) AS rejected_rows,
           coalesce(sum(a.bytes) FILTER (WHERE a.outcome = 'SUCCESS'), 0) AS bytes,
           max(b.finished_at) FILTER (WHERE a.outcome = 'SUCCESS') AS last_success_at
    FROM ingest.batches b JOIN ingest.attempts a USING (batch_id)
    WHERE b.batch_id = :batch_id AND b.status = 'COMMITTED' AND b.decision IS NULL
    GROUP BY b.batch_id
""")

_ADDED = ", ".join(f"{name} = v.{name} + excluded.{name}" for name in (*COUNTED, "seconds"))
_NAMES = ", ".join((*COUNTED, "seconds"))
_VALUES = ", ".join(f":{name}" for name in (*COUNTED, "seconds"))

_TO_TOTALS = text(f"""
    INSERT INTO ingest.batch_totals AS v (ingestion, at_most_seconds, last_success_at, {_NAMES})
    VALUES (:ingestion, :at_most_seconds, :last_success_at, {_VALUES})
    ON CONFLICT (ingestion, at_most_seconds) DO UPDATE SET {_ADDED},
        last_success_at = greatest(v.last_success_at, excluded.last_success_at)
""")

_TO_HOUR = text(f"""
    INSERT INTO ingest.hourly_volume AS v (ingestion, hour, slowest_seconds, {_NAMES})
    VALUES (:ingestion, :hour, :seconds, {_VALUES})
    ON CONFLICT (ingestion, hour) DO UPDATE SET {_ADDED},
        slowest_seconds = greatest(v.slowest_seconds, excluded.slowest_seconds)
""")


def add(connection: Connection, batch_id: str) -> None:
    """The batch, which is COMMITTED in this transaction, is in the totals and in its hour.

    Call it once a batch and last in the transaction: batches of one ingestion wait for each other
    here. A person's decision about a schema is no batch of files and adds nothing.
    """
    batch = connection.execute(_BATCH, {"batch_id": batch_id}).mappings().first()
    if batch is None:
        return
    fitting = [bound for bound in DURATION_CLASSES if batch["seconds"] <= bound]
    counted = {**batch, "at_most_seconds": fitting[0] if fitting else float("inf")}
    connection.execute(_TO_TOTALS, counted)
    connection.execute(_TO_HOUR, counted)


@dataclass(frozen=True)
class DayVolume:
    """What the batches that ended on one day (UTC) did; files that failed count at each try."""

    day: date
    files: int
    rows: int
    files_not_written: int


_DAYS = text("""
    SELECT CAST(d.begin AT TIME ZONE 'UTC' AS date) AS day,
           CAST(coalesce(sum(v.success_files), 0) AS bigint) AS files,
           CAST(coalesce(sum(v.rows), 0) AS bigint) AS rows,
           CAST(coalesce(sum(v.failed_files + v.dead_letter_files + v.parked_files), 0) AS bigint)
               AS files_not_written
    FROM generate_series(0, :days - 1) AS back
    CROSS JOIN LATERAL (
        SELECT date_trunc('day', now(), 'UTC') - back * interval '24 hours') AS d(begin)
    LEFT JOIN ingest.hourly_volume v
           ON v.ingestion = :ingestion
          AND v.hour >= d.begin AND v.hour < d.begin + interval '24 hours'
    GROUP BY 1 ORDER BY 1
""")


def last_days(connection: Connection, ingestion: str, days: int) -> list[DayVolume]:
    """So many days up to today (UTC), oldest first; those without any batch too."""
    rows = connection.execute(_DAYS, {"ingestion": ingestion, "days": days})
    return [DayVolume(**row._mapping) for row in rows]


def rows_in_table(connection: Connection, ingestion: str) -> int:
    """The rows of the newest contents of its files that the ingestion has in its tables."""
    rows = connection.execute(
        text("""
            SELECT coalesce(sum(rows), 0) FROM ingest.files
            WHERE ingestion = :ingestion AND committed_content_id IS NOT NULL
        """),
        {"ingestion": ingestion},
    ).scalar_one()
    return int(rows)
