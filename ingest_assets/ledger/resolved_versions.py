"""Versions as a person decided about them."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.ledger.schema_versions import SchemaChange, deprecate_active, insert


@dataclass(frozen=True)
class Resolved:
    """What was decided about a version: `action` is a `Resolution` or a change asked for."""

    action: str
    actor: str
    note: str


def make_active(
    connection: Connection,
    ingestion: str,
    resolved: Resolved,
    change: SchemaChange,
    version: int | None,
) -> int:
    """The PENDING version, or else a new one, is the ACTIVE one and as `change` says; its number.

    What was observed in files stays beside it.
    """
    deprecate_active(connection, ingestion, change.route)
    if version is None:
        version = insert(connection, ingestion, change)
    resolve(connection, ingestion, version, resolved, "ACTIVE", change)
    return version


def resolve(
    connection: Connection,
    ingestion: str,
    version: int,
    resolved: Resolved,
    status: str,
    change: SchemaChange | None = None,
) -> None:
    """The version has this status, and who decided that; and the fields and table of `change`."""
    connection.execute(
        text("""
            UPDATE ingest.schema_versions SET
                status = :status, observed_fields = fields, observed_fingerprint = fingerprint,
                fields = coalesce(CAST(:fields AS jsonb), fields),
                fingerprint = coalesce(:fingerprint, fingerprint), route = coalesce(:route, route),
                resolution = :action, resolved_by = :actor, resolved_at = clock_timestamp(),
                note = :note
            WHERE ingestion = :ingestion AND version = :version
        """),
        {
            "ingestion": ingestion,
            "version": version,
            "status": status,
            "fields": None if change is None else json.dumps(change.fields),
            "fingerprint": None if change is None else change.fingerprint,
            "route": None if change is None else change.route,
            **asdict(resolved),
        },
    )


def set_diff(connection: Connection, ingestion: str, version: int, diff: dict[str, Any]) -> None:
    """The version's diff is this one: to the schema of now, no longer to that of its files' day."""
    connection.execute(
        text("""
            UPDATE ingest.schema_versions SET diff = coalesce(diff, '{}') || CAST(:diff AS jsonb)
            WHERE ingestion = :ingestion AND version = :version
        """),
        {"ingestion": ingestion, "version": version, "diff": json.dumps(diff)},
    )
