"""What a declaration may say of its write mode, and what is refused by name."""

from typing import Any

import pytest

from ingest_assets.engine.write_mode import mode_of
from ingest_assets.ingestion import Ingestion, problems_of
from ingest_assets.tables.merging import Merge
from ingest_assets.tables.overwriting import Overwrite

MERGE: dict[str, Any] = {"write_mode": "merge", "primary_key": ["id"]}
COLUMNS = [{"name": "id", "type": "long"}, {"name": "at", "type": "timestamptz"}]


def _attributes(table: dict[str, Any], **more: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "name": "orders",
        "source": {"uri": "s3://landing/orders/"},
        "format": {"type": "json"},
        "table": {"identifier": "raw.orders", **table},
    }
    for section, value in more.items():
        attributes[section] = {**attributes.get(section, {}), **value}
    return attributes


@pytest.mark.parametrize(
    ("table", "more", "said"),
    [
        ({"write_mode": "merge"}, {}, "table: write_mode: merge needs primary_key"),
        ({"primary_key": ["id"]}, {}, "table: primary_key is for write_mode: merge, and write_m"),
        ({"order_by": "at"}, {}, "table: order_by is for write_mode: merge"),
        ({"delete_when": {"column": "op", "equals": ["D"]}}, {}, "delete_when is for write_mode"),
        ({**MERGE, "overwrite_by": "folder"}, {}, "overwrite_by is for write_mode: overwrite"),
        ({**MERGE, "order_by": "id"}, {}, "order_by: id is in primary_key"),
        ({**MERGE, "primary_key": ["id", "id"]}, {}, "has 'id' twice"),
        ({**MERGE, "primary_key": ["OrderID"]}, {}, "becomes the column order_id"),
        ({**MERGE, "order_by": "_ingested_at"}, {}, "'_ingested_at' is not a column that files"),
        ({**MERGE, "delete_when": {"column": "op"}}, {}, "delete_when.equals: is required"),
        (
            {**MERGE, "delete_when": {"column": "op", "equals": []}},
            {},
            "delete_when.equals: list should have at least 1 item",
        ),
        (
            {"write_mode": "overwrite", "overwrite_scope": "partitions"},
            {},
            "overwrite_scope: partitions needs partition_by",
        ),
        (MERGE, {"source": {"on_changed_file": "append"}}, "does not go with source.on_changed_f"),
        (
            {"write_mode": "overwrite"},
            {"source": {"on_changed_file": "append"}},
            "table.write_mode: overwrite does not go with source.on_changed_file: append",
        ),
        (
            {"write_mode": "overwrite"},
            {"batch": {"max_concurrent_runs": 2}},
            "write batch.max_concurrent_runs: 1",
        ),
        (
            MERGE,
            {"schema": {"optional_columns": ["id"]}},
            "id is in table.primary_key, which every",
        ),
        (
            {**MERGE, "primary_key": ["nr"]},
            {"schema": {"columns": COLUMNS}},
            "table.primary_key: nr is not among schema.columns; declare it there, or correct",
        ),
        (
            {**MERGE, "order_by": "nr"},
            {"schema": {"columns": COLUMNS}},
            "table.order_by: nr is not among schema.columns",
        ),
        (
            MERGE,
            {"schema": {"columns": [{"name": "id", "type": "double"}]}},
            "table.primary_key: id is declared as double; a number with a fraction",
        ),
        (
            {**MERGE, "order_by": "at"},
            {"schema": {"columns": [COLUMNS[0], {"name": "at", "type": "list<long>"}]}},
            "table.order_by: at is nested, and has no order",
        ),
    ],
)
def test_what_contradicts_the_write_mode_is_refused_by_name(
    table: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    _, [problem] = problems_of("orders/defs.yaml", _attributes(table, **more))
    assert problem.startswith("orders/defs.yaml: attributes")
    assert said in problem


@pytest.mark.parametrize(
    ("table", "mode"),
    [
        ({}, None),
        (MERGE, Merge(("id",))),
        (
            {
                **MERGE,
                "primary_key": ["id", "day"],
                "order_by": "at",
                "delete_when": {"column": "gone", "equals": [True, "x", 1]},
            },
            Merge(("id", "day"), "at", "gone", frozenset({"true", "x", "1"})),
        ),
        ({"write_mode": "overwrite"}, Overwrite()),
        (
            {
                "write_mode": "overwrite",
                "overwrite_scope": "partitions",
                "overwrite_by": "folder",
                "partition_by": ["day(at)"],
            },
            Overwrite(by_partition=True, by_folder=True),
        ),
    ],
)
def test_the_tables_are_told_what_is_declared(table: dict[str, Any], mode: object) -> None:
    assert mode_of(Ingestion.model_validate(_attributes(table)).table) == mode
