"""The declaration of an ingestion as it was last applied, and what changed in it when."""

import json
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.ledger import audit

_ACTION = "declaration"


def applied(connection: Connection, ingestion: str) -> dict[str, Any] | None:
    """As `note` was given it last; None before the first time."""
    found: dict[str, Any] | None = connection.execute(
        text("SELECT declared FROM ingest.ingestions WHERE name = :name"), {"name": ingestion}
    ).scalar()
    return found


def known_as(connection: Connection, ingestion: str) -> tuple[str, str | None] | None:
    """Table and source address of an ingestion, as its ticks had them; None if there is none."""
    row = connection.execute(
        text("SELECT table_identifier, source_address FROM ingest.ingestions WHERE name = :name"),
        {"name": ingestion},
    ).first()
    return None if row is None else (row.table_identifier, row.source_address)


def note(
    connection: Connection,
    ingestion: str,
    declared: dict[str, Any],
    changed: dict[str, dict[str, Any]],
) -> None:
    """This is how it is declared; the audit has what changed, by field."""
    connection.execute(
        text("UPDATE ingest.ingestions SET declared = CAST(:declared AS jsonb) WHERE name = :name"),
        {"name": ingestion, "declared": json.dumps(declared)},
    )
    if changed:
        audit.note(connection, ingestion, _ACTION, _ACTION, changed)
