"""Versions of the schemas of the ingestions' tables: numbered, never deleted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, text

from ingest_assets.ledger.row_locks import lock_ingestion
from ingest_assets.schema.types import columns_from_json, columns_to_json, fingerprint
from ingest_assets.schema.union import union


@dataclass(frozen=True)
class SchemaChange:
    """A version that a batch is about to make: ACTIVE with its commit, or PENDING.

    `file_id` is None where the declaration brought it. `fields` and `diff` are what
    `schema.types.columns_to_json` and `Difference.to_json` give. `base_version` is the ACTIVE
    version that the batch began with. `route` is the table, empty for the declared one.
    """

    status: Literal["ACTIVE", "PENDING"]
    verdict: str
    compatibility: str | None
    fields: list[dict[str, Any]]
    fingerprint: str
    diff: list[dict[str, Any]] | dict[str, Any] | None
    file_id: int | None
    base_version: int | None = None
    route: str = ""


@dataclass(frozen=True)
class SchemaVersion:
    """One version as the ledger has it."""

    version: int
    fields: list[dict[str, Any]]
    fingerprint: str


def active(connection: Connection, ingestion: str, route: str = "") -> SchemaVersion | None:
    """The version that the table has now; None before the first file."""
    row = connection.execute(
        text("""
            SELECT version, fields, fingerprint FROM ingest.schema_versions
            WHERE ingestion = :ingestion AND route = :route AND status = 'ACTIVE'
        """),
        {"ingestion": ingestion, "route": route},
    ).first()
    return None if row is None else SchemaVersion(*row)


def was_ever_written(connection: Connection, ingestion: str, route: str = "") -> bool:
    """Rows of the ingestion were committed, so its table has to be there."""
    found = connection.execute(
        text("""
            SELECT 1 FROM ingest.schema_versions
            WHERE ingestion = :ingestion AND route = :route AND last_written_at IS NOT NULL LIMIT 1
        """),
        {"ingestion": ingestion, "route": route},
    ).first()
    return found is not None


def apply(
    connection: Connection, ingestion: str, batch_id: str | None, changes: Sequence[SchemaChange]
) -> list[int]:
    """The version number of each change, in order, each new one numbered and in the ledger.

    A shape that waits already keeps its number, so two batches that meet it make one version. The
    ingestion's row is locked meanwhile.
    """
    if not changes:
        return []
    lock_ingestion(connection, ingestion)
    now = active(connection, ingestion, changes[0].route)
    # All of a call's changes follow one another from the version that the first was made on.
    is_overtaken = now is not None and now.version != changes[0].base_version
    return [
        _apply_one(connection, ingestion, batch_id, change, is_overtaken=is_overtaken)
        for change in changes
    ]


def _apply_one(
    connection: Connection,
    ingestion: str,
    batch_id: str | None,
    change: SchemaChange,
    *,
    is_overtaken: bool,
) -> int:
    if change.status == "PENDING":
        decided = _decided_meanwhile(connection, ingestion, batch_id, change)
        if decided is not None:
            return decided
    elif is_overtaken:
        change = _rebased(connection, ingestion, change)
    same = connection.execute(
        text("""
            SELECT version FROM ingest.schema_versions
            WHERE ingestion = :ingestion AND route = :route AND fingerprint = :fingerprint
              AND status = :status
        """),
        {
            "ingestion": ingestion,
            "route": change.route,
            "fingerprint": change.fingerprint,
            "status": change.status,
        },
    ).scalar()
    if same is not None:
        return int(same)
    if change.status == "ACTIVE":
        deprecate_active(connection, ingestion, change.route)
    return insert(connection, ingestion, change, batch_id=batch_id)


def _decided_meanwhile(
    connection: Connection, ingestion: str, batch_id: str | None, change: SchemaChange
) -> int | None:
    """A version about which somebody decided while the batch was at work: this shape's, or another.

    After another one the shape may fit, so its files are read again: they wait for a person only
    if they still do not.
    """
    found = connection.execute(
        text("""
            SELECT v.version FROM ingest.schema_versions v JOIN ingest.batches b
              ON b.batch_id = :batch_id AND v.resolved_at > b.prepared_at
            WHERE v.ingestion = :ingestion
              AND (v.status <> 'REJECTED'
                   OR (v.observed_fingerprint = :fingerprint AND v.route = :route))
            ORDER BY v.observed_fingerprint = :fingerprint AND v.route = :route DESC,
                     v.resolved_at DESC LIMIT 1
        """),
        {
            "ingestion": ingestion,
            "batch_id": batch_id,
            "fingerprint": change.fingerprint,
            "route": change.route,
        },
    ).scalar()
    return None if found is None else int(found)


def _rebased(connection: Connection, ingestion: str, change: SchemaChange) -> SchemaChange:
    """What the batch brings, on the version that was made active while it was at work.

    Also on another batch's: that one may stand on a person's decision.
    """
    now = active(connection, ingestion, change.route)
    if now is None:
        return change
    columns = union(columns_from_json(now.fields), columns_from_json(change.fields))
    return replace(change, fields=columns_to_json(columns), fingerprint=fingerprint(columns))


def deprecate_active(connection: Connection, ingestion: str, route: str) -> None:
    """The table has no ACTIVE version; the next statement makes one."""
    connection.execute(
        text("""
            UPDATE ingest.schema_versions SET status = 'DEPRECATED'
            WHERE ingestion = :ingestion AND route = :route AND status = 'ACTIVE'
        """),
        {"ingestion": ingestion, "route": route},
    )


def insert(
    connection: Connection, ingestion: str, change: SchemaChange, *, batch_id: str | None = None
) -> int:
    """The number of the new version."""
    version = connection.execute(
        text("""
            INSERT INTO ingest.schema_versions
                (ingestion, version, status, verdict, compatibility, fields, fingerprint, diff,
                 batch_id, file_id, route)
            SELECT :ingestion, coalesce(max(version), 0) + 1, :status, :verdict, :compatibility,
                   CAST(:fields AS jsonb), :fingerprint, CAST(:diff AS jsonb), :batch_id, :file_id,
                   :route
            FROM ingest.schema_versions WHERE ingestion = :ingestion
            RETURNING version
        """),
        {
            "ingestion": ingestion,
            "status": change.status,
            "verdict": change.verdict,
            "compatibility": change.compatibility,
            "fields": json.dumps(change.fields),
            "fingerprint": change.fingerprint,
            "diff": json.dumps(change.diff),
            "batch_id": batch_id,
            "file_id": change.file_id,
            "route": change.route,
        },
    ).scalar_one()
    return int(version)


def describe(
    connection: Connection, ingestion: str, version: int, fields: Sequence[dict[str, Any]]
) -> None:
    """The version has these fields, which differ from those it had in their descriptions only."""
    connection.execute(
        text("""
            UPDATE ingest.schema_versions SET fields = CAST(:fields AS jsonb)
            WHERE ingestion = :ingestion AND version = :version
        """),
        {"ingestion": ingestion, "version": version, "fields": json.dumps(list(fields))},
    )


def mark_written(connection: Connection, ingestion: str, batch_id: str) -> None:
    """The versions that the batch's files were written with were last written now."""
    connection.execute(
        text("""
            UPDATE ingest.schema_versions v SET last_written_at = now()
            WHERE v.ingestion = :ingestion AND v.version IN (
                SELECT a.schema_version FROM ingest.attempts a
                WHERE a.batch_id = :batch_id AND a.outcome = 'SUCCESS' AND a.rows > 0)
        """),
        {"ingestion": ingestion, "batch_id": batch_id},
    )
