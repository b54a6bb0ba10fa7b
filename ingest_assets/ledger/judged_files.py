"""What the recorded outcomes of a finished batch make of its files."""

import json
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, text

from ingest_assets.ledger.parked_files import REJECTION


def number(connection: Connection, batch_id: str, versions: Sequence[int]) -> None:
    """Each attempt has the number of the version that it brought or met."""
    connection.execute(
        text("""
            UPDATE ingest.attempts SET
                finished_at = now(),
                schema_version = coalesce(
                    CAST(CAST(:versions AS jsonb)->>change_index AS int), schema_version)
            WHERE batch_id = :batch_id
        """),
        {"batch_id": batch_id, "versions": json.dumps(versions)},
    )


def apply(
    connection: Connection, batch_id: str, snapshot_id: int | None, backoff: Sequence[timedelta]
) -> None:
    """Each file of the batch is what its outcome says; one with new content by now is DISCOVERED.

    Where changed files are ignored, one whose rows the batch brought is SUCCESS all the same.
    Rows of a file that are in another table besides (the batch made its table after it was given
    up) leave it again: see `also_in` in `ledger.tables`.
    """
    connection.execute(
        _APPLY,
        {
            "batch_id": batch_id,
            "snapshot_id": snapshot_id,
            "backoff": [wait.total_seconds() for wait in backoff],
        },
    )


_APPLY = text(f"""
    WITH told AS (
        SELECT a.*, b.route AS in_table, c.etag AS read_etag,
               f.content_id <> a.content_id AS has_new_content,
               now() + make_interval(secs => (CAST(:backoff AS float8[]))[
                   least(f.attempts + 1, cardinality(CAST(:backoff AS float8[])))]) AS retry_at,
               coalesce(w.route <> b.route, false) AS is_elsewhere,
               i.on_changed_file = 'ignore' AS ignores_changes,
               a.outcome = 'ROUTED' AS is_routed,
               a.outcome = 'PARKED' AND coalesce(v.status NOT IN ('PENDING', 'REJECTED'), false)
                   AS is_settled,
               a.outcome = 'PARKED' AND v.status = 'REJECTED' AS is_rejected,
               {REJECTION} AS rejection
        FROM ingest.attempts a
        JOIN ingest.batches b USING (batch_id)
        JOIN ingest.files f USING (file_id)
        JOIN ingest.ingestions i ON i.name = f.ingestion
        JOIN ingest.contents c ON c.content_id = a.content_id
        LEFT JOIN ingest.batches w ON w.batch_id = f.committed_batch_id
        LEFT JOIN ingest.schema_versions v
               ON v.ingestion = f.ingestion AND v.version = a.schema_version
        WHERE a.batch_id = :batch_id
    ), judged AS (
        SELECT *, outcome = 'SUCCESS' AND NOT is_elsewhere AS is_written,
               outcome = 'SUCCESS' AND is_elsewhere AS is_stray,
               is_routed AND NOT is_elsewhere AS is_leaving,
               (has_new_content AND NOT (ignores_changes AND outcome = 'SUCCESS'))
               OR (outcome = 'SUCCESS' AND is_elsewhere) AS is_overtaken
        FROM told
    )
    UPDATE ingest.files f SET
        status = CASE WHEN j.is_overtaken OR j.is_settled OR j.is_routed THEN 'DISCOVERED'
                      WHEN j.is_rejected THEN 'REJECTED' ELSE j.outcome END,
        attempts = CASE WHEN j.is_overtaken OR j.is_settled OR j.is_routed THEN 0
                        ELSE f.attempts + 1 END,
        route = CASE WHEN j.is_routed THEN j.detail->>'route' WHEN j.is_written THEN j.in_table
                     ELSE f.route END,
        also_in = CASE WHEN j.is_stray THEN array_append(f.also_in, j.in_table)
                       WHEN j.is_routed THEN array_remove(f.also_in, j.in_table)
                       ELSE f.also_in END,
        next_attempt_at = CASE WHEN NOT j.is_overtaken AND j.outcome = 'FAILED'
                               THEN j.retry_at END,
        error_type = CASE WHEN NOT (j.is_overtaken OR j.is_settled) THEN j.error_type END,
        error = CASE WHEN j.is_overtaken OR j.is_settled THEN NULL
                     WHEN j.is_rejected THEN j.rejection ELSE j.error END,
        crashes = 0, batch_id = NULL, updated_at = now(),
        schema_version = CASE WHEN j.is_written OR j.outcome = 'PARKED'
                              THEN j.schema_version ELSE f.schema_version END,
        committed_content_id = CASE WHEN j.is_leaving THEN NULL WHEN j.is_written
                                    THEN j.content_id ELSE f.committed_content_id END,
        committed_etag = CASE WHEN j.is_leaving THEN NULL WHEN j.is_written
                              THEN j.read_etag ELSE f.committed_etag END,
        committed_batch_id = CASE WHEN j.is_leaving THEN NULL WHEN j.is_written
                                  THEN j.batch_id ELSE f.committed_batch_id END,
        rows = CASE WHEN j.is_leaving THEN NULL WHEN j.is_written
                    THEN j.rows ELSE f.rows END,
        rescued = CASE WHEN j.is_leaving THEN NULL WHEN j.is_written
                       THEN j.rescued ELSE f.rescued END,
        rejected = CASE WHEN j.is_leaving THEN NULL
                        WHEN j.is_written OR f.committed_content_id IS NULL
                        THEN j.rejected ELSE f.rejected END,
        snapshot_id = CASE WHEN j.is_leaving THEN NULL WHEN j.is_written
                           THEN CAST(:snapshot_id AS bigint) ELSE f.snapshot_id END,
        ingested_at = CASE WHEN j.is_written THEN now() ELSE f.ingested_at END
    FROM judged j WHERE f.file_id = j.file_id
""")
