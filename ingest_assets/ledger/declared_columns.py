"""The declaration's columns, as they were applied or refused: the newest word stands in the audit.

A person changed the declaration; what it made of the table's columns is a schema version.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.ledger import audit

_REASON = "schema.columns"


@dataclass(frozen=True)
class Noted:
    """What was declared, as the caller wrote it. `refused`: the version that waits, and `why`."""

    declared: dict[str, Any]
    refused: int | None = None
    why: str | None = None


def newest(connection: Connection, ingestion: str, *, applied: bool = False) -> Noted | None:
    """What was noted last; `applied`: of those that were not refused."""
    found = connection.execute(
        text("""
            SELECT detail FROM ingest.audit
            WHERE ingestion = :ingestion AND action = :reason
              AND (NOT :applied OR detail->>'refused' IS NULL)
            ORDER BY at DESC, audit_id DESC LIMIT 1
        """),
        {"ingestion": ingestion, "reason": _REASON, "applied": applied},
    ).scalar()
    return None if found is None else Noted(**found)


def note(connection: Connection, ingestion: str, noted: Noted) -> None:
    """This is the newest word on the declaration."""
    audit.note(connection, ingestion, "declaration", _REASON, vars(noted))


def waits(connection: Connection, ingestion: str, version: int) -> bool:
    """The version still waits for a decision."""
    status = connection.execute(
        text("""
            SELECT status FROM ingest.schema_versions
            WHERE ingestion = :ingestion AND version = :version
        """),
        {"ingestion": ingestion, "version": version},
    ).scalar()
    return bool(status == "PENDING")


def withdraw(connection: Connection, ingestion: str, version: int) -> None:
    """Nobody has to decide about the version any more, unless files are parked under it too."""
    connection.execute(
        text("""
            UPDATE ingest.schema_versions v SET status = 'REJECTED'
            WHERE v.ingestion = :ingestion AND v.version = :version AND v.status = 'PENDING'
              AND NOT EXISTS (
                SELECT 1 FROM ingest.files f WHERE f.ingestion = v.ingestion
                  AND f.status = 'PARKED' AND f.schema_version = v.version)
        """),
        {"ingestion": ingestion, "version": version},
    )


def is_changed_by_batch(connection: Connection, ingestion: str) -> bool:
    """A batch that may be in the table already is about to make an ACTIVE version."""
    found = connection.execute(
        text("""
            SELECT 1 FROM ingest.batches
            WHERE ingestion = :ingestion AND status = 'PREPARED'
              AND schema_changes @> '[{"status": "ACTIVE"}]' LIMIT 1
        """),
        {"ingestion": ingestion},
    ).first()
    return found is not None
