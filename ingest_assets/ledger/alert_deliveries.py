"""Messages of alerts on their way: grouped, one at a time to a channel, and marked when sent."""

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.ledger.alert_events import AWAITED_VERSIONS
from ingest_assets.ledger.states import AlertKind

RETRY_AT_MOST = timedelta(hours=1)
"""A message that failed is tried after 1, 2, 4, ... minutes, and then at least so often."""
PAUSE = timedelta(minutes=1)
"""A channel that is down holds up one tick so often, however many ingestions have a message."""
REFUSALS_AT_MOST = 10
"""About five hours: time to mend a channel, before its message makes way for those behind it."""


@dataclass(frozen=True)
class Event:
    """Something that happened to an ingestion; what `detail` holds depends on its kind."""

    alert_id: int
    since: datetime
    detail: dict[str, Any]


@dataclass(frozen=True)
class Group:
    """The events of one kind that wait for a channel which has no message of that kind waiting."""

    kind: AlertKind
    channel: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Delivery:
    """A message that is due, as it was when it was first put together."""

    delivery_id: str
    channel: str
    message: dict[str, Any]
    attempts: int


def groups(connection: Connection, ingestion: str) -> list[Group]:
    """What can become a message now, oldest event first.

    A `schema_pending` can while somebody has to decide; the moment before it is sent may be long
    after it was noticed.

    While a channel has a message of that kind waiting, further events wait behind it and become
    one message afterwards: a message that was tried once never changes. The events are locked
    until the transaction ends; those that another tick has locked are passed over.
    """
    rows = connection.execute(
        text(f"""
            SELECT a.kind, p.channel, a.alert_id, a.since, a.detail
            FROM ingest.alert_parts p JOIN ingest.alerts a USING (alert_id)
            WHERE p.delivery_id IS NULL AND a.ingestion = :ingestion AND NOT EXISTS (
                SELECT 1 FROM ingest.alert_deliveries d
                WHERE d.ingestion = a.ingestion AND d.kind = a.kind AND d.channel = p.channel
                  AND d.state = 'WAITING')
              AND (a.kind <> 'schema_pending' OR a.subject IN (
                SELECT CAST(version AS text) FROM ({AWAITED_VERSIONS}) AS awaited))
            ORDER BY a.alert_id FOR UPDATE OF p SKIP LOCKED
        """),
        {"ingestion": ingestion},
    )
    found: dict[tuple[str, str], list[Event]] = {}
    for row in rows:
        event = Event(row.alert_id, row.since, row.detail)
        found.setdefault((row.kind, row.channel), []).append(event)
    return [
        Group(AlertKind(kind), channel, tuple(events)) for (kind, channel), events in found.items()
    ]


def put_up(connection: Connection, ingestion: str, group: Group, message: dict[str, Any]) -> bool:
    """The group is a WAITING message, due now, or after a pause if its channel is down.

    False, and nothing was changed, when another one waits since a moment ago.

    Call it in the transaction that found the group.
    """
    delivery_id = connection.execute(
        text("""
            INSERT INTO ingest.alert_deliveries
                (delivery_id, ingestion, kind, channel, state, message, next_attempt_at)
            SELECT :id, :ingestion, :kind, :channel, 'WAITING', CAST(:message AS jsonb),
                   now() + CASE WHEN EXISTS (
                       SELECT 1 FROM ingest.alert_deliveries
                       WHERE channel = :channel AND state = 'WAITING' AND attempts > 0
                   ) THEN CAST(:pause AS interval) ELSE interval '0' END
            ON CONFLICT DO NOTHING RETURNING delivery_id
        """),
        {
            "id": uuid.uuid4().hex,
            "ingestion": ingestion,
            "kind": group.kind,
            "channel": group.channel,
            "message": json.dumps(message),
            "pause": PAUSE,
        },
    ).scalar()
    if delivery_id is None:
        return False
    connection.execute(
        text("""
            UPDATE ingest.alert_parts SET delivery_id = :id
            WHERE channel = :channel AND alert_id = ANY(:alert_ids)
        """),
        {
            "id": delivery_id,
            "channel": group.channel,
            "alert_ids": [event.alert_id for event in group.events],
        },
    )
    return True


def take_due(connection: Connection, ingestion: str, channels: Collection[str]) -> Delivery | None:
    """The message to one of these channels that is due longest, this transaction's until it ends.

    Nobody else takes it meanwhile. If the process dies, it is due again at once.
    """
    row = connection.execute(
        text("""
            SELECT delivery_id, channel, message, attempts FROM ingest.alert_deliveries
            WHERE ingestion = :ingestion AND state = 'WAITING' AND next_attempt_at <= now()
              AND channel = ANY(:channels)
            ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """),
        {"ingestion": ingestion, "channels": list(channels)},
    ).first()
    return None if row is None else Delivery(*row)


def mark_sent(connection: Connection, delivery_id: str) -> None:
    """The message came through and is never sent again."""
    connection.execute(
        text("""
            UPDATE ingest.alert_deliveries
            SET state = 'SENT', sent_at = clock_timestamp(), attempts = attempts + 1, error = NULL
            WHERE delivery_id = :id
        """),
        {"id": delivery_id},
    )


def mark_failed(
    connection: Connection, delivery: Delivery, error: str, *, wait: timedelta = timedelta()
) -> None:
    """The message is due again after twice the time of the attempt before, or after `wait`.

    What else waits for the channel is due after a pause, whatever ingestion it is of.
    """
    _try_later(connection, delivery, error, wait)
    connection.execute(
        text("""
            UPDATE ingest.alert_deliveries SET next_attempt_at = clock_timestamp() + :pause
            WHERE delivery_id IN (
                SELECT delivery_id FROM ingest.alert_deliveries
                WHERE channel = :channel AND state = 'WAITING'
                  AND next_attempt_at < clock_timestamp() + :pause
                FOR UPDATE SKIP LOCKED)
        """),
        {"channel": delivery.channel, "pause": max(PAUSE, min(wait, RETRY_AT_MOST))},
    )


def mark_refused(connection: Connection, delivery: Delivery, error: str) -> bool:
    """The message is due again as after `mark_failed`, or DROPPED: True if it was the last time."""
    _try_later(connection, delivery, error, timedelta())
    is_last = delivery.attempts + 1 >= REFUSALS_AT_MOST
    if is_last:
        connection.execute(
            text("UPDATE ingest.alert_deliveries SET state = 'DROPPED' WHERE delivery_id = :id"),
            {"id": delivery.delivery_id},
        )
    return is_last


def _try_later(connection: Connection, delivery: Delivery, error: str, wait: timedelta) -> None:
    connection.execute(
        text("""
            UPDATE ingest.alert_deliveries SET
                attempts = attempts + 1, error = :error,
                next_attempt_at = clock_timestamp() + least(
                    CAST(:at_most AS interval),
                    greatest(:wait, interval '1 minute' * power(2, least(attempts, 10))))
            WHERE delivery_id = :id
        """),
        {"id": delivery.delivery_id, "error": error, "at_most": RETRY_AT_MOST, "wait": wait},
    )


def parked_keys(connection: Connection, ingestion: str, versions: Sequence[int]) -> list[str]:
    """The keys of the files that wait for a decision on one of these schema versions."""
    rows = connection.execute(
        text("""
            SELECT key FROM ingest.files
            WHERE ingestion = :ingestion AND status = 'PARKED' AND schema_version = ANY(:versions)
            ORDER BY key
        """),
        {"ingestion": ingestion, "versions": list(versions)},
    )
    return [row.key for row in rows]
