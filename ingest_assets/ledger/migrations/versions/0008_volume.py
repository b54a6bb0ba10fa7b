"""What was done, counted by the hour and for good; views of it for people and dashboards.

Revision ID: 0008
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COUNTED = (
    "batches",
    "success_files",
    "failed_files",
    "dead_letter_files",
    "parked_files",
    "rows",
    "rescued_rows",
    "rejected_rows",
    "bytes",
)

# The classes of 0008 for the batches of the past; later ones are in `ledger.volume`.
_CLASSES = "CAST('{1,2,5,10,30,60,120,300,600,1800,3600,Infinity}' AS float8[])"

_PAST = f"""
    SELECT b.ingestion, b.finished_at, d.seconds, 1 AS batches,
           (SELECT min(c) FROM unnest({_CLASSES}) AS c WHERE c >= d.seconds) AS at_most_seconds,
           count(*) FILTER (WHERE a.outcome = 'SUCCESS') AS success_files,
           count(*) FILTER (WHERE a.outcome = 'FAILED') AS failed_files,
           count(*) FILTER (WHERE a.outcome = 'DEAD_LETTER') AS dead_letter_files,
           count(*) FILTER (WHERE a.outcome = 'PARKED') AS parked_files,
           coalesce(sum(a.rows) FILTER (WHERE a.outcome = 'SUCCESS'), 0) AS rows,
           coalesce(sum(a.rescued) FILTER (WHERE a.outcome = 'SUCCESS'), 0) AS rescued_rows,
           coalesce(sum(a.rejected) FILTER (WHERE a.outcome = 'SUCCESS'), 0) AS rejected_rows,
           coalesce(sum(a.bytes) FILTER (WHERE a.outcome = 'SUCCESS'), 0) AS bytes,
           max(b.finished_at) FILTER (WHERE a.outcome = 'SUCCESS') AS last_success_at
    FROM ingest.batches b
    JOIN ingest.attempts a USING (batch_id)
    CROSS JOIN LATERAL (
        SELECT CAST(extract(epoch FROM b.finished_at - b.prepared_at) AS float8) AS seconds) AS d
    WHERE b.status = 'COMMITTED' AND b.decision IS NULL AND b.prepared_at IS NOT NULL
    GROUP BY b.batch_id, d.seconds
"""


def _count(status: str) -> str:
    return (
        "(SELECT count(*) FROM ingest.files f "
        f"WHERE f.ingestion = i.name AND f.status = '{status}') AS files_{status.lower()}"
    )


def _recent(what: str, hours: int) -> str:
    return (
        f"(SELECT {what} FROM ingest.hourly_volume v WHERE v.ingestion = i.name "
        f"AND v.hour > now() - interval '{hours} hours')"
    )


_RATE = """CAST(sum(v.success_files) AS float8) / nullif(sum(
    v.success_files + v.failed_files + v.dead_letter_files + v.parked_files), 0)"""
_STATUSES = (
    "DISCOVERED",
    "PROCESSING",
    "SUCCESS",
    "FAILED",
    "DEAD_LETTER",
    "PARKED",
    "REJECTED",
    "SKIPPED",
)

# A subquery a column, so that Postgres leaves out what a question does not ask for.
_HEALTH = f"""
    CREATE VIEW ingest.v_health AS
    SELECT i.name AS ingestion, i.table_identifier,
           greatest(i.last_listed_at, i.queue_emptied_at) AS last_looked_at, i.last_arrival_at,
           i.created_at AS known_since,
           (SELECT max(t.last_success_at) FROM ingest.batch_totals t
            WHERE t.ingestion = i.name) AS last_success_at,
           {", ".join(_count(status) for status in _STATUSES)},
           w.oldest_waiting_at,
           CAST(coalesce(extract(epoch FROM now() - w.oldest_waiting_at), 0) AS float8)
               AS lag_seconds,
           {_recent(_RATE, 24)} AS success_rate_24h,
           {_recent(_RATE, 7 * 24)} AS success_rate_7d,
           coalesce({_recent("CAST(sum(v.success_files) AS bigint)", 24)}, 0) AS files_24h,
           coalesce({_recent("CAST(sum(v.rows) AS bigint)", 24)}, 0) AS rows_24h,
           {_recent("max(v.slowest_seconds)", 24)} AS slowest_batch_seconds_24h,
           (SELECT count(*) FROM ingest.batches b
            WHERE b.ingestion = i.name AND b.status IN ('PLANNED', 'PREPARED')) AS open_batches,
           (SELECT CAST(max(extract(epoch FROM now() - b.prepared_at)) AS float8)
            FROM ingest.batches b
            WHERE b.ingestion = i.name AND b.status = 'PREPARED') AS open_batch_seconds,
           (SELECT count(*) FROM ingest.schema_versions s
            WHERE s.ingestion = i.name AND s.status = 'PENDING') AS pending_versions
    FROM ingest.ingestions i
    CROSS JOIN LATERAL (SELECT least(
        (SELECT f.modified_at FROM ingest.files f
         WHERE f.ingestion = i.name AND f.batch_id IS NULL
           AND f.status IN ('DISCOVERED', 'FAILED')
           AND f.committed_content_id IS DISTINCT FROM f.content_id
         ORDER BY f.modified_at, f.key LIMIT 1),
        (SELECT min(f.modified_at)
         FROM ingest.batches b JOIN ingest.files f USING (batch_id)
         WHERE b.ingestion = i.name AND b.status IN ('PLANNED', 'PREPARED')
           AND f.status IN ('DISCOVERED', 'FAILED', 'PROCESSING')
           AND f.committed_content_id IS DISTINCT FROM f.content_id)) AS modified_at) AS o
    CROSS JOIN LATERAL (
        SELECT CASE WHEN o.modified_at IS NOT NULL THEN greatest(o.modified_at, i.created_at) END
            AS oldest_waiting_at) AS w
"""

_LATENCY = """
    CREATE VIEW ingest.v_latency AS
    SELECT b.ingestion, count(*) AS files,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY d.seconds) AS p50_seconds,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY d.seconds) AS p95_seconds,
           percentile_cont(0.99) WITHIN GROUP (ORDER BY d.seconds) AS p99_seconds,
           max(d.seconds) AS max_seconds
    FROM ingest.ingestions i
    JOIN ingest.batches b ON b.ingestion = i.name
    JOIN ingest.attempts a USING (batch_id)
    JOIN ingest.contents c ON c.content_id = a.content_id
    CROSS JOIN LATERAL (
        SELECT CAST(extract(epoch FROM b.finished_at - greatest(c.modified_at, i.created_at))
            AS float8) AS seconds) AS d
    WHERE b.status = 'COMMITTED' AND b.finished_at > now() - interval '3 hours'
      AND b.origin <> 'person' AND a.outcome = 'SUCCESS'
      AND c.modified_at <= b.finished_at -- else it was uploaded again since
    GROUP BY b.ingestion
"""

_DAILY_VOLUME = """
    CREATE VIEW ingest.v_daily_volume AS
    SELECT ingestion, CAST(hour AT TIME ZONE 'UTC' AS date) AS day,
           CAST(sum(success_files) AS bigint) AS files,
           CAST(sum(rows) AS bigint) AS rows,
           CAST(sum(bytes) AS bigint) AS bytes,
           CAST(sum(rescued_rows) AS bigint) AS rescued_rows,
           CAST(sum(rejected_rows) AS bigint) AS rejected_rows,
           CAST(sum(failed_files) AS bigint) AS failed_files,
           CAST(sum(dead_letter_files) AS bigint) AS dead_letter_files,
           CAST(sum(parked_files) AS bigint) AS parked_files,
           CAST(sum(batches) AS bigint) AS batches,
           sum(seconds) AS batch_seconds, max(slowest_seconds) AS slowest_batch_seconds
    FROM ingest.hourly_volume
    GROUP BY 1, 2
"""

_SLOWEST_FILES = """
    CREATE VIEW ingest.v_slowest_files AS
    SELECT f.ingestion, f.key, a.seconds, a.bytes, a.rows, a.bytes / a.seconds AS bytes_per_second,
           a.outcome, a.finished_at, a.batch_id
    FROM ingest.attempts a JOIN ingest.files f USING (file_id)
    WHERE a.seconds >= 0.1 AND a.finished_at IS NOT NULL
    ORDER BY a.seconds DESC
"""

# What a message says of one file alone, and what stands for it; the file's own URI and key first.
_PARTS = (
    (r"[a-z][a-z0-9+]*://[^\s,;]+", "<uri>"),
    (r"""`[^`]*`|"[^"]*"|(?<!\w)''[^'']*''""", "<quoted>"),
    (r"\m[0-9a-f]{8,}(-[0-9a-f]{4,})*\M", "<id>"),
    (r"[0-9]+([.,:][0-9]+)*", "<number>"),
)


def _pattern() -> str:
    said = "left(split_part(a.error, chr(10), 1), 500)"
    said = f"replace(replace({said}, f.uri, '<uri>'), f.key, '<key>')"
    for part, placeholder in _PARTS:
        said = f"regexp_replace({said}, '{part}', '{placeholder}', 'gi')"
    return said


_ERROR_PATTERNS = f"""
    CREATE VIEW ingest.v_error_patterns AS
    SELECT f.ingestion, a.error_type, {_pattern()} AS pattern, count(*) AS attempts,
           count(DISTINCT a.file_id) AS files, min(a.finished_at) AS first_seen_at,
           max(a.finished_at) AS last_seen_at,
           (array_agg(f.key ORDER BY a.finished_at DESC))[1] AS example_key
    FROM ingest.attempts a JOIN ingest.files f USING (file_id)
    WHERE a.error_type IS NOT NULL AND a.outcome IN ('FAILED', 'DEAD_LETTER', 'PARKED')
      AND a.finished_at > now() - interval '7 days'
    GROUP BY 1, 2, 3
"""
_VIEWS = ("v_health", "v_latency", "v_daily_volume", "v_slowest_files", "v_error_patterns")


def upgrade() -> None:
    """The finished batches that the ledger has are counted, as those to come will be."""
    op.create_table(
        "batch_totals",
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("at_most_seconds", sa.Double(), nullable=False),
        *_numbers(),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("ingestion", "at_most_seconds"),
        schema="ingest",
    )
    op.create_table(
        "hourly_volume",
        sa.Column("ingestion", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        *_numbers(),
        sa.Column("slowest_seconds", sa.Double(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("ingestion", "hour"),
        schema="ingest",
    )
    _create_indexes()
    _count_the_past()
    for view in (_HEALTH, _LATENCY, _DAILY_VOLUME, _SLOWEST_FILES, _ERROR_PATTERNS):
        op.get_bind().exec_driver_sql(view)  # colons are no parameters


def _numbers() -> list[sa.Column[Any]]:
    numbers: list[sa.Column[Any]] = [
        sa.Column(name, sa.BigInteger(), server_default="0", nullable=False) for name in _COUNTED
    ]
    return [*numbers, sa.Column("seconds", sa.Double(), server_default="0", nullable=False)]


def _create_indexes() -> None:
    op.create_index(
        "batches_by_end",
        "batches",
        ["ingestion", "finished_at"],
        schema="ingest",
        postgresql_where=sa.text("status = 'COMMITTED'"),
    )
    op.create_index(
        "attempts_with_error",
        "attempts",
        ["finished_at"],
        schema="ingest",
        postgresql_where=sa.text("error_type IS NOT NULL"),
    )
    op.create_index(
        "attempts_by_seconds",
        "attempts",
        ["seconds"],
        schema="ingest",
        postgresql_where=sa.text("seconds >= 0.1"),
    )


def _count_the_past() -> None:
    names = ", ".join((*_COUNTED, "seconds"))
    sums = ", ".join(f"sum({name})" for name in (*_COUNTED, "seconds"))
    op.execute(f"""
        INSERT INTO ingest.batch_totals (ingestion, at_most_seconds, {names}, last_success_at)
        SELECT ingestion, at_most_seconds, {sums}, max(last_success_at) FROM ({_PAST}) AS past
        GROUP BY 1, 2
    """)
    op.execute(f"""
        INSERT INTO ingest.hourly_volume (ingestion, hour, {names}, slowest_seconds)
        SELECT ingestion, date_trunc('hour', finished_at, 'UTC'), {sums}, max(seconds)
        FROM ({_PAST}) AS past GROUP BY 1, 2
    """)


def downgrade() -> None:
    """The ledger as it was, without the counts."""
    for view in _VIEWS:
        op.execute(f"DROP VIEW ingest.{view}")
    op.drop_index("batches_by_end", "batches", schema="ingest")
    op.drop_index("attempts_with_error", "attempts", schema="ingest")
    op.drop_index("attempts_by_seconds", "attempts", schema="ingest")
    op.drop_table("hourly_volume", schema="ingest")
    op.drop_table("batch_totals", schema="ingest")
