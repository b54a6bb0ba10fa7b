"""How the Iceberg tables were when they were last looked at, kept for status and metrics."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True)
class NotedHealth:
    """One table; `numbers` as `tables.table_health.TableHealth` has them, for JSON."""

    table_identifier: str
    ingestion: str
    measured_at: datetime
    numbers: Mapping[str, Any]


def note(connection: Connection, ingestion: str, table_identifier: str, health: Any) -> None:
    """The dataclass `health` is how the table is now, right after its maintenance."""
    numbers = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(health).items()
    }
    statement = text("""
        INSERT INTO ingest.table_health AS h
            (table_identifier, ingestion, measured_at, numbers)
        VALUES (:table_identifier, :ingestion, now(), :numbers)
        ON CONFLICT (table_identifier) DO UPDATE SET
            ingestion = excluded.ingestion, measured_at = excluded.measured_at,
            numbers = excluded.numbers
    """).bindparams(bindparam("numbers", type_=JSONB))
    connection.execute(
        statement,
        {"table_identifier": table_identifier, "ingestion": ingestion, "numbers": numbers},
    )


def noted(connection: Connection) -> list[NotedHealth]:
    """Every table that was ever maintained, by its name."""
    rows = connection.execute(text("SELECT * FROM ingest.table_health ORDER BY table_identifier"))
    return [NotedHealth(**row._mapping) for row in rows]
