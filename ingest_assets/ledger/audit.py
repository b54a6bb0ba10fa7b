"""Who decided what, and when: what people and declarations changed, as they said it."""

import json
from typing import Any

from sqlalchemy import Connection, text


def note(
    connection: Connection, ingestion: str, actor: str, action: str, detail: dict[str, Any]
) -> None:
    """The newest word of the ingestion's audit; `detail` is as JSON has it."""
    connection.execute(
        text("""
            INSERT INTO ingest.audit (ingestion, actor, action, detail)
            VALUES (:ingestion, :actor, :action, CAST(:detail AS jsonb))
        """),
        {
            "ingestion": ingestion,
            "actor": actor,
            "action": action,
            "detail": json.dumps(detail),
        },
    )
