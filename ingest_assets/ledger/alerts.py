"""Events that people are told of, noticed in the ledger's own state.

Nothing is pushed from the middle of a batch. A batch carries the mark `alerted_at` once its events
are recorded, in one transaction with them, and an event is told apart by what it is about: so a
crash loses none, and none is recorded twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, TextClause, text

from ingest_assets.ledger import alert_events

_BATCHES_AT_ONCE = 500


@dataclass(frozen=True)
class FailedRun:
    """A run of the orchestrator that failed, and what it said, for people."""

    run_id: str
    failed_at: datetime
    error: str


def subscribe(connection: Connection, ingestion: str, channels: Collection[str]) -> bool:
    """The ingestion's events go to these channels, each from its first call on; False for none.

    What waits for a channel that is not among them any more is dropped.
    """
    values = {"ingestion": ingestion, "channels": list(channels)}
    gone = connection.execute(
        text("""
            DELETE FROM ingest.alert_subscriptions
            WHERE ingestion = :ingestion AND channel <> ALL(:channels) RETURNING channel
        """),
        values,
    ).all()
    if gone:
        _drop(connection, ingestion, [row.channel for row in gone])
    if channels:
        connection.execute(
            text("""
                INSERT INTO ingest.alert_subscriptions (ingestion, channel)
                SELECT :ingestion, unnest(CAST(:channels AS text[])) ON CONFLICT DO NOTHING
            """),
            values,
        )
    return bool(channels)


def _drop(connection: Connection, ingestion: str, channels: Sequence[str]) -> None:
    values = {"ingestion": ingestion, "channels": list(channels)}
    connection.execute(
        text("""
            DELETE FROM ingest.alert_parts p USING ingest.alerts a
            WHERE p.alert_id = a.alert_id AND a.ingestion = :ingestion
              AND p.delivery_id IS NULL AND p.channel = ANY(:channels)
        """),
        values,
    )
    connection.execute(
        text("""
            UPDATE ingest.alert_deliveries SET state = 'DROPPED'
            WHERE ingestion = :ingestion AND state = 'WAITING' AND channel = ANY(:channels)
        """),
        values,
    )


def notice(
    connection: Connection,
    ingestion: str,
    *,
    batch_limit: timedelta | None = None,
    silence_limit: timedelta | None = None,
    failed_runs: Sequence[FailedRun] = (),
) -> int:
    """How many events were new; each waits for the channels that were named before it happened.

    A limit that is None has no events.
    """
    values = {
        "ingestion": ingestion,
        "batches": _batches_to_notice(connection, ingestion),
        "batch_limit": batch_limit,
        "silence_limit": silence_limit,
        "run_ids": [run.run_id for run in failed_runs],
        "failed_at": [run.failed_at for run in failed_runs],
        "errors": [_storable(run.error) for run in failed_runs],
    }
    wanted = [alert_events.DEAD_LETTERS, alert_events.CHECKS, alert_events.PENDING_VERSIONS]
    wanted += [alert_events.SLOW_BATCHES] if batch_limit is not None else []
    wanted += [alert_events.SILENCE] if silence_limit is not None else []
    wanted += [alert_events.FAILED_RUNS] if failed_runs else []
    new = [row.alert_id for event in wanted for row in connection.execute(_insert(event), values)]
    if values["batches"]:
        connection.execute(
            text("UPDATE ingest.batches SET alerted_at = now() WHERE batch_id = ANY(:batches)"),
            {"batches": values["batches"]},
        )
    if new:
        connection.execute(
            text("""
                INSERT INTO ingest.alert_parts (alert_id, channel)
                SELECT a.alert_id, s.channel
                FROM ingest.alerts a JOIN ingest.alert_subscriptions s USING (ingestion)
                WHERE a.alert_id = ANY(:new) AND a.occurred_at >= s.since
            """),
            {"new": new},
        )
    _forget_decided(connection, ingestion)
    return len(new)


def _forget_decided(connection: Connection, ingestion: str) -> None:
    """Nobody is told any more that a version waits which somebody decided about meanwhile."""
    connection.execute(
        text("""
            DELETE FROM ingest.alert_parts p USING ingest.alerts a, ingest.schema_versions v
            WHERE p.alert_id = a.alert_id AND p.delivery_id IS NULL
              AND a.ingestion = :ingestion AND a.kind = 'schema_pending'
              AND v.ingestion = a.ingestion AND CAST(v.version AS text) = a.subject
              AND v.status <> 'PENDING'
        """),
        {"ingestion": ingestion},
    )


def _storable(said: str) -> str:
    return said.replace("\0", "\u2400").encode(errors="backslashreplace").decode()


def _batches_to_notice(connection: Connection, ingestion: str) -> list[str]:
    """Finished batches whose events are not recorded, locked; none from before any channel."""
    connection.execute(
        text("""
            UPDATE ingest.batches SET alerted_at = now()
            WHERE ingestion = :ingestion AND status = 'COMMITTED' AND alerted_at IS NULL
              AND finished_at < (SELECT min(since) FROM ingest.alert_subscriptions
                                 WHERE ingestion = :ingestion)
        """),
        {"ingestion": ingestion},
    )
    rows = connection.execute(
        text("""
            SELECT batch_id FROM ingest.batches
            WHERE ingestion = :ingestion AND status = 'COMMITTED' AND alerted_at IS NULL
            ORDER BY finished_at LIMIT :at_once FOR NO KEY UPDATE SKIP LOCKED
        """),
        {"ingestion": ingestion, "at_once": _BATCHES_AT_ONCE},
    )
    return [row.batch_id for row in rows]


def runs_noticed_at(connection: Connection, ingestion: str) -> datetime | None:
    """Until when failed runs were asked for; at first, since when anybody is to be told."""
    return connection.execute(
        text("""
            SELECT greatest(
                (SELECT runs_noticed_at FROM ingest.ingestions WHERE name = :ingestion),
                (SELECT min(since) FROM ingest.alert_subscriptions WHERE ingestion = :ingestion))
        """),
        {"ingestion": ingestion},
    ).scalar()


def known_runs(
    connection: Connection, ingestion: str, run_ids: Sequence[str]
) -> tuple[set[str], set[str]]:
    """Those of the runs whose failure is recorded, and those that worked on the ingestion."""
    values = {"ingestion": ingestion, "run_ids": list(run_ids)}
    recorded = connection.execute(
        text("""
            SELECT subject FROM ingest.alerts
            WHERE ingestion = :ingestion AND kind = 'run_failed' AND subject = ANY(:run_ids)
        """),
        values,
    )
    worked = connection.execute(
        text("""
            SELECT DISTINCT run_id FROM ingest.batches
            WHERE ingestion = :ingestion AND run_id = ANY(:run_ids)
        """),
        values,
    )
    return {row.subject for row in recorded}, {row.run_id for row in worked}


def mark_runs_noticed(connection: Connection, ingestion: str, until: datetime) -> None:
    """Failed runs up to that moment are recorded."""
    connection.execute(
        text("UPDATE ingest.ingestions SET runs_noticed_at = :until WHERE name = :ingestion"),
        {"ingestion": ingestion, "until": until},
    )


def _insert(event: str) -> TextClause:
    return text(f"""
        INSERT INTO ingest.alerts (ingestion, kind, subject, since, occurred_at, detail)
        SELECT :ingestion, event.* FROM ({event}) AS event ON CONFLICT DO NOTHING
        RETURNING alert_id
    """)
