"""The fields of an ingestion's files, where a transform makes other columns of them.

A batch says what it knew of them when its files were read; that is known of the ingestion from the
moment when the batch is COMMITTED.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.schema.types import columns_from_json, columns_to_json
from ingest_assets.schema.union import union


@dataclass(frozen=True)
class SourceShape:
    """`fields` as `schema.types.columns_to_json` writes them; `format` is how files were read.

    Files that are read as another format have other fields, and nothing is known of them.
    """

    format: dict[str, Any]
    fields: list[dict[str, Any]]


def known(connection: Connection, ingestion: str, route: str) -> SourceShape | None:
    """What is known of the files of a table, as in `ledger.tables`; None before the first batch."""
    row = connection.execute(
        text("""
            SELECT format, fields FROM ingest.source_shapes
            WHERE ingestion = :ingestion AND route = :route
        """),
        {"ingestion": ingestion, "route": route},
    ).first()
    return None if row is None else SourceShape(row.format, row.fields)


def note(connection: Connection, batch_id: str, shape: SourceShape) -> None:
    """The shape stands beside the PREPARED batch; nothing is known of the ingestion yet."""
    stored = json.dumps({"format": shape.format, "fields": shape.fields})
    connection.execute(
        text("""
            UPDATE ingest.batches SET source_shape = CAST(:shape AS jsonb)
            WHERE batch_id = :batch_id
        """),
        {"batch_id": batch_id, "shape": stored},
    )


def apply(connection: Connection, batch_id: str) -> None:
    """What the batch noted is known of its ingestion, with what others brought meanwhile."""
    row = connection.execute(
        text("""
            SELECT ingestion, route, source_shape FROM ingest.batches
            WHERE batch_id = :batch_id AND source_shape IS NOT NULL
        """),
        {"batch_id": batch_id},
    ).first()
    if row is None:
        return
    values = {"ingestion": row.ingestion, "route": row.route}
    found = row.source_shape
    # The row is there, and locked, before it is read: two batches may end at once.
    connection.execute(_LOCK, values | {"format": json.dumps(found["format"])})
    before = known(connection, row.ingestion, row.route)
    if before is not None and before.format == found["format"]:
        both = union(columns_from_json(before.fields), columns_from_json(found["fields"]))
        found["fields"] = columns_to_json(both)
    connection.execute(
        _STORE,
        values | {"format": json.dumps(found["format"]), "fields": json.dumps(found["fields"])},
    )


_LOCK = text("""
    INSERT INTO ingest.source_shapes (ingestion, route, format, fields)
    VALUES (:ingestion, :route, CAST(:format AS jsonb), '[]')
    ON CONFLICT (ingestion, route) DO UPDATE SET updated_at = now()
""")

_STORE = text("""
    UPDATE ingest.source_shapes
    SET format = CAST(:format AS jsonb), fields = CAST(:fields AS jsonb), updated_at = now()
    WHERE ingestion = :ingestion AND route = :route
""")
