"""What happened to an ingestion, and whom it was told to: the outbox read back for people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class AlertRow:
    """One event and one channel that is told of it; without a channel nobody is.

    `state` is None until the event is in a message.
    """

    kind: str
    subject: str
    since: datetime
    noticed_at: datetime
    detail: dict[str, Any]
    channel: str | None
    state: str | None
    delivery_id: str | None
    attempts: int | None
    next_attempt_at: datetime | None
    sent_at: datetime | None
    error: str | None


def alerts(connection: Connection, ingestion: str, *, at_most: int) -> list[AlertRow]:
    """The newest events of the ingestion, newest first."""
    rows = connection.execute(
        text("""
            SELECT a.kind, a.subject, a.since, a.noticed_at, a.detail, p.channel, d.state,
                   d.delivery_id, d.attempts,
                   CASE WHEN d.state = 'WAITING' THEN d.next_attempt_at END AS next_attempt_at,
                   d.sent_at, d.error
            FROM (SELECT * FROM ingest.alerts WHERE ingestion = :ingestion
                  ORDER BY alert_id DESC LIMIT :at_most) AS a
            LEFT JOIN ingest.alert_parts p USING (alert_id)
            LEFT JOIN ingest.alert_deliveries d USING (delivery_id)
            ORDER BY a.alert_id DESC, p.channel
        """),
        {"ingestion": ingestion, "at_most": at_most},
    )
    return [AlertRow(**row._mapping) for row in rows]
