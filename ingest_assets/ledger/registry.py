"""The schema registry for people: every version, what brought it, what was decided about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.decision_errors import UnknownVersionError
from ingest_assets.schema.column import Columns
from ingest_assets.schema.difference import Change, ChangeKind, Difference
from ingest_assets.schema.types import columns_from_json

FILES_SHOWN = 20


@dataclass(frozen=True)
class VersionRow:
    """One version. `fields` are those of the table, for PENDING and REJECTED ones of the files.

    `files` are the keys that brought it or wait for it, the first `FILES_SHOWN` of `file_count`.
    `samples` are values of one of the files, by the path of a change (`schema.samples`).
    `diff` is what `Difference.to_json` gave; `resolution` is a `Resolution`, or the name of a
    change that a person asked for by itself.
    """

    version: int
    route: str
    status: str
    verdict: str
    compatibility: str | None
    fields: list[dict[str, Any]]
    diff: dict[str, Any] | None
    created_at: datetime
    last_written_at: datetime | None
    resolution: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    note: str | None
    parked_files: int
    parked_bytes: int
    parked_records: int
    file_count: int
    files: list[str]
    samples: dict[str, list[str]]

    @property
    def difference(self) -> Difference | None:
        """The diff as a value."""
        return None if self.diff is None else Difference.from_json(self.diff)


_VERSIONS = text("""
    WITH parked AS (
        SELECT f.schema_version AS version, count(*) AS files, sum(f.size_bytes) AS bytes,
               sum(coalesce(CAST(a.detail->>'records' AS bigint), 0)) AS records
        FROM ingest.files f
        LEFT JOIN LATERAL (
            SELECT detail FROM ingest.attempts a
            WHERE a.file_id = f.file_id AND a.outcome = 'PARKED'
            ORDER BY a.started_at DESC LIMIT 1) a ON true
        WHERE f.ingestion = :ingestion AND f.status = 'PARKED'
          AND f.schema_version = coalesce(CAST(:version AS int), f.schema_version)
        GROUP BY f.schema_version
    ), met AS (
        SELECT a.schema_version AS version, f.key, a.finished_at, a.detail->'samples' AS samples
        FROM ingest.attempts a JOIN ingest.files f USING (file_id)
        WHERE f.ingestion = :ingestion AND a.outcome = 'PARKED'
          AND a.schema_version = coalesce(CAST(:version AS int), a.schema_version)
    ), sampled AS (
        SELECT DISTINCT ON (version) version, samples FROM met
        WHERE samples IS NOT NULL ORDER BY version, finished_at DESC
    ), brought AS (
        SELECT version, key, row_number() OVER (PARTITION BY version ORDER BY key) AS place
        FROM (SELECT version, key FROM met
              UNION
              SELECT v.version, f.key
              FROM ingest.schema_versions v JOIN ingest.files f USING (file_id)
              WHERE v.ingestion = :ingestion) AS found
    ), counted AS (
        SELECT version, count(*) AS files,
               array_agg(key ORDER BY key) FILTER (WHERE place <= :shown) AS keys
        FROM brought GROUP BY version
    )
    SELECT v.version, v.route, v.status, v.verdict, v.compatibility, v.fields, v.diff,
           v.created_at, v.last_written_at, v.resolution, v.resolved_by,
           v.resolved_at, v.note, coalesce(p.files, 0) AS parked_files,
           coalesce(p.bytes, 0) AS parked_bytes, coalesce(p.records, 0) AS parked_records,
           coalesce(c.files, 0) AS file_count, coalesce(c.keys, CAST('{}' AS text[])) AS files,
           coalesce(s.samples, '{}') AS samples
    FROM ingest.schema_versions v
    LEFT JOIN parked p USING (version)
    LEFT JOIN counted c USING (version)
    LEFT JOIN sampled s USING (version)
    WHERE v.ingestion = :ingestion AND v.version = coalesce(CAST(:version AS int), v.version)
    ORDER BY v.version
""")


def versions(connection: Connection, ingestion: str) -> list[VersionRow]:
    """All versions of the ingestion, in their order."""
    return _versions(connection, ingestion, None)


def version(connection: Connection, ingestion: str, number: int) -> VersionRow:
    """The version of that number.

    Raises:
        UnknownVersionError: the ingestion has none.
    """
    found = _versions(connection, ingestion, number)
    if found:
        return found[0]
    last = connection.execute(
        text("SELECT max(version) FROM ingest.schema_versions WHERE ingestion = :ingestion"),
        {"ingestion": ingestion},
    ).scalar()
    numbers = f"it has 1 to {last}" if last else "it has none before its first file"
    raise UnknownVersionError(f"{ingestion} has no schema version {number}; {numbers}.")


def _versions(connection: Connection, ingestion: str, number: int | None) -> list[VersionRow]:
    rows = connection.execute(
        _VERSIONS, {"ingestion": ingestion, "version": number, "shown": FILES_SHOWN}
    )
    return [VersionRow(**row._mapping) for row in rows]


def routes(connection: Connection, ingestion: str) -> list[str]:
    """Every table of the ingestion, the declared one (empty) first."""
    found = connection.execute(
        text("SELECT DISTINCT route FROM ingest.schema_versions WHERE ingestion = :ingestion"),
        {"ingestion": ingestion},
    ).scalars()
    return sorted({"", *found})


def common_columns(connection: Connection, ingestion: str, route: str) -> frozenset[str]:
    """The columns that a table has in common with the declared one, type and all."""
    rows = connection.execute(
        text("""
            SELECT fields FROM ingest.schema_versions
            WHERE ingestion = :ingestion AND status = 'ACTIVE' AND route IN ('', :route)
        """),
        {"ingestion": ingestion, "route": route},
    ).scalars()
    found = [{(c.name, str(c.type)) for c in columns_from_json(fields)} for fields in rows]
    return frozenset(name for name, _ in set.intersection(*found)) if found else frozenset()


def tables_of_all(connection: Connection) -> frozenset[str]:
    """The identifiers of all tables that any ingestion has."""
    found = connection.execute(
        text("""
            SELECT table_identifier FROM ingest.ingestions
            UNION SELECT route FROM ingest.schema_versions
        """)
    ).scalars()
    return frozenset(found)


def other_tables(
    connection: Connection, ingestion: str, route: str
) -> tuple[tuple[str, Columns], ...]:
    """The ingestion's other tables and their columns, oldest first; see `ledger.tables`, route."""
    rows = connection.execute(
        text("""
            SELECT route, fields FROM ingest.schema_versions
            WHERE ingestion = :ingestion AND status = 'ACTIVE' AND route <> :route ORDER BY route
        """),
        {"ingestion": ingestion, "route": route},
    )
    return tuple((row.route, columns_from_json(row.fields)) for row in rows)


def ignored_changes(connection: Connection, ingestion: str, route: str) -> tuple[Change, ...]:
    """What people decided to ignore: files with such a difference are written nevertheless.

    A column that was dropped is one that files may bring again, of whatever type.
    """
    decided = connection.execute(
        text("""
            SELECT resolution, diff FROM ingest.schema_versions
            WHERE ingestion = :ingestion AND route = :route
               AND resolution IN ('ignore', 'drop_column')
            ORDER BY version
        """),
        {"ingestion": ingestion, "route": route},
    )
    return tuple(c for resolution, diff in decided for c in ignored_by(resolution, diff))


def ignored_by(action: str, diff: dict[str, Any]) -> tuple[Change, ...]:
    """What the decision of that action and diff lets files differ in; none for most actions."""
    changes = Difference.from_json(diff).changes
    if action == "drop_column":
        gone = [change for change in changes if change.kind is ChangeKind.MISSING]
        return tuple(Change(ChangeKind.ADDED, change.path, None, None) for change in gone)
    return changes if action == "ignore" else ()
