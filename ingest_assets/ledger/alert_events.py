"""What counts as an event: a query for each kind, over the ledger as it is.

Each gives kind, subject (what tells the event apart), since when, when it became an event, detail.
`:batches` are the finished batches that are looked at for the first time.
"""

# A file that was uploaded again before its batch ended is read again, and is no dead-letter.
DEAD_LETTERS = """
    SELECT 'dead_letter', a.file_id || ':' || a.batch_id, a.finished_at, a.finished_at,
           jsonb_build_object('key', f.key, 'error_type', a.error_type, 'error', a.error,
                              'batch_id', a.batch_id)
    FROM ingest.attempts a
    JOIN ingest.files f USING (file_id)
    JOIN ingest.contents c ON c.content_id = f.content_id
    WHERE a.batch_id = ANY(:batches) AND a.outcome = 'DEAD_LETTER'
      AND (f.content_id = a.content_id OR c.first_seen_at > a.finished_at)
    ORDER BY a.finished_at, a.batch_id, a.position
"""

# The checks of a file that is not in the table say what its own alert says. Rows that rules of
# quality rejected could be read.
CHECKS = """
    SELECT 'check_failed', checked.name || ':' || a.file_id || ':' || a.batch_id,
           a.finished_at, a.finished_at,
           jsonb_build_object('check', checked.name, 'key', f.key, 'rows', a.rows,
                              'rejected', checked.rejected, 'said', checked.said,
                              'batch_id', a.batch_id)
    FROM ingest.attempts a JOIN ingest.files f USING (file_id)
    CROSS JOIN LATERAL (
        SELECT 0 AS place, 'rows_parsed' AS name, NULL AS said, a.rejected
            - coalesce(CAST(a.detail->'quality'->>'rejected_rows' AS bigint), 0) AS rejected
        UNION ALL
        SELECT rule.place, rule.result->>'name', rule.result->>'said', NULL
        FROM jsonb_array_elements(a.detail->'quality'->'results') WITH ORDINALITY
             AS rule(result, place)
        WHERE rule.result->>'outcome' <> 'passed'
    ) AS checked
    WHERE a.batch_id = ANY(:batches) AND a.outcome = 'SUCCESS'
      AND (checked.rejected > 0 OR checked.said IS NOT NULL)
    ORDER BY a.finished_at, a.batch_id, a.position, checked.place
"""

# Somebody has to decide: files are parked under the version, or the declaration asks for it.
AWAITED_VERSIONS = """
    SELECT v.version, v.created_at, v.batch_id, v.file_id, declared.detail->>'why' AS why
    FROM ingest.schema_versions v
    LEFT JOIN (
        SELECT detail FROM ingest.audit
        WHERE ingestion = :ingestion AND action = 'schema.columns'
        ORDER BY at DESC, audit_id DESC LIMIT 1
    ) AS declared ON CAST(declared.detail->>'refused' AS int) = v.version
    WHERE v.ingestion = :ingestion AND v.status = 'PENDING'
      AND (declared.detail IS NOT NULL OR EXISTS (
        SELECT 1 FROM ingest.files f WHERE f.ingestion = v.ingestion
          AND f.status = 'PARKED' AND f.schema_version = v.version))
"""

# Whatever batch parked the files: those that brought the version may have left before this look.
PENDING_VERSIONS = f"""
    SELECT 'schema_pending', CAST(v.version AS text), v.created_at, v.created_at,
           jsonb_build_object('version', v.version, 'error', coalesce(v.why, (
               SELECT a.error FROM ingest.attempts a
               WHERE a.batch_id = v.batch_id AND a.file_id = v.file_id)))
    FROM ({AWAITED_VERSIONS}) AS v
    WHERE v.created_at >= (SELECT min(since) FROM ingest.alert_subscriptions
                           WHERE ingestion = :ingestion)
    ORDER BY v.version
"""

SLOW_BATCHES = """
    SELECT 'batch_slow', b.batch_id, b.prepared_at,
           b.prepared_at + CAST(:batch_limit AS interval),
           jsonb_build_object(
               'batch_id', b.batch_id, 'run_id', b.run_id, 'is_done', b.status = 'COMMITTED',
               'minutes', extract(epoch FROM coalesce(b.finished_at, now()) - b.prepared_at) / 60,
               'limit_minutes', extract(epoch FROM CAST(:batch_limit AS interval)) / 60,
               'files', (SELECT count(*) FROM ingest.attempts a WHERE a.batch_id = b.batch_id))
    FROM ingest.batches b
    WHERE b.ingestion = :ingestion AND b.prepared_at IS NOT NULL
      AND (b.status = 'PREPARED' OR b.batch_id = ANY(:batches))
      AND coalesce(b.finished_at, now()) - b.prepared_at > CAST(:batch_limit AS interval)
    ORDER BY b.prepared_at
"""

# The time counts from the last arrival, and not from before anybody was to be told. It begins anew
# with the oldest channel, so what a channel that is still named was told of is no event again.
SILENCE = """
    SELECT 'nothing_arrived', CAST(extract(epoch FROM quiet.since) AS text), quiet.since,
           quiet.since + CAST(:silence_limit AS interval),
           jsonb_build_object(
               'hours', extract(epoch FROM CAST(:silence_limit AS interval)) / 3600,
               'last_arrival_at', quiet.last_arrival_at, 'last_looked_at', quiet.last_looked_at)
    FROM (
        SELECT greatest(i.last_arrival_at, s.since) AS since, i.last_arrival_at,
               greatest(i.last_listed_at, i.queue_emptied_at) AS last_looked_at
        FROM ingest.ingestions i
        JOIN (SELECT min(since) AS since FROM ingest.alert_subscriptions
              WHERE ingestion = :ingestion) s ON s.since IS NOT NULL
        WHERE i.name = :ingestion
    ) AS quiet
    WHERE now() - quiet.since > CAST(:silence_limit AS interval) AND NOT EXISTS (
        SELECT 1 FROM ingest.alerts a
        JOIN ingest.alert_parts p USING (alert_id)
        JOIN ingest.alert_subscriptions s USING (ingestion, channel)
        WHERE a.ingestion = :ingestion AND a.kind = 'nothing_arrived'
          AND a.since >= coalesce(quiet.last_arrival_at, a.since))
"""

# A run fails when a file of it is dead-lettered or parked; of those there is an alert already.
FAILED_RUNS = """
    SELECT 'run_failed', run.run_id, run.failed_at, run.failed_at,
           jsonb_build_object('run_id', run.run_id, 'error', run.error)
    FROM unnest(CAST(:run_ids AS text[]), CAST(:failed_at AS timestamptz[]),
                CAST(:errors AS text[])) AS run(run_id, failed_at, error)
    WHERE NOT EXISTS (
        SELECT 1 FROM ingest.batches b LEFT JOIN ingest.attempts a USING (batch_id)
        WHERE b.run_id = run.run_id
        HAVING bool_and(b.status = 'COMMITTED'
                        AND a.outcome IN ('SUCCESS', 'DEAD_LETTER', 'PARKED'))
           AND bool_or(a.outcome IN ('DEAD_LETTER', 'PARKED')))
    ORDER BY run.failed_at
"""
