"""Files of two shapes, of which a person gave the second a table of its own."""

from collections.abc import Mapping
from typing import Any

from ingest_assets.engine.decision_plan import plan_resolution
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.schema.resolution import Resolution
from ingest_assets_tests.end_to_end.sample_orders import Row, json_lines
from ingest_assets_tests.end_to_end.workshop import Workshop

LAYOUT: Mapping[str, Any] = {"partition_by": ["bucket(2, id)", "name"], "sort_by": ["amount"]}
PLAIN: Mapping[str, Any] = {}
DECLARED, OTHER = "raw.orders", "raw.orders_v2"


def plain(*ids: int) -> bytes:
    """Rows of the declared table's shape."""
    return json_lines([{"id": i, "name": f"n{i}", "amount": i} for i in ids])


def priced(*ids: int, **more: Any) -> bytes:
    """Rows of the other shape: no name, and another type of amount."""
    rows: list[Row] = [{"id": i, "amount": {"value": i, "currency": "EUR"}, **more} for i in ids]
    return json_lines(rows)


def ids(workshop: Workshop, identifier: str) -> list[int]:
    """What stands in the table's `id`, sorted."""
    return sorted(row["id"] for row in workshop.rows(identifier))


def resolve(
    workshop: Workshop, version: int, resolution: Resolution, table: Mapping[str, Any] = LAYOUT
) -> int | None:
    """A person's decision, carried out."""
    plan = plan_resolution(
        workshop.deployment, workshop.ingestion(table=table), version, resolution
    )
    return carry_out(workshop.deployment, plan, "ada", "a test")


def part(workshop: Workshop, table: Mapping[str, Any] = LAYOUT) -> None:
    """Two files are in the declared table, and two of the other shape in a table of their own."""
    workshop.put("a.json", plain(1, 2))
    workshop.put("b.json", plain(3))
    workshop.put("c.json", priced(4))
    workshop.put("d.json", priced(5, 6))
    assert workshop.ingest(table=table).counts == {"PARKED": 2, "SUCCESS": 2}
    assert resolve(workshop, 2, Resolution.NEW_TABLE, table) == 2
    assert set(workshop.statuses().values()) == {"SUCCESS", "DISCOVERED"}
    assert workshop.ingest(table=table).counts == {"SUCCESS": 2}
