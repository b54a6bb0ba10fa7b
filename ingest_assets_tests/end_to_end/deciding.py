"""What a person does about schemas in a workshop: look, plan, decide; and what the ledger kept."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from ingest_assets.engine.decision_plan import DecisionPlan, plan_resolution
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.ledger import registry
from ingest_assets.ledger.registry import VersionRow
from ingest_assets.schema.resolution import Resolution
from ingest_assets.tables.operations import Constant, Expression
from ingest_assets_tests.end_to_end.workshop import Workshop

PERSON = "ada@desk"
WHY = "agreed with the shop"

Fills = Mapping[str, Constant | Expression]


def versions(workshop: Workshop) -> dict[int, VersionRow]:
    """Every version of the ingestion by its number."""
    with workshop.deployment.ledger.transaction() as connection:
        return {row.version: row for row in registry.versions(connection, "orders")}


def pending(workshop: Workshop) -> VersionRow:
    """The one version that waits for a decision."""
    (found,) = [row for row in versions(workshop).values() if row.status == "PENDING"]
    return found


def active(workshop: Workshop) -> VersionRow:
    """The one version that the table has."""
    (found,) = [row for row in versions(workshop).values() if row.status == "ACTIVE"]
    return found


def planned(
    workshop: Workshop,
    resolution: str,
    fills: Fills | None = None,
    *,
    version: int | None = None,
    **changes: Any,
) -> DecisionPlan:
    """The plan for the pending version, or the one of that number."""
    number = pending(workshop).version if version is None else version
    ingestion = workshop.ingestion(**changes)
    return plan_resolution(
        workshop.deployment, ingestion, number, Resolution(resolution), fills or {}
    )


def decide(
    workshop: Workshop, resolution: str, fills: Fills | None = None, **changes: Any
) -> DecisionPlan:
    """The pending version is decided about; the plan of it."""
    plan = planned(workshop, resolution, fills, **changes)
    carry_out(workshop.deployment, plan, PERSON, WHY)
    return plan


def audit(workshop: Workshop) -> list[tuple[str, str, dict[str, Any]]]:
    """Actor, action and detail of each decision, oldest first."""
    query = text("""
        SELECT actor, action, detail FROM ingest.audit
        WHERE ingestion = 'orders' AND starts_with(action, 'schema.') ORDER BY audit_id
    """)
    with workshop.deployment.ledger.transaction() as connection:
        return [tuple(row) for row in connection.execute(query)]


def assert_decided(workshop: Workshop, version: int, action: str, status: str) -> None:
    """Registry and audit say who decided what about the version, and why; no file waits for it."""
    row = versions(workshop)[version]
    assert (row.status, row.resolution, row.resolved_by, row.note) == (status, action, PERSON, WHY)
    assert row.resolved_at is not None
    assert row.resolved_at > row.created_at
    assert row.parked_files == 0
    actor, said, detail = audit(workshop)[-1]
    assert (actor, said, detail["note"]) == (PERSON, f"schema.{action}", WHY)
    assert detail["version"] == version
